package sdk

import (
	"encoding/json"
	"log/slog"
	"time"
)

// ClaimRequest asks for a task of a role.
type ClaimRequest struct {
	AgentID string `json:"agentId" doc:"The id the agent works as."`
	WaitMs  int64  `json:"waitMs,omitempty" minimum:"0" maximum:"60000" doc:"How long to wait for a task. Less than 1200 counts as that."`
}

// Lease is an agent's hold on one attempt at a task, and the attempt as [Assignment] has it. Whoever has Token has the attempt: it is
// the agent's alone.
type Lease struct {
	Token       string          `json:"lease" doc:"Names the lease in the calls about it. Whoever has it has the attempt."`
	ExpiresAt   time.Time       `json:"expiresAt" doc:"When the task goes back to its queue unless the agent was heard of by then."`
	HeartbeatMs int64           `json:"heartbeatMs" doc:"How long the lease lasts after each word of the agent. A third of it is a good interval."`
	Attempt     int             `json:"attempt"`
	MaxAttempts int             `json:"maxAttempts"`
	Stage       int             `json:"stage"`
	Model       string          `json:"model,omitempty"`
	Resume      json.RawMessage `json:"resume,omitempty" doc:"What the attempt before left."`
	Answers     []Answer        `json:"answers,omitempty"`
	Deadline    *time.Time      `json:"deadline,omitempty" doc:"When the task's whole time is over."`
	Task        Task            `json:"task"`
}

// Assignment is the attempt as a [Handler] gets it.
func (l *Lease) Assignment() Assignment {
	return Assignment{
		Task: l.Task, Attempt: l.Attempt, MaxAttempts: l.MaxAttempts, Stage: l.Stage, Model: l.Model, Resume: l.Resume, Answers: l.Answers, Deadline: l.Deadline,
	}
}

// String names the attempt, without the lease.
func (l Lease) String() string {
	return "lease of " + l.Task.ID + " until " + l.ExpiresAt.Format(time.RFC3339)
}

// LogValue keeps the lease, and what the task is about, out of logs.
func (l Lease) LogValue() slog.Value { return slog.StringValue(l.String()) }

// LeaseProgress says how an attempt gets on, and that its agent is there. An empty one says only that.
type LeaseProgress struct {
	Percentage *float64        `json:"percentage,omitempty" minimum:"0" maximum:"100" doc:"Left out, the last one stays."`
	Phase      string          `json:"phase,omitempty" maxLength:"128"`
	Message    string          `json:"message,omitempty" maxLength:"1024"`
	Delta      string          `json:"delta,omitempty" maxLength:"4096" doc:"The newest piece of output."`
	Category   string          `json:"category,omitempty" maxLength:"128"`
	Tool       string          `json:"tool,omitempty" maxLength:"128"`
	Resume     json.RawMessage `json:"resume,omitempty" doc:"For the next attempt, should this one not end well; any JSON of at most 256 KiB. The newest stays until there is another."`
	Metrics    *Metrics        `json:"metrics,omitempty" doc:"What the attempt has spent so far."`
}

// Silent reports whether p says nothing of how far the work is.
func (p LeaseProgress) Silent() bool {
	return p.Percentage == nil && p.Phase == "" && p.Message == "" && p.Delta == "" && p.Category == "" && p.Tool == ""
}

// LeaseStatus answers a [LeaseProgress].
type LeaseStatus struct {
	CancelRequested bool      `json:"cancelRequested" doc:"The task was cancelled: stop, and say so with fail."`
	Reason          string    `json:"reason,omitempty" doc:"Why it was cancelled."`
	ExpiresAt       time.Time `json:"expiresAt" doc:"When the task goes back to its queue unless the agent is heard of by then."`
}

// LeaseResult completes an attempt.
type LeaseResult struct {
	Output            json.RawMessage `json:"output,omitempty" doc:"Any JSON; the whole body has at most 1 MiB."`
	Metrics           *Metrics        `json:"metrics,omitempty"`
	Model             string          `json:"model,omitempty" maxLength:"256"`
	QualityGatePassed *bool           `json:"qualityGatePassed,omitempty"`
	QualityGate       json.RawMessage `json:"qualityGate,omitempty" doc:"Any JSON of at most 64 KiB."`
	Reflection        json.RawMessage `json:"reflection,omitempty" doc:"Any JSON of at most 64 KiB."`
	EpisodeRefs       []string        `json:"episodeRefs,omitempty"`
}

// LeaseFailure fails an attempt.
type LeaseFailure struct {
	Error   LeaseError      `json:"error"`
	Resume  json.RawMessage `json:"resume,omitempty" doc:"For the next attempt, as with progress."`
	Metrics *Metrics        `json:"metrics,omitempty" doc:"What the attempt has spent."`
}

// LeaseError is why an attempt failed.
type LeaseError struct {
	Code         Code            `json:"code" doc:"Lower-case with underscores: the agent's own, or interrupted to give the task back. Another one of rolecall's own becomes agent_failed." example:"tests_failed"`
	Message      string          `json:"message" doc:"What went wrong; what is beyond 4 KiB is cut."`
	Details      json.RawMessage `json:"details,omitempty" doc:"Any JSON of at most 16 KiB."`
	Retryable    *bool           `json:"retryable,omitempty" doc:"Whether another attempt of the stage may mend it. Default: true."`
	RetryAfterMs int64           `json:"retryAfterMs,omitempty" minimum:"0" maximum:"2592000000" doc:"How long to wait before the next attempt, instead of the backoff."`
}

// LeaseQuestion ends an attempt with a question. It uses no attempt up; once it is answered the task is handed out again.
type LeaseQuestion struct {
	Prompt  string          `json:"prompt" doc:"At most 4 KiB."`
	Schema  json.RawMessage `json:"schema,omitempty" doc:"A JSON Schema (draft 2020-12) that the answer must meet, at most 32 KiB."`
	Resume  json.RawMessage `json:"resume,omitempty" doc:"For the next attempt, as with progress."`
	Metrics *Metrics        `json:"metrics,omitempty" doc:"What the attempt has spent."`
}

// LeaseEnd answers whatever ends a lease.
type LeaseEnd struct {
	Outcome Outcome `json:"outcome" doc:"How the attempt ended: completed, failed, interrupted or input_required."`
}
