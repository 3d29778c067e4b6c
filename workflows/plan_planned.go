package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// plannedAnswer is what a coordinator answers.
type plannedAnswer struct {
	Steps   []sdk.PlanStep
	Outputs map[string]json.RawMessage
}

// readPlanned reads a coordinator's answer, or says what is wrong with it: the plan as JSON, a text that is it or holds it in one block, or
// an object whose text is one. The other fields of a caller's plan are left alone, and all that are none of those are faults.
func readPlanned(output json.RawMessage) (answer plannedAnswer, faults []sdk.Fault) {
	raw, fault := plannedJSON(output)
	if fault != "" {
		return answer, []sdk.Fault{{Path: "$", Message: fault}}
	}
	var whole map[string]json.RawMessage
	if f := decodeStrictly("$", raw, &whole); f != nil {
		return answer, []sdk.Fault{*f}
	}
	faults = misnamed[sdk.PlanRequest]("$", raw)
	var steps []json.RawMessage
	if f := decodeField(whole, "steps", &steps); f != nil {
		faults = append(faults, *f)
	}
	for i, raw := range steps {
		var step sdk.PlanStep
		path := fmt.Sprintf("$.steps[%d]", i)
		if f := decodeStrictly(path, raw, &step); f != nil {
			faults = append(faults, *f)
		} else {
			faults = append(faults, misnamed[sdk.PlanStep](path, raw)...)
		}
		answer.Steps = append(answer.Steps, step)
	}
	if f := decodeField(whole, "outputs", &answer.Outputs); f != nil {
		faults = append(faults, *f)
	}
	return answer, nameSome(faults)
}

// decodeField reads a field of a plan, where there is one.
func decodeField(fields map[string]json.RawMessage, name string, into any) *sdk.Fault {
	if raw, ok := fields[name]; ok {
		return decodeStrictly("$."+name, raw, into)
	}
	return nil
}

// misnamed names the fields of an object that T has none of: one that is written otherwise is another one, though it would be read.
func misnamed[T any](path string, raw []byte) (faults []sdk.Fault) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	for i, t := 0, reflect.TypeFor[T](); i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(fields, name)
	}
	//workflowcheck:ignore
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		faults = append(faults, sdk.Fault{Path: path, Message: fmt.Sprintf("unknown field %q", sdk.Cut(name, sdk.MaxMetadataKey))})
	}
	return faults
}

// plannedJSON finds the plan in an answer.
func plannedJSON(output json.RawMessage) (raw []byte, fault string) {
	const wanted = `answer {"steps": […], "outputs": {…}} as JSON`
	var object map[string]json.RawMessage
	var text string
	switch {
	case json.Unmarshal(output, &text) == nil && text != "":
	case json.Unmarshal(output, &object) != nil || object == nil:
		return nil, "the answer is no plan: " + wanted
	case object["steps"] != nil:
		return output, ""
	case json.Unmarshal(object["text"], &text) != nil || text == "":
		return nil, "the answer has no steps: " + wanted
	}
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") {
		return []byte(text), ""
	}
	blocks := jsonBlocks(text)
	if len(blocks) != 1 {
		return nil, fmt.Sprintf("the answer is a text with %d blocks of JSON: %s, or a text with one block that begins with a line ```json and ends with a line ```", len(blocks), wanted)
	}
	return []byte(blocks[0]), ""
}

// jsonBlocks are what stands in the fenced blocks of a text that are marked as JSON.
func jsonBlocks(text string) (blocks []string) {
	var block strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch mark := strings.TrimSpace(line); {
		case !inside && strings.EqualFold(mark, "```json"):
			inside = true
			block.Reset()
		case inside && mark == "```":
			inside = false
			blocks = append(blocks, block.String())
		case inside:
			block.WriteString(line)
		}
	}
	return blocks
}

// decodeStrictly reads JSON into a struct whose fields are all that there may be.
func decodeStrictly(path string, raw []byte, into any) *sdk.Fault {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return &sdk.Fault{Path: path, Message: "something follows the end of the JSON"}
		}
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field != "" {
			path += "." + wrong.Field
		}
		return &sdk.Fault{Path: path, Message: "must be " + kindOf(wrong.Type) + ", and is of kind " + wrong.Value}
	}
	return &sdk.Fault{Path: path, Message: strings.TrimPrefix(err.Error(), "json: ")}
}

// kindOf names what JSON a Go type is read from.
func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}
