package redact

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Capture says how much of a task its events carry.
type Capture string

// How much events carry. Callers' own events are never cut.
const (
	CaptureFull     Capture = "full"     // everything
	CaptureMetadata Capture = "metadata" // no prompts, inputs and outputs: who, what kind, when and how it ended
)

// ParseCapture reads a setting; empty is fallback.
func ParseCapture(setting string, fallback Capture) (Capture, error) {
	switch c := Capture(setting); c {
	case "":
		return fallback, nil
	case CaptureFull, CaptureMetadata:
		return c, nil
	default:
		return "", errors.New("must be full or metadata")
	}
}

// Events is what events may carry. The zero value changes nothing.
type Events struct {
	Redactor *Redactor // nil redacts nothing
	Capture  Capture   // "" is full
}

// ParseEvents reads the settings of [Parse] and [ParseCapture]; an empty capture is fallback. The error names the variables.
func ParseEvents(patterns, capture string, fallback Capture) (Events, error) {
	var e Events
	var faults []error
	var err error
	if e.Redactor, err = Parse(patterns); err != nil {
		faults = append(faults, errors.New("ROLECALL_REDACT: "+err.Error()))
	}
	if e.Capture, err = ParseCapture(capture, fallback); err != nil {
		faults = append(faults, errors.New("ROLECALL_CAPTURE "+err.Error()))
	}
	return e, errors.Join(faults...)
}

// Event is e as it may be stored: without what is not to be captured when rolecall wrote it, and redacted in all
// that callers and agents say: subject, correlation, causation, origin and data. Its id is left: two events must not become one.
func (p Events) Event(e sdk.Event) sdk.Event {
	if e.Type.Reserved() || e.Seq > 0 { // a workflow's own, also of a type that callers publish
		e.Data = p.Capture.Data(e.Type, e.Data)
	}
	for _, text := range []*string{&e.Subject, &e.CorrelationID, &e.CausationID, &e.OriginSource} {
		*text = p.Redactor.String(*text)
	}
	e.Data = p.Redactor.JSON(e.Data)
	return e
}

// contents are the fields of the payloads in package sdk that hold what people and agents say.
func contents() []string {
	return []string{"title", "goal", "description", "input", "metadata", "message", "delta", "prompt", "schema", "output", "outputs"}
}

// Data is the data of an event that rolecall wrote, as far as it is captured. Of an error only the code is left, of a plan's steps no title;
// that input or output is missing is said in inputOmitted, outputOmitted and outputsOmitted.
func (c Capture) Data(t sdk.EventType, data json.RawMessage) json.RawMessage {
	if c != CaptureMetadata || len(data) == 0 {
		return data
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return nil // no payload of ours: nothing is known of what it says
	}
	if says(fields["description"]) || t == sdk.EventTaskCreated && says(fields["input"]) {
		omit(fields, "inputOmitted")
	}
	if _, there := fields["output"]; there {
		omit(fields, "outputOmitted")
	}
	if _, there := fields["outputs"]; there {
		omit(fields, "outputsOmitted")
	}
	for _, name := range contents() {
		delete(fields, name)
	}
	if steps, there := fields["steps"]; there && t == sdk.EventPlanStarted {
		fields["steps"] = stepsOf(steps)
	}
	if failure, there := fields["error"]; there {
		fields["error"] = codeOf(failure)
	}
	kept, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return kept
}

// omit says that something is missing, and where it is.
func omit(fields map[string]json.RawMessage, flag string) {
	fields[flag] = json.RawMessage("true")
	if says(fields["links"]) {
		return
	}
	var links sdk.EventLinks
	var task, plan string
	switch {
	case json.Unmarshal(fields["taskId"], &task) == nil && task != "":
		links.Task = "/v1/tasks/" + task
	case json.Unmarshal(fields["planId"], &plan) == nil && plan != "":
		links.Plan = "/v1/plans/" + plan
	default:
		return
	}
	if kept, err := json.Marshal(links); err == nil {
		fields["links"] = kept
	}
}

// stepsOf is the steps of a plan that has begun, as far as they are captured.
func stepsOf(raw json.RawMessage) json.RawMessage {
	var steps []map[string]json.RawMessage
	if json.Unmarshal(raw, &steps) != nil {
		return json.RawMessage("null")
	}
	for _, step := range steps {
		for _, name := range contents() {
			delete(step, name)
		}
	}
	kept, err := json.Marshal(steps)
	if err != nil {
		return json.RawMessage("null")
	}
	return kept
}

// says reports whether there is a value, and it is not empty.
func says(value json.RawMessage) bool {
	return len(value) > 0 && string(value) != "null" && string(value) != `""`
}

// codeOf is an error without message and details.
func codeOf(failure json.RawMessage) json.RawMessage {
	var e struct {
		Code    sdk.Code `json:"code"`
		Message string   `json:"message"`
	}
	if json.Unmarshal(failure, &e) != nil {
		return json.RawMessage("null")
	}
	e.Message = ""
	kept, err := json.Marshal(e)
	if err != nil || slices.Equal(failure, json.RawMessage("null")) {
		return json.RawMessage("null")
	}
	return kept
}
