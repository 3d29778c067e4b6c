package apiserver

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// eventPromptLength is how many characters of a prompt a session's stream has.
const eventPromptLength = 200

// noCategory is the category of a progress whose agent says none, phaseOfQuestion the phase of a question.
const (
	noCategory      = "unknown"
	phaseOfQuestion = "Waiting for an answer"
)

// sessionSources are the types of the log's events that a session's stream is made of.
func sessionSources() sdk.EventPatterns {
	var types sdk.EventPatterns
	for _, t := range []sdk.EventType{
		sdk.EventSessionStarted, sdk.EventSessionClosed, sdk.EventTaskCreated, sdk.EventTaskProgress, sdk.EventTaskInputRequired,
		sdk.EventTaskRetrying, sdk.EventTaskFallback, sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled,
	} {
		types = append(types, sdk.EventPattern(t))
	}
	return types
}

// toldTask is what is to be remembered of a task while its events are told: what those of one attempt do not say.
type toldTask struct {
	kind       sdk.TaskType
	began      time.Time // when it had its turn
	percentage float64   // that was told last
}

// after is the task once an event of it was told. It is a function of the events alone, so that whoever goes on in the middle comes to the
// same by reading what is before.
func (t toldTask) after(e sdk.Event, d sessionSource) toldTask {
	switch e.Type {
	case sdk.EventTaskCreated:
		t.kind, t.began = d.Type, e.Time
	case sdk.EventTaskProgress:
		t.percentage = d.percentage()
	default:
	}
	return t
}

// sessionSource is what the data of the log's events say, as far as a session's stream tells it.
type sessionSource struct {
	CostTier          sdk.CostTier   `json:"costTier"`
	OrchestratorModel string         `json:"orchestratorModel"`
	ExecutorModel     string         `json:"executorModel"`
	Type              sdk.TaskType   `json:"type"`
	Prompt            string         `json:"prompt"` // of a session's task, or of a question
	Priority          sdk.Priority   `json:"priority"`
	Category          string         `json:"category"`
	Tool              string         `json:"tool"`
	Message           string         `json:"message"`
	Phase             string         `json:"phase"`
	Percentage        float64        `json:"percentage"`
	Delta             string         `json:"delta"`
	Attempt           int            `json:"attempt"`
	MaxAttempts       int            `json:"maxAttempts"`
	ErrorCount        int            `json:"errorCount"`
	DurationMs        int64          `json:"durationMs"`
	Degraded          bool           `json:"degraded"`
	Error             *sdk.TaskError `json:"error"`
}

// percentage is how far a progress says that it is; of one whose agent makes no figures up, what its category stands for.
func (d sessionSource) percentage() float64 {
	if d.Percentage != 0 {
		return d.Percentage
	}
	p, _ := transcript.ExtractProgress(transcript.Event{Type: d.Category}) // none: 0
	return p.Percentage
}

// sourceOf reads an event's data. One that the log keeps without its data says nothing.
func sourceOf(e sdk.Event) (d sessionSource, err error) {
	if len(e.Data) == 0 {
		return d, nil
	}
	err = json.Unmarshal(e.Data, &d)
	return d, err
}

// sessionEvent is an event of the log as a session's stream tells it. t is the task that it is about, as it was before.
func sessionEvent(session string, e sdk.Event, d sessionSource, t toldTask) sdk.SessionEvent {
	t = t.after(e, d)
	out := sdk.SessionEvent{Timestamp: e.Time.UnixMilli(), Payload: sdk.SessionPayload{TaskID: e.Task, TaskType: t.kind}}
	p := &out.Payload
	switch e.Type {
	case sdk.EventSessionStarted:
		out.Type = sdk.SessionStartEvent
		*p = sdk.SessionPayload{SessionID: session, CostTier: d.CostTier, OrchestratorModel: d.OrchestratorModel, ExecutorModel: d.ExecutorModel}
	case sdk.EventSessionClosed:
		out.Type = sdk.SessionCloseEvent
		*p = sdk.SessionPayload{SessionID: session}
	case sdk.EventTaskCreated:
		out.Type = sdk.TaskStartEvent
		p.Prompt, p.Priority = cutRunes(d.Prompt, eventPromptLength), d.Priority
	case sdk.EventTaskProgress:
		out.Type = sdk.TaskProgressEvent
		p.Category, p.Tool, p.Message = cmp.Or(d.Category, noCategory), d.Tool, d.Message
		p.Progress = &sdk.SessionProgress{Phase: d.Phase, Percentage: d.percentage(), Delta: d.Delta}
	case sdk.EventTaskInputRequired:
		out.Type = sdk.TaskProgressEvent
		p.Category, p.Message = sdk.CategoryInputRequired, d.Prompt
		p.Progress = &sdk.SessionProgress{Phase: phaseOfQuestion, Percentage: t.percentage}
	case sdk.EventTaskCompleted:
		out.Type = sdk.TaskCompleteEvent
		p.Duration, p.Degraded = max(e.Time.Sub(t.began).Milliseconds(), 0), d.Degraded
	default:
		out.Type = sdk.TaskErrorEvent
		sayFailure(p, e.Type, d)
	}
	return out
}

// sayFailure says how an attempt ended, and what follows: another one, the next stage, or nothing.
func sayFailure(p *sdk.SessionPayload, t sdk.EventType, d sessionSource) {
	p.Error, p.Duration = errorText(d.Error), d.DurationMs
	switch t {
	case sdk.EventTaskRetrying:
		p.Operation, p.Attempt, p.MaxAttempts, p.ErrorCount = "sendTask("+string(p.TaskType)+")", d.Attempt, d.MaxAttempts, d.ErrorCount
	case sdk.EventTaskFallback:
		p.Fallback = true
	case sdk.EventTaskCancelled:
		p.Cancelled, p.Error = true, cmp.Or(p.Error, "the task was cancelled")
	default:
	}
}

// errorText is the message of an error, or its code where the server keeps no messages.
func errorText(e *sdk.TaskError) string {
	if e == nil {
		return ""
	}
	return cmp.Or(e.Message, string(e.Code))
}
