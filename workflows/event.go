package workflows

import (
	"encoding/json"
	"strconv"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TerminalEvent is the event that ends the story of a task, as number seq of it: task.completed, task.failed or task.cancelled. t is the
// task with its result; in is what its run was started with.
func TerminalEvent(in TaskInput, t sdk.Task, seq int) sdk.Event {
	d := sdk.TaskEnded{
		TaskID: t.ID, Type: t.Type, Role: t.Role, Status: t.Status, AgentID: t.AgentID, Stage: t.Stage, Attempt: t.Attempt,
		Attempts: len(t.Attempts), Degraded: t.Degraded, CancelConfirmed: t.CancelConfirmed,
	}
	if r := t.Result; r != nil {
		d.Output, d.Error, d.Metrics, d.Model = r.Output, r.Error, r.Metrics, r.Model
	}
	if d.OutputOmitted = len(d.Output) > sdk.MaxEventOutput; d.OutputOmitted {
		d.Output, d.Links = nil, taskLink(t)
	}
	typ := sdk.EventTaskFailed
	switch t.Status {
	case sdk.StatusCompleted:
		typ = sdk.EventTaskCompleted
	case sdk.StatusCancelled:
		typ = sdk.EventTaskCancelled
	default:
	}
	return endEvent(in, t, typ, seq, d)
}

// CodeEvent is the event that follows the completion of a task which has to do with code, as number seq of its story, right after the
// terminal one; ok is false of any other task.
func CodeEvent(in TaskInput, t sdk.Task, seq int) (e sdk.Event, ok bool) {
	typ, ok := map[sdk.TaskType]sdk.EventType{
		sdk.TypeCodeWrite: sdk.EventCodeGenerated, sdk.TypeCodeRefactor: sdk.EventCodeGenerated, sdk.TypeCodeReview: sdk.EventCodeReviewed,
		sdk.TypeCodeTest: sdk.EventCodeTested, sdk.TypeDevOpsDeploy: sdk.EventCodeDeployed,
	}[t.Type]
	if !ok || t.Status != sdk.StatusCompleted || t.Result == nil {
		return e, false
	}
	d := sdk.CodeDone{TaskID: t.ID, Output: t.Result.Output}
	if d.OutputOmitted = len(d.Output) > sdk.MaxEventOutput; d.OutputOmitted {
		d.Output, d.Links = nil, taskLink(t)
	}
	e = endEvent(in, t, typ, seq, d)
	e.CausationID = strconv.Itoa(seq - 1)
	return e, true
}

func taskLink(t sdk.Task) *sdk.EventLinks { return &sdk.EventLinks{Task: "/v1/tasks/" + t.ID} }

// endEvent is an event of the moment at which a task has ended.
func endEvent(in TaskInput, t sdk.Task, typ sdk.EventType, seq int, data any) sdk.Event {
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: strconv.Itoa(seq), Source: "/projects/" + in.Project + "/tasks/" + in.ID, Type: typ,
		Subject: "task/" + in.ID, DataContentType: "application/json", Organization: in.Organization, Project: in.Project, Agent: t.AgentID,
		Task: in.ID, CorrelationID: t.CorrelationID, Seq: seq,
	}
	if t.CompletedAt != nil {
		e.Time = t.CompletedAt.UTC()
	}
	e.Data, _ = json.Marshal(data) // outputs are valid JSON, and metrics are finite: a record could not be read otherwise
	return e
}
