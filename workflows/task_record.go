package workflows

import (
	"cmp"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// maxMemoText is how much of input and description together a run's memo carries: lists bring the memo of every run along.
const maxMemoText = 2 << 10

// NewTask is the task of an input as it stands at its creation, request resolved, links left to whoever serves it. Its run started, or
// starts, at the given time, which is when it was created where the input does not say.
func NewTask(in TaskInput, started time.Time) sdk.Task {
	r, createdAt := in.Request.Resolve(), in.CreatedAt
	if createdAt.IsZero() {
		createdAt = started
	}
	t := sdk.Task{
		ID: in.ID, Type: r.Type, Role: r.Role, Title: r.Title, Description: r.Description, Input: r.Input, Priority: r.Priority,
		Status: sdk.StatusQueued, MaxAttempts: r.Retry.MaxAttempts, Attempts: []sdk.Attempt{}, Answers: []sdk.Answer{},
		Capabilities: r.Capabilities, Retry: *r.Retry, Timeouts: *r.Timeouts, Fallback: r.Fallback, FairnessKey: cmp.Or(r.FairnessKey, in.FairnessKey),
		AgentID: r.AgentID, ParentID: r.ParentID, RootID: cmp.Or(in.RootID, in.ID), SessionID: in.SessionID, PlanID: in.PlanID, RetryOf: in.RetryOf, CorrelationID: r.CorrelationID,
		Metadata: r.Metadata, CreatedAt: createdAt,
	}
	if t.Capabilities == nil {
		t.Capabilities = []string{}
	}
	if t.Metadata == nil {
		t.Metadata = map[string]string{}
	}
	return t
}

// TaskMemo is the static part of a run's memo. Partial says that input and description were too large for it: then they are read
// from the run's first event.
type TaskMemo struct {
	Task    sdk.Task `json:"task"`
	Partial bool     `json:"partial,omitempty"`
	Depth   int      `json:"depth,omitempty"` // how many parents it has
	Model   string   `json:"model,omitempty"` // of its first stage
}

// NewTaskMemo is the memo a run of t starts with.
func NewTaskMemo(t sdk.Task) TaskMemo {
	if len(t.Input)+len(t.Description) <= maxMemoText {
		return TaskMemo{Task: t}
	}
	t.Input, t.Description = nil, ""
	return TaskMemo{Task: t, Partial: true}
}
