package openai

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// CodeModelError is the failure of an attempt whose model could not be asked or did not answer to the end.
const CodeModelError sdk.Code = "model_error"

// model is what the endpoint calls the model that a stage names; asked is "" where it names none. A stage that names none that can be asked
// for is used up: another attempt would name none either.
func (c Config) model(asked string) (string, error) {
	if name := c.Models[asked]; name != "" {
		return name, nil
	}
	if name := cmp.Or(c.unprefixed(asked), c.unprefixed(c.Model)); name != "" {
		return name, nil
	}
	if asked == "" {
		asked = "no model"
	}
	return "", sdk.Final(CodeModelError, fmt.Errorf("the stage names %s: name one, or set the worker's ROLECALL_OPENAI_MODEL", asked))
}

// unprefixed is a model's name without the name of the endpoint before it; "" where there is nothing behind that.
func (c Config) unprefixed(name string) string {
	provider, rest, _ := strings.Cut(name, "/")
	if slices.Contains(c.Providers, provider) {
		return rest
	}
	return name
}
