package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// SessionInput starts a Session run. The server has resolved the models; the run validates once more. The run's result is an
// [sdk.Session].
type SessionInput struct {
	Project      string            `json:"project"`
	Organization string            `json:"organization,omitempty"`
	ID           string            `json:"id"`
	Config       sdk.SessionConfig `json:"config"` // resolved: no zero value but metadata, client and quality gates
	FairnessKey  string            `json:"fairnessKey,omitempty"`
	CreatedAt    time.Time         `json:"createdAt,omitzero"`
	// ModelOverrides are the installation's own, for the stages that a fallback goes down to. They win over every tier.
	ModelOverrides ModelOverrides `json:"modelOverrides,omitzero"`
	// TasksPerRun is after how many tasks the session goes on as another run; 0 is 500, which is the most.
	TasksPerRun int `json:"tasksPerRun,omitempty"`
	// Carried is what an earlier run of the session hands over; nil in the first.
	Carried *SessionCarried `json:"carried,omitempty"`
}

// ModelOverrides name models for every tier; "" leaves the tier's own.
type ModelOverrides struct {
	Orchestrator string `json:"orchestrator,omitempty"`
	Executor     string `json:"executor,omitempty"`
}

// SendTaskInput gives a session a task. The id of the task is the id of the update as well.
type SendTaskInput struct {
	TaskID  string                 `json:"taskId"`
	Request sdk.SessionTaskRequest `json:"request"`
	Digest  string                 `json:"digest,omitempty"` // of the canonical request, with an idempotency key
	Nonce   string                 `json:"nonce,omitempty"`  // of this very asking; the answer repeats it
	// CreatedAt is when it was sent by the clock of whoever sent it; zero is when it came.
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// SendTaskOutput is the task as it waits for its turn: its input is made when that has come. Digest and Nonce are those of the asking that
// was taken: another one with the same id is given this very answer. Of a task that was sent before, the id and the digest are known, and
// with the nonce of its own asking, which the answer repeats then, the rest too while it waits.
type SendTaskOutput struct {
	Task   sdk.Task `json:"task"`
	Digest string   `json:"digest,omitempty"`
	Nonce  string   `json:"nonce,omitempty"`
}

// ListQueueOutput is the ids of the tasks that wait for their turn, the next one first.
type ListQueueOutput struct {
	TaskIDs []string `json:"taskIds"`
}

// CloseSessionInput closes a session.
type CloseSessionInput struct{}

// CloseSessionOutput is the session, closing.
type CloseSessionOutput struct {
	Session sdk.Session `json:"session"`
}

// SessionCarried is what a run of a session hands over to the next one.
type SessionCarried struct {
	Session sdk.Session     `json:"session"`
	Queue   []SendTaskInput `json:"queue,omitempty"`
	Keys    []SessionKey    `json:"keys,omitempty"` // of the newest tasks and those that wait, so that the same asking is known
	Seq     int             `json:"seq"`            // of the session's own events
	// Events are those that the log has not acknowledged, and Acknowledged is up to which one it has.
	Events       []sdk.Event `json:"events,omitempty"`
	Acknowledged int         `json:"acknowledged,omitempty"`
}

// SessionState is the part of a session that changes, as the memo carries it. While a session is open its run knows more.
type SessionState struct {
	Status         sdk.SessionStatus `json:"status"`
	CompletedTasks int               `json:"completedTasks"`
	FailedTasks    int               `json:"failedTasks"`
	LastActivityAt time.Time         `json:"lastActivityAt"`
	ClosedAt       *time.Time        `json:"closedAt,omitempty"`
	CloseReason    sdk.CloseReason   `json:"closeReason,omitempty"`
}

// SessionKey is a task that was sent before, with the digest and the nonce of its asking.
type SessionKey struct {
	TaskID string `json:"taskId"`
	Digest string `json:"digest,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
}
