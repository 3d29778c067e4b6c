package workflows

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/rolecall-dev/rolecall/sdk"
)

// CheckSchema answers nil when a question's schema can be used: JSON Schema (draft 2020-12 or 07), at most [sdk.MaxSchema] bytes,
// without references to other documents or to itself. An empty schema accepts every answer.
func CheckSchema(schema json.RawMessage) error {
	_, err := compile(schema)
	return err
}

func compile(schema json.RawMessage) (*jsonschema.Resolved, error) {
	if len(schema) == 0 {
		schema = json.RawMessage("true")
	}
	if err := sdk.CheckJSON(schema, sdk.MaxSchema); err != nil {
		return nil, err
	}
	values, keyword := survey(schema)
	if keyword != "" {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the schema must not use %s: write the parts out", keyword)
	}
	if values > maxSchemaValues {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the schema holds more than %d values", maxSchemaValues)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the schema is not a JSON Schema: %v", err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalidInput, "the schema is not a JSON Schema: %v", err)
	}
	return resolved, nil
}

// checkAnswer answers nil when an answer fits its question, else an error of code invalid_input.
func checkAnswer(schema, answer json.RawMessage) error {
	fault := func(format string, args ...any) error {
		return &sdk.Error{Code: sdk.CodeInvalidInput, Message: "the answer does not fit the question",
			Faults: []sdk.Fault{{Path: "$.answer", Message: fmt.Sprintf(format, args...)}}}
	}
	if len(answer) == 0 {
		return fault("is required")
	}
	if err := sdk.CheckJSON(answer, sdk.MaxAnswer); err != nil {
		return fault("%v", err)
	}
	if values, _ := survey(answer); values > maxAnswerValues {
		return fault("holds more than %d values", maxAnswerValues)
	}
	resolved, err := compile(schema)
	if err != nil {
		return fault("can not be checked: %v", err)
	}
	var value any
	if err := json.Unmarshal(answer, &value); err != nil {
		return fault("is not valid JSON")
	}
	if err := resolved.Validate(value); err != nil {
		return fault("%s", misfit(err))
	}
	return nil
}

// sameJSON reports whether two texts hold the same JSON value.
func sameJSON(a, b json.RawMessage) bool {
	return bytes.Equal(canonicalJSON(a), canonicalJSON(b))
}

// canonicalJSON writes a JSON text with sorted keys, without space and with its numbers as they are.
func canonicalJSON(raw json.RawMessage) []byte {
	var value any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return raw
	}
	out, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return out
}
