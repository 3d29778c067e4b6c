package workflows

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// newEvent is event seq of a task's story. The task is as it stands then. Data that can not be kept is left out, and the event says so.
func newEvent(in TaskInput, task sdk.Task, seq int, at time.Time, t sdk.EventType, data any) sdk.Event {
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: eventID(in, seq), Source: taskSource(in), Type: t, Subject: "task/" + in.ID, Time: at.UTC(),
		Project: in.Project, Agent: task.AgentID, Task: in.ID, Seq: seq,
	}
	if sdk.ValidID(in.SessionID) {
		e.Session = in.SessionID
	}
	if sdk.ValidID(in.PlanID) {
		e.Plan = in.PlanID
	}
	if len(in.Organization) <= sdk.MaxEventID {
		e.Organization = in.Organization
	}
	if len(task.CorrelationID) <= sdk.MaxCorrelationID { // a run that somebody else started may have any
		e.CorrelationID = task.CorrelationID
	}
	return withData(e, data)
}

// withData is e with its data, or without where that can not be kept; then it says why.
func withData(e sdk.Event, data any) sdk.Event {
	raw, err := encode(data)
	switch {
	case err != nil:
		e.Dropped = sdk.CodeInternal
	case len(raw) > sdk.MaxEventData:
		e.Dropped = sdk.CodePayloadTooLarge
	default:
		e.Data, e.DataContentType = raw, "application/json"
	}
	return e
}

// eventID tells an event from those of every other task too: who reacts to events makes keys of it.
func eventID(in TaskInput, seq int) string { return in.ID + "." + strconv.Itoa(seq) }

func taskSource(in TaskInput) string { return "/projects/" + in.Project + "/tasks/" + in.ID }

func taskLinks(in TaskInput) *sdk.EventLinks { return &sdk.EventLinks{Task: "/v1/tasks/" + in.ID} }

// createdData is what task.created carries of a new task.
func createdData(in TaskInput, task sdk.Task) sdk.TaskCreated {
	d := sdk.TaskCreated{
		TaskID: in.ID, Type: task.Type, Role: task.Role, Title: task.Title, Description: task.Description, Input: task.Input, Priority: task.Priority,
		AgentID: task.AgentID, MaxAttempts: task.MaxAttempts, Stages: 1 + len(task.Fallback), RetryOf: task.RetryOf, ParentID: task.ParentID,
		CorrelationID: task.CorrelationID, Metadata: task.Metadata, Prompt: firstCharacters(in.Prompt, maxEventPrompt),
	}
	if task.ParentID != "" {
		d.RootID = task.RootID
	}
	size, err := EncodedSize(d) // text that is written with escapes can be larger there than it is
	if len(d.Description)+len(d.Input) > sdk.MaxEventOutput || err != nil || size > sdk.MaxEventData {
		d.Description, d.Input, d.InputOmitted, d.Links = "", nil, true, taskLinks(in)
	}
	return d
}

// TerminalEvent is event seq of a task's story: task.completed, task.failed or task.cancelled. The task is the record of a run that ended.
func TerminalEvent(in TaskInput, task sdk.Task, seq int) sdk.Event {
	d := sdk.TaskEnded{
		TaskID: in.ID, Type: task.Type, Role: task.Role, Status: task.Status, AgentID: task.AgentID, Stage: task.Stage, Attempt: task.Attempt,
		Attempts: len(task.Attempts), Degraded: task.Degraded, CancelConfirmed: task.CancelConfirmed, ErrorCount: errorsOf(task.Attempts),
	}
	if n := len(task.Attempts); n > 0 {
		d.DurationMs = attemptMs(task.Attempts[n-1])
	}
	if r := task.Result; r != nil {
		d.Model, d.Metrics, d.Error = r.Model, r.Metrics, r.Error
		d.Output, d.OutputOmitted, d.Links = output(in, r.Output)
	}
	t := sdk.EventTaskCompleted
	switch task.Status {
	case sdk.StatusFailed:
		t = sdk.EventTaskFailed
		d.Fingerprint = fingerprintOf(task.Role, d.Error)
	case sdk.StatusCancelled:
		t = sdk.EventTaskCancelled
	default:
	}
	return newEvent(in, task, seq, endedAt(task), t, d)
}

// attemptMs is how long an attempt took; 0 while it runs.
func attemptMs(a sdk.Attempt) int64 {
	if a.EndedAt == nil {
		return 0
	}
	return max(a.EndedAt.Sub(a.StartedAt).Milliseconds(), 0)
}

// errorsOf is how many attempts ended with an error.
func errorsOf(chain []sdk.Attempt) (n int) {
	for _, a := range chain {
		if a.Error != nil {
			n++
		}
	}
	return n
}

func endedAt(task sdk.Task) time.Time {
	if task.CompletedAt == nil {
		return task.CreatedAt
	}
	return *task.CompletedAt
}

// CodeEvent is event seq of a completed task's story, after its terminal event: code.generated, code.reviewed, code.tested or
// code.deployed. ok is false for a task that ended otherwise, or of another type.
func CodeEvent(in TaskInput, task sdk.Task, seq int) (e sdk.Event, ok bool) {
	t := codeEventOf(task.Type)
	if t == "" || task.Status != sdk.StatusCompleted || task.Result == nil {
		return sdk.Event{}, false
	}
	d := sdk.CodeDone{TaskID: in.ID}
	d.Output, d.OutputOmitted, d.Links = output(in, task.Result.Output)
	e = newEvent(in, task, seq, endedAt(task), t, d)
	e.CausationID = eventID(in, seq-1)
	return e, true
}

// TellsCode reports whether a code.* follows the completion of a task of this type.
func TellsCode(t sdk.TaskType) bool { return codeEventOf(t) != "" }

func codeEventOf(t sdk.TaskType) sdk.EventType {
	switch t {
	case sdk.TypeCodeWrite, sdk.TypeCodeRefactor:
		return sdk.EventCodeGenerated
	case sdk.TypeCodeReview:
		return sdk.EventCodeReviewed
	case sdk.TypeCodeTest:
		return sdk.EventCodeTested
	case sdk.TypeDevOpsDeploy:
		return sdk.EventCodeDeployed
	default:
		return ""
	}
}

// output is an agent's output as events carry it.
func output(in TaskInput, raw json.RawMessage) (json.RawMessage, bool, *sdk.EventLinks) {
	if len(raw) > sdk.MaxEventOutput {
		return nil, true, taskLinks(in)
	}
	return raw, false, nil
}

// fingerprintOf is the fingerprint of a failure in a role; "" without one.
func fingerprintOf(role sdk.Role, failure *sdk.TaskError) string {
	if failure == nil {
		return ""
	}
	return Fingerprint(failure.Code, role, failure.Message)
}
