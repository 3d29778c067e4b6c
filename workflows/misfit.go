package workflows

import (
	"errors"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxMisfit is how much of a schema's own text a fault repeats.
const maxMisfit = 256

// What the library says of these keywords is counts and the schema's own names, never a value of the answer.
var harmlessKeywords = []string{"required", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties", "uniqueItems"}

// The other keywords are named without what the library says of them.
var valueKeywords = []string{
	"type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern",
	"anyOf", "oneOf", "not", "contains",
}

// misfit says which keyword of a question's schema an answer does not meet, and where in the schema it stands. The library's own
// text quotes the answer; nothing of the answer is in this one.
func misfit(err error) string {
	place := "root"
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		label := strings.TrimSuffix(strings.TrimSuffix(err.Error(), inner.Error()), ": ")
		if where, ok := strings.CutPrefix(label, "validating "); ok {
			place = where
		}
		err = inner
	}
	text := err.Error()
	keyword, _, _ := strings.Cut(text, ":")
	said := "does not fit the schema"
	switch {
	case slices.Contains(harmlessKeywords, keyword):
		said += ": " + text
	case slices.Contains(valueKeywords, keyword):
		said += ": " + keyword
	case strings.HasPrefix(text, "unexpected additional properties"):
		said += ": additionalProperties"
	case strings.HasPrefix(text, "dependentRequired["):
		said += ": dependentRequired"
	}
	return sdk.Cut(said, maxMisfit) + ", at " + sdk.Cut(place, maxMisfit) + " of the schema"
}
