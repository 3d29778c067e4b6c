package sdk

import (
	"encoding/json"
	"time"
)

// SessionEventType says what an event of a session's stream tells.
type SessionEventType string

// The types of a session's stream. SessionCloseEvent is the last.
const (
	SessionStartEvent SessionEventType = "session_start"
	TaskStartEvent    SessionEventType = "task_start"
	TaskProgressEvent SessionEventType = "task_progress"
	TaskCompleteEvent SessionEventType = "task_complete"
	TaskErrorEvent    SessionEventType = "task_error"
	SessionCloseEvent SessionEventType = "session_close"
)

// CategoryInputRequired is the category of a task_progress that stands for a question of the agent's.
const CategoryInputRequired = "input_required"

// SessionEvent is an event of a session's stream.
type SessionEvent struct {
	Type      SessionEventType `json:"type"`
	Timestamp int64            `json:"timestamp" doc:"When it happened, in milliseconds since 1970."`
	Payload   SessionPayload   `json:"payload"`

	// Sequence is what the stream goes on after, as [ResumeAfter] takes it; it is the id of the frame and no part of the event.
	Sequence string `json:"-"`
}

// Time is when it happened.
func (e SessionEvent) Time() time.Time { return time.UnixMilli(e.Timestamp).UTC() }

// SessionPayload is what an event of a session's stream says. Which fields are there depends on the type; the others are zero.
type SessionPayload struct {
	SessionID         string   `json:"sessionId,omitempty" doc:"Of session_start and session_close."`
	CostTier          CostTier `json:"costTier,omitempty" doc:"Of session_start."`
	OrchestratorModel string   `json:"orchestratorModel,omitempty" doc:"Of session_start."`
	ExecutorModel     string   `json:"executorModel,omitempty" doc:"Of session_start."`

	TaskID   string   `json:"taskId,omitempty" doc:"Of every task_ type."`
	TaskType TaskType `json:"taskType,omitempty" doc:"Of every task_ type."`
	Prompt   string   `json:"prompt,omitempty" doc:"Of task_start: the first 200 characters."`
	Priority Priority `json:"priority,omitempty" doc:"Of task_start."`

	Category string           `json:"category,omitempty" doc:"Of task_progress: the agent's own; input_required for a question, unknown where the agent says none."`
	Tool     string           `json:"tool,omitempty" doc:"Of task_progress."`
	Message  string           `json:"message,omitempty" doc:"Of task_progress; of a question what is asked."`
	Progress *SessionProgress `json:"progress,omitempty" doc:"Of task_progress."`

	Duration    int64  `json:"duration,omitempty" doc:"In milliseconds: of task_complete from the task's start to its end, of task_error of the attempt that ended."`
	Degraded    bool   `json:"degraded,omitempty" doc:"Of task_complete, only when true: a stage other than the first answered."`
	Error       string `json:"error,omitempty" doc:"Of task_error."`
	Operation   string `json:"operation,omitempty" doc:"Of task_error on a retry: sendTask(<type>)."`
	Attempt     int    `json:"attempt,omitempty" doc:"Of task_error on a retry: the attempt that ended."`
	MaxAttempts int    `json:"maxAttempts,omitempty" doc:"Of task_error on a retry."`
	ErrorCount  int    `json:"errorCount,omitempty" doc:"Of task_error on a retry: attempts of the task that failed so far."`
	Fallback    bool   `json:"fallback,omitempty" doc:"Of task_error, only when true: the stage is used up, and the next one runs."`
	Cancelled   bool   `json:"cancelled,omitempty" doc:"Of task_error, only when true."`
}

// SessionProgress is how far an agent says that it is.
type SessionProgress struct {
	Phase      string  `json:"phase"`
	Percentage float64 `json:"percentage"`
	Delta      string  `json:"delta,omitempty"`
}

// MarshalJSON writes the event with exactly the fields of its type: those that belong to it are there although they are empty.
func (e SessionEvent) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Type      SessionEventType `json:"type"`
		Timestamp int64            `json:"timestamp"`
		Payload   any              `json:"payload"`
	}{e.Type, e.Timestamp, e.Payload.of(e.Type)})
}

// of is what the payload says in an event of a type.
func (p SessionPayload) of(t SessionEventType) any {
	switch t {
	case SessionStartEvent:
		return struct {
			SessionID         string   `json:"sessionId"`
			CostTier          CostTier `json:"costTier"`
			OrchestratorModel string   `json:"orchestratorModel"`
			ExecutorModel     string   `json:"executorModel"`
		}{p.SessionID, p.CostTier, p.OrchestratorModel, p.ExecutorModel}
	case TaskStartEvent:
		return struct {
			TaskType TaskType `json:"taskType"`
			Prompt   string   `json:"prompt"`
			Priority Priority `json:"priority"`
			TaskID   string   `json:"taskId"`
		}{p.TaskType, p.Prompt, p.Priority, p.TaskID}
	case TaskProgressEvent:
		progress := p.Progress
		if progress == nil {
			progress = &SessionProgress{}
		}
		return struct {
			TaskType TaskType         `json:"taskType"`
			Category string           `json:"category"`
			Tool     string           `json:"tool,omitempty"`
			Message  string           `json:"message,omitempty"`
			Progress *SessionProgress `json:"progress"`
			TaskID   string           `json:"taskId"`
		}{p.TaskType, p.Category, p.Tool, p.Message, progress, p.TaskID}
	case TaskCompleteEvent:
		return struct {
			TaskType TaskType `json:"taskType"`
			Duration int64    `json:"duration"`
			Degraded bool     `json:"degraded,omitempty"`
			TaskID   string   `json:"taskId"`
		}{p.TaskType, p.Duration, p.Degraded, p.TaskID}
	case TaskErrorEvent:
		return p.failure()
	case SessionCloseEvent:
		return struct {
			SessionID string `json:"sessionId"`
		}{p.SessionID}
	default:
		return p
	}
}

func (p SessionPayload) failure() any {
	return struct {
		TaskType    TaskType `json:"taskType"`
		Error       string   `json:"error"`
		Duration    int64    `json:"duration"`
		Operation   string   `json:"operation,omitempty"`
		Attempt     int      `json:"attempt,omitempty"`
		MaxAttempts int      `json:"maxAttempts,omitempty"`
		ErrorCount  int      `json:"errorCount,omitempty"`
		Fallback    bool     `json:"fallback,omitempty"`
		Cancelled   bool     `json:"cancelled,omitempty"`
		TaskID      string   `json:"taskId"`
	}{p.TaskType, p.Error, p.Duration, p.Operation, p.Attempt, p.MaxAttempts, p.ErrorCount, p.Fallback, p.Cancelled, p.TaskID}
}

// readSessionEvent reads a frame of a session's stream.
func readSessionEvent(fr frame) (e *SessionEvent, last bool, err error) {
	e = new(SessionEvent)
	if EventType(fr.name).NamesFrame() {
		return nil, false, nil
	}
	if err := json.Unmarshal(fr.data, e); err != nil || e.Type == "" {
		return nil, false, err
	}
	e.Sequence = fr.id
	return e, e.Type == SessionCloseEvent, nil
}
