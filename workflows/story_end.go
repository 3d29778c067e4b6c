package workflows

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The workflow that goes on publishing what is left of a story when its own run has ended, as a detached child of that. It is internal.
const (
	PublishWorkflow = "PublishEvents"
	publishPrefix   = "events:"
)

// PublishWorkflowID is the id of a task's publishing child.
func PublishWorkflowID(project, id string) string { return publishPrefix + project + ":" + id }

// ParsePublishWorkflowID is the inverse of [PublishWorkflowID]; ok is false for the id of something else.
func ParsePublishWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, publishPrefix)
	if !found {
		return "", "", false
	}
	return ParseTaskWorkflowID(taskPrefix + rest)
}

// EndsStory reports whether an event of this type is the last of a task's story, or follows that.
func EndsStory(t sdk.EventType) bool {
	return slices.Contains([]sdk.EventType{
		sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled,
		sdk.EventCodeGenerated, sdk.EventCodeReviewed, sdk.EventCodeTested, sdk.EventCodeDeployed,
	}, t)
}

// TerminalEvent is the event that ends the story of a task, as number seq of it: task.completed, task.failed or task.cancelled. t is the
// task with its result; in is what its run was started with.
func TerminalEvent(in TaskInput, t sdk.Task, seq int) sdk.Event {
	d := sdk.TaskEnded{
		TaskID: t.ID, Type: t.Type, Role: t.Role, Status: t.Status, AgentID: t.AgentID, Stage: t.Stage, Attempt: t.Attempt,
		Attempts: len(t.Attempts), Degraded: t.Degraded, CancelConfirmed: t.CancelConfirmed,
	}
	if n := len(t.Attempts); n > 0 {
		d.Model = t.Attempts[n-1].Model
	}
	if r := t.Result; r != nil {
		d.Output, d.Error, d.Metrics, d.Model = r.Output, r.Error, r.Metrics, cmp.Or(r.Model, d.Model)
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
