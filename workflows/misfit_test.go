package workflows

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestMisfitNamesNoValue: a refused answer is told by keyword and place, and nothing of it is in the text.
func TestMisfitNamesNoValue(t *testing.T) {
	t.Parallel()
	const secret, number = `"hunter2: hunter2"`, `31337`
	for _, tt := range []struct{ schema, answer, want string }{
		{`{"type":"integer"}`, secret, "type, at root"},
		{`{"type":["integer","null"]}`, secret, "type, at root"},
		{`{"type":"string"}`, `{"hunter2":` + secret + `}`, "type, at root"},
		{`{"enum":["a"]}`, secret, "enum, at root"},
		{`{"const":"a"}`, secret, "const, at root"},
		{`{"multipleOf":2}`, number, "multipleOf, at root"},
		{`{"maximum":2}`, number, "maximum, at root"},
		{`{"minimum":99999}`, number, "minimum, at root"},
		{`{"exclusiveMaximum":2}`, number, "exclusiveMaximum, at root"},
		{`{"exclusiveMinimum":99999}`, number, "exclusiveMinimum, at root"},
		{`{"minLength":99}`, secret, "minLength, at root"},
		{`{"maxLength":2}`, secret, "maxLength, at root"},
		{`{"pattern":"^a$"}`, secret, "pattern, at root"},
		{`{"properties":{"name":{"maxLength":2}}}`, `{"name":` + secret + `}`, "maxLength, at /properties/name"},
		{`{"items":{"properties":{"name":{"type":"null"}}}}`, `[{"name":` + secret + `}]`, "type, at /items/properties/name"},
		{`{"anyOf":[{"type":"null"},{"type":"integer"}]}`, secret, "anyOf, at root"},
		{`{"oneOf":[{"type":"null"},{"type":"integer"}]}`, secret, "oneOf, at root"},
		{`{"not":{"type":"string"}}`, secret, "not, at root"},
		{`{"allOf":[{"type":"null"}]}`, secret, "type, at /allOf/0"},
		{`{"contains":{"type":"null"}}`, `[` + secret + `]`, "contains, at root"},
		{`{"additionalProperties":false}`, `{` + secret + `:1}`, "additionalProperties, at root"},
		{`{"propertyNames":{"maxLength":2}}`, `{` + secret + `:1}`, "maxLength, at /propertyNames"},
		{`{"required":["name"]}`, `{` + secret + `:1}`, `required: missing properties: ["name"], at root`},
		{`{"minItems":2}`, `[` + secret + `]`, "minItems: array length 1 is less than 2, at root"},
		{`{"uniqueItems":true}`, `[` + secret + `,` + secret + `]`, "uniqueItems: array items 1 and 0 are equal, at root"},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":` + secret + `}`, "dependentRequired, at root"},
		{`false`, secret, "not, at root"},
	} {
		err := checkAnswer(json.RawMessage(tt.schema), json.RawMessage(tt.answer))
		e, ok := errors.AsType[*sdk.Error](err)
		if !ok || e.Code != sdk.CodeInvalidInput || len(e.Faults) != 1 || e.Faults[0].Path != "$.answer" {
			t.Errorf("%s: %v", tt.schema, err)
			continue
		}
		if want := "does not fit the schema: " + tt.want + " of the schema"; e.Faults[0].Message != want {
			t.Errorf("%s: %q, want %q", tt.schema, e.Faults[0].Message, want)
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), number) {
			t.Errorf("%s: the answer is in %q", tt.schema, err)
		}
	}
}

func TestMisfitIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", sdk.MaxSchema/2-100)
	err := checkAnswer(json.RawMessage(`{"properties":{"`+long+`":{"required":["`+long+`"]}}}`), json.RawMessage(`{"`+long[:1000]+`":{}}`))
	if err != nil {
		t.Fatalf("another name: %v", err)
	}
	err = checkAnswer(json.RawMessage(`{"required":["`+long+`"]}`), json.RawMessage(`{}`))
	if err == nil || len(err.Error()) > 1024 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}
