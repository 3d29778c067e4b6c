package workflows

import (
	"encoding/json"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TaskInput starts a Task run. The workflow resolves and validates the request once more: whoever holds a Temporal client may
// start one. The run's result is an [sdk.Task]; a failed run is an ApplicationError whose type is the code and whose details
// hold that task, a cancelled one a CanceledError with the same details. Input, description and links are left out of it.
type TaskInput struct {
	Project      string          `json:"project"`
	Organization string          `json:"organization,omitempty"`
	ID           string          `json:"id"`
	Request      sdk.TaskRequest `json:"request"`
	RetryOf      string          `json:"retryOf,omitempty"`
	FairnessKey  string          `json:"fairnessKey,omitempty"` // of a request that names none: who asked for the task

	// RootID and Depth say where the task stands: the id of the topmost of its parents, "" where it has none, and how many it has. The run
	// that starts a child sets them from its own.
	RootID string `json:"rootId,omitempty"`
	Depth  int    `json:"depth,omitempty"`

	// SessionID is the session that the task belongs to; "" is none. Its run is then a child of the session's.
	SessionID string `json:"sessionId,omitempty"`
	// PlanID is the plan that the task belongs to; "" is none. Its run is then a child of the plan's.
	PlanID string `json:"planId,omitempty"`
	// Model is that of the first stage; "" leaves it to the agent.
	Model string `json:"model,omitempty"`
	// Prompt is the beginning of what a session was sent, as the task's first event has it: at most [maxEventPrompt] characters.
	Prompt string `json:"prompt,omitempty"`
	// Cancelled says that the task was cancelled before its run started, and why: the run ends at once. Nil is that it was not.
	Cancelled *CancelRequestedInput `json:"cancelled,omitempty"`

	// CreatedAt is when the task was created by the clock of whoever created it; zero is when its run started. It is shown, and the keys of
	// the task's attempts expire no later than its time after it. Nothing of the run counts from it: a clock that is off neither lengthens
	// nor shortens the task's time.
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// AttemptStartedInput says that an agent's handler runs.
type AttemptStartedInput struct {
	Stage     int       `json:"stage"`
	Attempt   int       `json:"attempt"`
	AgentID   string    `json:"agentId"`
	StartedAt time.Time `json:"startedAt"`
}

// TaskProgressedInput is one recorded progress. N numbers the progress signals of the attempt, from 1 and rising; one whose number is
// not larger than the last is dropped.
type TaskProgressedInput struct {
	Stage    int          `json:"stage"`
	Attempt  int          `json:"attempt"`
	N        int          `json:"n"`
	Progress sdk.Progress `json:"progress"`
}

// CancelRequestedInput is why a task is cancelled. TaskID names the task where a session is told, which has several.
type CancelRequestedInput struct {
	Reason string `json:"reason,omitempty"`
	TaskID string `json:"taskId,omitempty"`
}

// ProvideInputInput answers the question RequestID.
type ProvideInputInput struct {
	RequestID string          `json:"requestId"`
	Answer    json.RawMessage `json:"answer"`
}

// ProvideInputOutput is the task after the answer was taken, as [DescribeTask] answers it.
type ProvideInputOutput struct {
	Task sdk.Task `json:"task"`
}

// DelegateTaskInput asks a run for a child of its task. The child's request names the task as its parent; the run fills in where the
// child stands. A child whose parent is not the root is first entered in the count of the root's run, by CountOnly: that starts nothing,
// and needs the child's id alone.
type DelegateTaskInput struct {
	Child     TaskInput `json:"child"`
	Digest    string    `json:"digest,omitempty"` // of the canonical request, with an idempotency key
	CountOnly bool      `json:"countOnly,omitempty"`
	Nonce     string    `json:"nonce,omitempty"` // of this very asking; the answer repeats it
}

// DelegateTaskOutput is where the child stands, and its run; what was counted only has none. Digest and Nonce are those of the asking that
// was taken: another one with the same id is given this very answer.
type DelegateTaskOutput struct {
	RootID string `json:"rootId"`
	Depth  int    `json:"depth"`
	RunID  string `json:"runId,omitempty"`
	Digest string `json:"digest,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
}

// ListProgressOutput is the recorded progress, oldest first: the first 20 and the newest 200.
type ListProgressOutput struct {
	Items []sdk.Progress `json:"items"`
}

// TaskState is the part of a task that changes, as the memo carries it. Attempts are the first 5 and the newest 15.
type TaskState struct {
	Status       sdk.Status        `json:"status"`
	Stage        int               `json:"stage"`
	Attempt      int               `json:"attempt"`
	MaxAttempts  int               `json:"maxAttempts"`
	Degraded     bool              `json:"degraded"`
	AgentID      string            `json:"agentId,omitempty"`
	StartedAt    *time.Time        `json:"startedAt,omitempty"`
	Overall      float64           `json:"overall"`
	Attempts     []sdk.Attempt     `json:"attempts"`
	InputRequest *sdk.InputRequest `json:"inputRequest,omitempty"`
	Answers      []sdk.Answer      `json:"answers,omitempty"`
	WaitingFor   *sdk.WaitingFor   `json:"waitingFor,omitempty"`
}
