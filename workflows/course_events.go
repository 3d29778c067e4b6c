package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// eventWeight is about how many bytes an event is beside the texts in it. It may stand in history twice: in the activity that publishes
// it while the log is away, and in the run that does so after the task has ended.
const eventWeight = 1 << 10

// TakeEvents answers the events of the task since the last call, in order: their seq goes on from 1 without gaps. Nothing but code.*
// follows task.completed, and nothing task.failed and task.cancelled. Those from a delegation on that is not decided yet are held back.
func (c *Course) TakeEvents() []sdk.Event {
	n := len(c.events)
	if open := c.family.undecided; len(open) > 0 {
		n -= c.seq - open[0].seq + 1
	}
	events := c.events[:n:n]
	if c.events = c.events[n:]; len(c.events) == 0 {
		c.events = nil
	}
	return events
}

// tell adds an event, with the bytes of the texts in it.
func (c *Course) tell(now time.Time, t sdk.EventType, data any, texts int) {
	c.seq++
	c.written += 2 * (eventWeight + texts)
	c.events = append(c.events, newEvent(c.in, c.task, c.seq, now, t, data))
}

// tellCreated tells of the task at the time when it was created, or when its run started if that clock was ahead, or said what no event can,
// and for the task of a session or a plan, whose run starts when its turn has come.
func (c *Course) tellCreated() {
	d, at := createdData(c.in, c.task), c.task.CreatedAt
	if at.After(c.began) || at.UTC().Year() < 1 || c.in.SessionID != "" || c.in.PlanID != "" {
		at = c.began
	}
	c.tell(at, sdk.EventTaskCreated, d, len(d.Description)+len(d.Input))
}

// begun notes that the running attempt's handler began, and tells of it: task.assigned once for an attempt, task.started once for a task.
func (c *Course) begun(now time.Time, agentID string, at time.Time) {
	entry := c.openEntry()
	if sdk.ValidID(agentID) {
		entry.AgentID, c.task.AgentID = agentID, agentID
	}
	if !c.assigned {
		c.assigned = true
		c.tell(now, sdk.EventTaskAssigned, sdk.TaskAssigned{
			TaskID: c.in.ID, Role: entry.Role, AgentID: entry.AgentID, Model: entry.Model, Stage: entry.Stage, Attempt: entry.Attempt,
		}, 0)
	}
	first := c.task.StartedAt == nil
	c.handlerStarted(now, at)
	if first {
		c.tell(now, sdk.EventTaskStarted, sdk.TaskStarted{TaskID: c.in.ID, AgentID: entry.AgentID, StartedAt: *c.task.StartedAt}, 0)
	}
}

func (c *Course) tellProgress(now time.Time, p sdk.Progress) {
	c.tell(now, sdk.EventTaskProgress, sdk.TaskProgressed{TaskID: c.in.ID, Progress: p}, len(p.Message)+len(p.Delta))
}

func (c *Course) tellInputRequired(now time.Time, q sdk.InputRequest) {
	c.tell(now, sdk.EventTaskInputRequired, sdk.TaskInputRequired{
		TaskID: c.in.ID, RequestID: q.ID, Prompt: q.Prompt, Schema: q.Schema, Stage: c.task.Stage, Attempt: c.task.Attempt, ExpiresAt: q.ExpiresAt,
	}, len(q.Prompt)+len(q.Schema))
}

// tellRetrying tells that another attempt follows the one that ended.
func (c *Course) tellRetrying(now time.Time, end attemptEnd, delay time.Duration) {
	entry := c.openEntry()
	c.tell(now, sdk.EventTaskRetrying, sdk.TaskRetrying{
		TaskID: c.in.ID, Role: entry.Role, AgentID: entry.AgentID, Stage: entry.Stage, Attempt: entry.Attempt, MaxAttempts: c.task.MaxAttempts,
		Outcome: end.outcome, DelayMs: delay.Milliseconds(), DurationMs: attemptMs(*entry), ErrorCount: errorsOf(c.task.Attempts),
		Error: end.failure, Fingerprint: fingerprintOf(entry.Role, end.failure),
	}, failureText(end.failure))
}

// tellFallback tells that the next stage follows the attempt that ended.
func (c *Course) tellFallback(now time.Time, end attemptEnd) {
	entry, to := c.openEntry(), c.stages[c.task.Stage+1]
	c.tell(now, sdk.EventTaskFallback, sdk.TaskFellBack{
		TaskID: c.in.ID, FromStage: entry.Stage, FromRole: entry.Role, ToStage: c.task.Stage + 1, ToRole: to.Role, ToModel: to.Model,
		Outcome: end.outcome, DurationMs: attemptMs(*entry), ErrorCount: errorsOf(c.task.Attempts),
		Error: end.failure, Fingerprint: fingerprintOf(entry.Role, end.failure),
	}, failureText(end.failure))
}

// tellEnd tells the end of the task, and what was done by it.
func (c *Course) tellEnd() {
	c.seq++
	c.events = append(c.events, TerminalEvent(c.in, c.task, c.seq))
	if done, ok := CodeEvent(c.in, c.task, c.seq+1); ok {
		c.seq++
		c.events = append(c.events, done)
	}
}

func failureText(failure *sdk.TaskError) int {
	if failure == nil {
		return 0
	}
	return len(failure.Message) + len(failure.Details)
}
