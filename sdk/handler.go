package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Handler is an agent: it does one attempt at a task. The context ends with a cause when the attempt is to stop:
// [ErrCancelRequested], [ErrInterruptedAttempt] or [ErrLeaseLost]; what the handler returns after that is reported, too.
//
// It answers with a result (only Output and what describes it; rolecall sets Status and Degraded), with an error (a plain one
// is retryable, [Final] and [Retryable] say more), or with [AskInput]. A panic is a retryable failure.
type Handler interface {
	Handle(ctx context.Context, a *Assignment, r Reporter) (*Result, error)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(ctx context.Context, a *Assignment, r Reporter) (*Result, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, a *Assignment, r Reporter) (*Result, error) {
	return f(ctx, a, r)
}

// Reporter tells the caller how an attempt gets on. Its methods never block, and are safe for concurrent use.
type Reporter interface {
	// Progress reports where the work stands; the newest wins, and its Percentage counts as it is, 0 too. Fields over their bounds are cut, not
	// refused. At, Stage, Attempt and Overall are filled in.
	Progress(p Progress)
	// Resume keeps data for the next attempt should this one not end well; the newest wins. It refuses what is not JSON and
	// what is larger than [MaxResume] with an [Error] of code invalid_input or payload_too_large, and keeps what it had.
	Resume(data json.RawMessage) error
}

// Meter is a [Reporter] that also takes what the attempt has spent, so that it counts however the attempt ends. That of a role
// worker is one; ask for it:
//
//	if meter, ok := r.(sdk.Meter); ok {
//		meter.Spent(sdk.Metrics{TokensUsed: &tokens})
//	}
type Meter interface {
	// Spent says what the attempt has spent so far, all of it; the newest wins. It never blocks, and is safe for concurrent use. The
	// metrics of a result win over it. DurationMs is ignored.
	Spent(m Metrics)
}

// Assignment is one attempt at a task as an agent gets it.
type Assignment struct {
	Task        Task            `json:"task"`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"maxAttempts"`
	Stage       int             `json:"stage"`
	Model       string          `json:"model,omitempty"`
	Resume      json.RawMessage `json:"resume,omitempty"`
	Answers     []Answer        `json:"answers,omitempty"`
	Deadline    *time.Time      `json:"deadline,omitempty"`
}

// The causes of the end of a handler's context.
var (
	ErrCancelRequested    = &Error{Code: CodeCancelled, Message: "the task was cancelled"}
	ErrInterruptedAttempt = &Error{Code: CodeInterrupted, Message: "the worker is stopping or an operator took the attempt back"}
)

// InputRequired is the error a handler returns to ask for input; make it with [AskInput].
type InputRequired struct {
	Prompt string          `json:"prompt"`
	Schema json.RawMessage `json:"schema,omitempty"`
}

// AskInput ends the attempt with a question. It uses no attempt up; with the answer in [Assignment.Answers] the task is handed
// out again. schema is a JSON Schema that the answer must meet, or nil.
func AskInput(prompt string, schema json.RawMessage) error {
	return &InputRequired{Prompt: prompt, Schema: schema}
}

// Error implements error.
func (e *InputRequired) Error() string { return "input required: " + e.Prompt }
