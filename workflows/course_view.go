package workflows

import (
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// What a record may take in bytes as it is encoded, and what the attempts of a task may put into history. Temporal refuses payloads
// of more than 2 MB and ends a run whose history passes 50 MB.
const (
	maxRecord  = 1900 << 10
	maxWritten = 40 << 20

	maxEpisodeRefs = 100
)

// maxChainMessage is how much of an error's text an entry of the chain keeps; the task's own error has all of it.
const maxChainMessage = 256

// How much of a chain travels in memos and assignments; the record of a finished task has all of it.
const (
	firstAttempts  = 5
	newestAttempts = 15
)

// CancelRequested notes why the task is cancelled; the first reason counts.
func (c *Course) CancelRequested(in CancelRequestedInput) {
	if c.reason == "" && !c.closed {
		c.reason = sdk.Cut(in.Reason, sdk.MaxReason)
	}
}

// Close ends the task as a StepEnd has it. The task's status and, where it failed, its error say how. Nothing that comes later changes
// the task or adds an event.
func (c *Course) Close(now time.Time, s Step) {
	c.enter(s.status)
	c.closed = true
	c.task.CompletedAt = &now
	if s.status == sdk.StatusFailed {
		c.task.Result = c.result(s.failure)
	}
	if s.status == sdk.StatusCancelled {
		if c.task.CancelConfirmed == nil {
			c.cancelConfirmed(true)
		}
		reason := c.reason
		switch {
		case reason != "":
		case c.in.Request.ParentID != "" && !c.in.Request.Detached:
			reason = "its parent task ended, or no reason was given"
		case c.in.SessionID != "":
			reason = "its session ended, or no reason was given"
		case c.in.PlanID != "":
			reason = "its plan ended, or no reason was given"
		default:
			reason = "no reason was given"
		}
		c.task.Result = c.result(&sdk.TaskError{Code: sdk.CodeCancelled, Message: reason})
	}
	c.tellEnd()
}

// result is the result of a task that did not complete.
func (c *Course) result(failure *sdk.TaskError) *sdk.Result {
	began := c.began
	if c.task.StartedAt != nil {
		began = *c.task.StartedAt
	}
	return &sdk.Result{
		Status: c.task.Status, Error: failure, Degraded: c.task.Degraded,
		Metrics: sdk.Metrics{DurationMs: c.task.CompletedAt.Sub(began).Milliseconds()}.Plus(c.spent),
	}
}

// Status is the task's.
func (c *Course) Status() sdk.Status { return c.task.Status }

// Record is the task as it leaves the run: input and description stay in its first event. It takes at most maxRecord: where it is larger, it
// has the ends of the chain alone, and where it still is, only what is nowhere else.
func (c *Course) Record() sdk.Task {
	t := c.task
	t.Input, t.Description = nil, ""
	if recordSize(t) > maxRecord {
		t.Attempts = clip(t.Attempts)
	}
	if recordSize(t) > maxRecord {
		t = bare(t)
	}
	return t
}

// bare is a record without its progress, its episode references, and the questions to its answers, which the task's events have.
func bare(t sdk.Task) sdk.Task {
	t.Progress = nil
	t.Answers = slices.Clone(t.Answers)
	for i := range t.Answers {
		t.Answers[i].Prompt = ""
	}
	if t.Result != nil {
		result := *t.Result
		result.EpisodeRefs = nil
		t.Result = &result
	}
	return t
}

// State is the part of the task that changes, for the memo.
func (c *Course) State() TaskState {
	s := TaskState{
		Status: c.task.Status, Stage: c.task.Stage, Attempt: c.task.Attempt, MaxAttempts: c.task.MaxAttempts,
		Degraded: c.task.Degraded, AgentID: c.task.AgentID, StartedAt: c.task.StartedAt, Attempts: clip(c.task.Attempts),
		InputRequest: c.task.InputRequest, Answers: c.task.Answers, WaitingFor: c.task.WaitingFor,
	}
	if c.task.Progress != nil {
		s.Overall = c.task.Progress.Overall
	}
	return s
}

// Progress is what was recorded of the task's progress, oldest first: the first 20 and the newest 200.
func (c *Course) Progress() []sdk.Progress { return c.progress.list() }

// recordSize is about how many bytes a record takes, and not less: the parts that can be large, and what a chain's entry takes with
// the longest names and message.
func recordSize(t sdk.Task) int {
	const entry = 3*sdk.MaxMetadataKey + 2*sdk.MaxModel + maxChainMessage + 256
	size := 128<<10 + len(t.Attempts)*entry + recordEscapes(t)
	for _, a := range t.Answers {
		size += len(a.Prompt) + len(a.Answer)
	}
	if t.Result != nil {
		size += len(t.Result.Output) + len(t.Result.Reflection) + len(t.Result.QualityGate)
	}
	return size
}

// chainError is the short form of an error for the chain: a chain may have 600 entries, and all of them travel in one record.
func chainError(failure *sdk.TaskError) *sdk.TaskError {
	if failure == nil {
		return nil
	}
	return &sdk.TaskError{Code: failure.Code, Message: sdk.Cut(failure.Message, maxChainMessage)}
}

func clip(chain []sdk.Attempt) []sdk.Attempt {
	if len(chain) <= firstAttempts+newestAttempts {
		return append([]sdk.Attempt{}, chain...)
	}
	return append(append([]sdk.Attempt{}, chain[:firstAttempts]...), chain[len(chain)-newestAttempts:]...)
}
