package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Course is how one task goes: all that is decided about it, and what everybody sees of it. It knows no engine and no clock. Whoever
// runs a task begins the course, does what each [Step] says, tells what came of it together with the time, and gets the next step;
// nothing follows a [StepEnd] but Close. The Task workflow runs a course on Temporal, sdk/sdktest runs one in memory. The same calls at the
// same times make the same task, and the same events. It is not safe for concurrent use.
type Course struct {
	// Breach is told of a step outside the lifecycle, which is a fault of ours; the step is taken. May be nil.
	Breach func(from, to sdk.Status)

	in       TaskInput
	task     sdk.Task
	stages   []sdk.Stage
	began    time.Time
	deadline time.Time

	used      int       // attempts of the stage that count
	spared    int       // lost and interrupted ones of the stage
	returned  int       // those of the stage that were given back before an agent had begun
	asked     int       // questions of the whole task
	written   int       // bytes that the attempts have put into history
	scheduled time.Time // when the last attempt was asked for
	signalled int       // the number of its last progress signal
	assigned  bool      // its task.assigned was told
	resume    []byte
	spent     sdk.Metrics // tokens and cost of the attempts that did not complete it
	reason    string      // of the cancellation
	question  *sdk.InputRequest
	answered  bool
	progress  progressLog
	closed    bool
	seq       int // of the last event
	events    []sdk.Event
	family    family
}

// StepKind says what is to be done next.
type StepKind int

// What a [Step] can be.
const (
	StepAttempt StepKind = iota // ask for an attempt by Terms and Assignment; then AttemptEnded
	StepRest                    // the task has moved: show it, and let Step.Delay pass; then Rested
	StepAsk                     // the task has moved: show it, and wait for an answer, at most Step.Delay; then Asked
	StepEnd                     // take what messages there are, then Close
)

// Step is what follows in a course.
type Step struct {
	Kind    StepKind
	Delay   time.Duration
	status  sdk.Status // with StepEnd
	failure *sdk.TaskError
}

// NewCourse is the course of a task whose run started at the given time, from which the task's time counts.
func NewCourse(in TaskInput, started time.Time) *Course {
	c := &Course{in: in, task: NewTask(in, started), began: started}
	first := sdk.Stage{
		Role: c.task.Role, AgentID: in.Request.AgentID, Model: in.Model, Retry: &c.task.Retry,
		Timeouts: &sdk.StageTimeouts{
			QueueMs: c.task.Timeouts.QueueMs, AttemptMs: c.task.Timeouts.AttemptMs, HeartbeatMs: c.task.Timeouts.HeartbeatMs,
		},
	}
	c.stages = append([]sdk.Stage{first}, c.task.Fallback...)
	c.deadline = started.Add(milliseconds(c.task.Timeouts.TotalMs))
	c.tellCreated()
	return c
}

// Begin is the first step: an attempt, or the end of a task that can not be carried out, or was cancelled before.
func (c *Course) Begin(now time.Time) Step {
	if failure := c.refused(); failure != nil {
		return failedBy(failure)
	}
	if c.in.Cancelled != nil {
		c.CancelRequested(*c.in.Cancelled)
		return Step{Kind: StepEnd, status: sdk.StatusCancelled}
	}
	return c.beginAttempt(now)
}

// Rested says that the pause of a StepRest is over, or that the task's cancellation was requested.
func (c *Course) Rested(now time.Time, cancelled bool) Step {
	c.task.WaitingFor = nil
	if cancelled {
		return Step{Kind: StepEnd, status: sdk.StatusCancelled}
	}
	return c.beginAttempt(now)
}

// refused is why the request can not be carried out, or nil: no client of ours would have sent it.
func (c *Course) refused() *sdk.TaskError {
	err := c.in.Request.Validate()
	if err == nil && !(sdk.ValidProject(c.in.Project) && sdk.ValidID(c.in.ID)) {
		err = sdk.Errorf(sdk.CodeInvalidInput, "project or id is not well-formed")
	}
	if err == nil {
		return nil
	}
	failure := sdk.TaskError{Code: sdk.CodeInvalidInput, Message: err.Error()}.Trim()
	return &failure
}

// after is what follows the end of an attempt.
func (c *Course) after(now time.Time, end attemptEnd, cancelled bool) Step {
	if end.outcome != sdk.OutcomeCompleted && cancelled {
		return Step{Kind: StepEnd, status: sdk.StatusCancelled}
	}
	switch m := next(c.standing(now), end); m.step {
	case stepComplete:
		return Step{Kind: StepEnd, status: sdk.StatusCompleted}
	case stepFallback:
		c.tellFallback(now, end)
		c.fallBack()
		return Step{Kind: StepRest}
	case stepRetry:
		c.tellRetrying(now, end, m.delay)
		c.backOff(now, m.delay)
		return Step{Kind: StepRest, Delay: m.delay}
	case stepAsk:
		return c.ask(now)
	default:
		return failedBy(end.failure)
	}
}

func failedBy(failure *sdk.TaskError) Step {
	return Step{Kind: StepEnd, status: sdk.StatusFailed, failure: failure}
}

// stage is the current one.
func (c *Course) stage() sdk.Stage { return c.stages[c.task.Stage] }

func (c *Course) left(now time.Time) time.Duration { return c.deadline.Sub(now) }

func (c *Course) standing(now time.Time) standing {
	return standing{
		retry: *c.stage().Retry, used: c.used, spared: c.spared,
		lastStage: c.task.Stage == len(c.stages)-1, left: c.left(now),
	}
}

// fallBack moves to the next stage; whatever it answers is degraded.
func (c *Course) fallBack() {
	c.task.Stage++
	c.task.Attempt, c.used, c.spared, c.returned = 0, 0, 0, 0
	c.task.Degraded = true
	c.task.Role = c.stage().Role
	c.task.MaxAttempts = c.stage().Retry.MaxAttempts
	c.task.AgentID = c.stage().AgentID
	c.enter(sdk.StatusQueued)
}

// backOff begins the pause before the next attempt of the stage.
func (c *Course) backOff(now time.Time, delay time.Duration) {
	if at := now.Add(delay); delay > 0 {
		c.task.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingBackingOff, Since: now, NextAttemptAt: &at, Detail: "the last attempt failed; the next one follows"}
	}
	c.enter(sdk.StatusQueued)
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
