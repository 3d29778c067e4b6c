package workflows

import (
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// CancelGrace is how long a cancelled task waits for its agent to have stopped.
const CancelGrace = 15 * time.Second

// AttemptOutcome is what became of an attempt: its report or its error, as Temporal's futures answer them (see
// [activities.ExecuteTaskName]).
type AttemptOutcome struct {
	Report activities.AttemptReport
	Err    error
	// Cancelled says that the task's cancellation was requested before the attempt ended.
	Cancelled bool
	// Unconfirmed says that it was, and that the agent has not stopped within [CancelGrace]: nothing else is known.
	Unconfirmed bool
	// NotFound says that nobody was there in time who has what the task needs, so that nobody was asked.
	NotFound bool
	// Progressed are signals that have come and were not yet taken. Those of which the report does not know are dropped.
	Progressed []TaskProgressedInput
}

// AttemptTerms are where an attempt is asked for, and how long its parts may take.
type AttemptTerms struct {
	Queue     string
	Whole     time.Duration // what is left of the task's time
	Queued    time.Duration // until an agent has taken it; 0 is Whole
	Running   time.Duration // from then on
	Heartbeat time.Duration // how soon a lost worker is noticed
	Priority  int           // as [PriorityKey] has it
	Fairness  string
	Summary   string // one line for people
}

// beginAttempt enters the next attempt of the stage in the chain. It is a StepAttempt unless time or history is used up.
func (c *Course) beginAttempt(now time.Time) Step {
	c.task.Attempt++
	c.scheduled, c.signalled, c.assigned = now, 0, false
	entry := sdk.Attempt{
		Stage: c.task.Stage, Attempt: c.task.Attempt, Role: c.stage().Role, AgentID: c.stage().AgentID,
		Model: c.stage().Model, StartedAt: c.scheduled,
	}
	c.task.Attempts = append(c.task.Attempts, entry)
	if c.left(now) <= 0 {
		return c.notMade(now, sdk.CodeTotalTimeout, "the task's time was used up")
	}
	if c.written += c.weight(); c.written+c.family.results > maxWritten {
		return c.notMade(now, sdk.CodeBudgetExceeded, "the task's attempts have filled the history that one run may have")
	}
	return Step{Kind: StepAttempt}
}

func (c *Course) notMade(now time.Time, code sdk.Code, message string) Step {
	end := failed(sdk.OutcomeNotTaken, code, message)
	c.ended(now, end, activities.AttemptReport{})
	return c.after(now, end, false)
}

// AttemptStarted takes a worker's word that its handler runs. One of another attempt, or of one that has ended, is late: false.
func (c *Course) AttemptStarted(now time.Time, in AttemptStartedInput) bool {
	if !c.current(in.Stage, in.Attempt) || c.openEntry().EndedAt != nil {
		return false
	}
	c.begun(now, in.AgentID, in.StartedAt)
	c.enter(sdk.StatusRunning)
	return true
}

// TaskProgressed takes a progress of the running attempt, whose handler has begun then. One that comes again, out of turn or after the
// end is dropped.
func (c *Course) TaskProgressed(now time.Time, in TaskProgressedInput) {
	if !c.current(in.Stage, in.Attempt) || c.openEntry().EndedAt != nil || in.N <= c.signalled {
		return
	}
	c.signalled = in.N
	if !c.assigned {
		c.begun(now, "", in.Progress.At)
		c.enter(sdk.StatusRunning)
	}
	in.Progress.Stage, in.Progress.Attempt = in.Stage, in.Attempt
	c.progressed(now, in.Progress.Trim())
}

// AttemptEnded enters the end of the attempt in the chain. A cancelled one ends the task; its success, should it come in time, is
// still a success.
func (c *Course) AttemptEnded(now time.Time, o AttemptOutcome) Step {
	if o.Unconfirmed {
		c.cancelConfirmed(false)
		return c.after(now, c.ended(now, attemptEnd{outcome: sdk.OutcomeCancelled}, activities.AttemptReport{}), true)
	}
	if o.NotFound {
		end := c.notFound(now)
		return c.after(now, c.ended(now, end, activities.AttemptReport{}), o.Cancelled)
	}
	end, report := readEnd(o.Report, o.Err, c.left(now) <= 0, o.Cancelled)
	report = trimReport(report, c.task.Stage, c.task.Attempt)
	if at := c.beganAt(end, report); at != nil {
		c.begun(now, report.AgentID, *at)
	}
	for _, in := range o.Progressed {
		if in.N <= report.N {
			c.TaskProgressed(now, in)
		}
	}
	if o.Cancelled && end.outcome != sdk.OutcomeCompleted {
		c.cancelConfirmed(end.outcome != sdk.OutcomeLost && end.outcome != sdk.OutcomeTimedOut)
		end = attemptEnd{outcome: sdk.OutcomeCancelled}
	}
	return c.after(now, c.ended(now, end, report), o.Cancelled)
}

// beganAt is when the handler of an attempt that ended had begun, as far as its end tells; nil where nothing new is to be learned.
func (c *Course) beganAt(end attemptEnd, report activities.AttemptReport) *time.Time {
	switch {
	case report.StartedAt != nil:
		return report.StartedAt
	case c.assigned:
		return nil
	case end.outcome == sdk.OutcomeCompleted || end.outcome == sdk.OutcomeInputRequired || end.outcome == sdk.OutcomeFailed || report.Progress != nil:
		return &c.scheduled
	default:
		return nil
	}
}

// ended closes the open entry of the chain and takes over what the attempt left behind.
func (c *Course) ended(now time.Time, end attemptEnd, report activities.AttemptReport) attemptEnd {
	entry := c.openEntry()
	entry.EndedAt, entry.Outcome, entry.Error = &now, end.outcome, chainError(end.failure)
	if end.outcome != sdk.OutcomeNotTaken && end.outcome != sdk.OutcomeCancelled {
		c.enter(sdk.StatusRunning)
	}
	if report.AgentID != "" {
		entry.AgentID = report.AgentID
	}
	if entry.AgentID != "" {
		c.task.AgentID = entry.AgentID
	}
	if report.Progress != nil {
		c.progressed(now, *report.Progress)
	}
	if len(report.Resume) > 0 {
		c.resume = report.Resume
	}
	if end.outcome != sdk.OutcomeCompleted && report.Spent != nil {
		c.spent = c.spent.Plus(*report.Spent)
	}
	switch {
	case end.outcome == sdk.OutcomeCompleted:
		c.complete(now, *report.Result)
	case end.outcome == sdk.OutcomeInputRequired:
		c.task.MaxAttempts++
		c.question = c.newQuestion(now, *report.InputRequired)
	case end.failure == nil:
	case effectOf(end.failure.Code, end.retryable) == effectSpare:
		c.task.MaxAttempts++
		if report.StartedAt == nil && end.outcome == sdk.OutcomeInterrupted && c.returned < maxReturned {
			c.returned++
		} else {
			c.spared++
		}
	default:
		c.used++
	}
	return end
}

// complete takes an agent's result over: status, degradation and missing figures are the run's to fill in, and what earlier attempts
// spent is added to what this one did.
func (c *Course) complete(now time.Time, result sdk.Result) {
	result.Status, result.Error, result.Degraded = sdk.StatusCompleted, nil, c.task.Degraded
	if result.Metrics.DurationMs <= 0 {
		result.Metrics.DurationMs = now.Sub(c.openEntry().StartedAt).Milliseconds()
	}
	result.Metrics = result.Metrics.Plus(c.spent)
	if result.Model == "" {
		result.Model = c.stage().Model
	}
	c.task.Result = &result
}

func (c *Course) cancelConfirmed(stopped bool) { c.task.CancelConfirmed = &stopped }

// current reports whether a message speaks of the chain's last attempt.
func (c *Course) current(stage, attempt int) bool {
	return len(c.task.Attempts) > 0 && stage == c.task.Stage && attempt == c.task.Attempt && c.openEntry().Stage == stage
}

// openEntry is the chain's last entry: the attempt that runs, or ran last.
func (c *Course) openEntry() *sdk.Attempt { return &c.task.Attempts[len(c.task.Attempts)-1] }

// handlerStarted notes when the running attempt's handler began, by a clock that may differ from ours: it was after the attempt was
// asked for, and before now.
func (c *Course) handlerStarted(now, at time.Time) {
	if at.Before(c.scheduled) {
		at = c.scheduled
	}
	if at.After(now) {
		at = now
	}
	c.openEntry().StartedAt = at
	if c.task.StartedAt == nil {
		c.task.StartedAt = &at
	}
}

// progressed takes the newest progress over; overall never goes back.
func (c *Course) progressed(now time.Time, p sdk.Progress) {
	if c.task.Progress != nil {
		p.Overall = max(p.Overall, c.task.Progress.Overall)
	}
	p.Overall = max(p.Overall, p.Percentage)
	c.task.Progress = &p
	if c.progress.add(p) {
		c.tellProgress(now, p)
	}
}

// Terms are those of the attempt that a StepAttempt asks for.
func (c *Course) Terms(now time.Time) AttemptTerms {
	s, left := c.stage(), c.left(now)
	queue := RoleQueue(c.in.Project, s.Role)
	if s.AgentID != "" {
		queue = AgentQueue(c.in.Project, s.Role, s.AgentID)
	}
	return AttemptTerms{
		Queue: queue, Whole: left, Queued: min(milliseconds(s.Timeouts.QueueMs), left),
		Running: min(milliseconds(s.Timeouts.AttemptMs), left), Heartbeat: milliseconds(s.Timeouts.HeartbeatMs),
		Priority: PriorityKey(c.task.Priority), Fairness: c.task.FairnessKey,
		Summary: fmt.Sprintf("%s · attempt %d of %d", s.Role, c.task.Attempt, c.task.MaxAttempts),
	}
}

// Assignment is what the agent gets. The task in it leaves the answers to the assignment's own field.
func (c *Course) Assignment() sdk.Assignment {
	t := c.task
	t.Attempts = clip(t.Attempts)
	t.Answers = []sdk.Answer{}
	deadline := c.deadline
	return sdk.Assignment{
		Task: t, Attempt: t.Attempt, MaxAttempts: t.MaxAttempts, Stage: t.Stage, Model: c.stage().Model,
		Resume: c.resume, Answers: c.task.Answers, Deadline: &deadline,
	}
}

// weight is about how many bytes an attempt puts into history: its assignment, and what is written at its end. It depends on what
// was handed in alone, so that it stays the same when a shape grows a field.
func (c *Course) weight() int {
	size := 32<<10 + len(c.task.Input) + len(c.task.Description) + 2*len(c.resume)
	for _, a := range c.task.Answers {
		size += 2 * (len(a.Prompt) + len(a.Answer)) // once more in the memo
	}
	return size
}
