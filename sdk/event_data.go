package sdk

import (
	"encoding/json"
	"time"
)

// MaxEventOutput is how many bytes of an agent's output, and of a task's input, an event carries. What is larger is left out of it, and
// the event says so and where to read it.
const MaxEventOutput = 64 << 10

// TaskCreated is the data of task.created. Where the server captures metadata only, title, description, input, prompt and metadata are
// left out.
type TaskCreated struct {
	TaskID        string            `json:"taskId"`
	Type          TaskType          `json:"type"`
	Role          Role              `json:"role"`
	Title         string            `json:"title,omitempty"`
	Description   string            `json:"description,omitempty"`
	Input         json.RawMessage   `json:"input,omitempty"`
	InputOmitted  bool              `json:"inputOmitted,omitempty" doc:"Description and input were larger than 64 KiB together, or the server captures metadata only; links.task has them."`
	Priority      Priority          `json:"priority"`
	AgentID       string            `json:"agentId,omitempty" doc:"The agent it is addressed to."`
	MaxAttempts   int               `json:"maxAttempts"`
	Stages        int               `json:"stages" doc:"1, and one for each fallback."`
	RetryOf       string            `json:"retryOf,omitempty"`
	ParentID      string            `json:"parentId,omitempty"`
	RootID        string            `json:"rootId,omitempty" doc:"The topmost of its parents; only of a child."`
	CorrelationID string            `json:"correlationId,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Prompt        string            `json:"prompt,omitempty" doc:"Only of a session's task: the first 200 characters of what the session was sent."`
	Links         *EventLinks       `json:"links,omitempty"`
}

// TaskDelegated is the data of ai.delegation in the story of a task: a child of it was created. Where the server captures metadata only,
// title is left out.
type TaskDelegated struct {
	TaskID   string   `json:"taskId" doc:"The parent."`
	ChildID  string   `json:"childId"`
	RootID   string   `json:"rootId" doc:"The topmost of the child's parents."`
	Depth    int      `json:"depth" doc:"How many parents the child has."`
	Type     TaskType `json:"type"`
	Role     Role     `json:"role"`
	Title    string   `json:"title,omitempty"`
	AgentID  string   `json:"agentId,omitempty" doc:"The agent that the child is addressed to."`
	Detached bool     `json:"detached,omitempty" doc:"The child outlives its parent."`
	Stage    int      `json:"stage" doc:"Of the parent, at that time."`
	Attempt  int      `json:"attempt" doc:"Of the parent, at that time."`
}

// TaskAssigned is the data of task.assigned: an agent has taken an attempt.
type TaskAssigned struct {
	TaskID  string `json:"taskId"`
	Role    Role   `json:"role"`
	AgentID string `json:"agentId,omitempty"`
	Model   string `json:"model,omitempty"`
	Stage   int    `json:"stage"`
	Attempt int    `json:"attempt"`
}

// TaskStarted is the data of task.started: the first attempt's handler runs. It comes once for a task.
type TaskStarted struct {
	TaskID    string    `json:"taskId"`
	AgentID   string    `json:"agentId,omitempty"`
	StartedAt time.Time `json:"startedAt"`
}

// TaskProgressed is the data of task.progress: a progress that was recorded. Where the server captures metadata only, message and delta
// are left out.
type TaskProgressed struct {
	TaskID string `json:"taskId"`
	Progress
}

// TaskInputRequired is the data of task.input_required. Where the server captures metadata only, prompt and schema are left out.
type TaskInputRequired struct {
	TaskID    string          `json:"taskId"`
	RequestID string          `json:"requestId"`
	Prompt    string          `json:"prompt,omitempty"`
	Schema    json.RawMessage `json:"schema,omitempty"`
	Stage     int             `json:"stage"`
	Attempt   int             `json:"attempt"`
	ExpiresAt time.Time       `json:"expiresAt"`
}

// TaskRetrying is the data of task.retrying: an attempt failed, was lost or interrupted, and the next one will run.
type TaskRetrying struct {
	TaskID      string     `json:"taskId"`
	Role        Role       `json:"role"`
	AgentID     string     `json:"agentId,omitempty"`
	Stage       int        `json:"stage"`
	Attempt     int        `json:"attempt" doc:"The one that ended."`
	MaxAttempts int        `json:"maxAttempts"`
	Outcome     Outcome    `json:"outcome"`
	DelayMs     int64      `json:"delayMs"`
	DurationMs  int64      `json:"durationMs" doc:"Of the attempt that ended."`
	ErrorCount  int        `json:"errorCount" doc:"How many attempts of the task have ended with an error."`
	Error       *TaskError `json:"error,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty" doc:"The same for errors of the same role and code whose messages differ in numbers, ids and paths only."`
}

// TaskFellBack is the data of task.fallback: a stage is used up, and the next one runs.
type TaskFellBack struct {
	TaskID      string     `json:"taskId"`
	FromStage   int        `json:"fromStage"`
	FromRole    Role       `json:"fromRole"`
	ToStage     int        `json:"toStage"`
	ToRole      Role       `json:"toRole"`
	ToModel     string     `json:"toModel,omitempty"`
	Outcome     Outcome    `json:"outcome" doc:"Of the attempt that used the stage up."`
	DurationMs  int64      `json:"durationMs" doc:"Of that attempt."`
	ErrorCount  int        `json:"errorCount" doc:"How many attempts of the task have ended with an error."`
	Error       *TaskError `json:"error,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
}

// TaskEnded is the data of task.completed, task.failed and task.cancelled. Where the server captures metadata only, output, and message and
// details of the error, are left out.
type TaskEnded struct {
	TaskID          string          `json:"taskId"`
	Type            TaskType        `json:"type"`
	Role            Role            `json:"role"`
	Status          Status          `json:"status"`
	AgentID         string          `json:"agentId,omitempty"`
	Model           string          `json:"model,omitempty"`
	Stage           int             `json:"stage"`
	Attempt         int             `json:"attempt"`
	Attempts        int             `json:"attempts" doc:"How many there were, over all stages."`
	DurationMs      int64           `json:"durationMs" doc:"Of the last attempt."`
	ErrorCount      int             `json:"errorCount" doc:"How many of the attempts ended with an error."`
	Degraded        bool            `json:"degraded"`
	Output          json.RawMessage `json:"output,omitempty"`
	OutputOmitted   bool            `json:"outputOmitted,omitempty" doc:"The output is larger than 64 KiB, or the server captures metadata only; links.task has it."`
	Error           *TaskError      `json:"error,omitempty"`
	Fingerprint     string          `json:"fingerprint,omitempty"`
	CancelConfirmed *bool           `json:"cancelConfirmed,omitempty"`
	Metrics         Metrics         `json:"metrics"`
	Links           *EventLinks     `json:"links,omitempty"`
}

// CodeDone is the data of code.generated, code.reviewed, code.tested and code.deployed, which follow the completion of a task of such a
// type; causationid is the id of its task.completed.
type CodeDone struct {
	TaskID        string          `json:"taskId"`
	Output        json.RawMessage `json:"output,omitempty"`
	OutputOmitted bool            `json:"outputOmitted,omitempty"`
	Links         *EventLinks     `json:"links,omitempty"`
}

// EventLinks lead from an event to what it leaves out.
type EventLinks struct {
	Task string `json:"task,omitempty" doc:"The path of the task."`
	Plan string `json:"plan,omitempty" doc:"The path of the plan."`
}
