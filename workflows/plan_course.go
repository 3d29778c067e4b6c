package workflows

import (
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// planCourse is how one plan goes: all that is decided about it, and what everybody sees of it. It knows no engine and no clock. It is not
// safe for concurrent use.
type planCourse struct {
	in      PlanInput // request resolved, with the steps of the coordinator once they are known
	plan    sdk.Plan
	refused error // why the plan can not be carried out

	code    planCode
	purse   *expression.Purse   // of the expressions of all steps
	reading *expression.Reading // what they have read of the inputs since something has happened
	graph   planGraph
	at      []stepStanding // of every step
	steps   []courseStep
	open    []planRun    // runs of tasks, in the order in which they were asked for
	reworks []planRework // that wait for tasks which are cancelled first

	planning planning
	failures int            // steps that have failed so far
	stopped  string         // which step has stopped the plan, and how; "": none has
	asked    *sdk.TaskError // the plan was cancelled, and why
	planned  []sdk.Step     // the coordinator's steps as they began
	failure  *sdk.TaskError // of the planning
	begun    bool
	closed   bool
	space    planSpace

	seq    int // of the last event
	events []sdk.Event
}

// planRun is a run of a task that has not ended.
type planRun struct {
	taskID string
	step   int     // planningRun: it asks the coordinator for steps
	reason *string // why it is to be cancelled; nil: it is not
	told   bool    // that was said
}

// planningRun stands for a step in a [planRun] of the coordinator.
const planningRun = -1

// newPlanCourse is that of a plan whose run started at the given time.
func newPlanCourse(in PlanInput, started time.Time) *planCourse {
	in.Request = in.Request.Resolve()
	c := &planCourse{in: in, plan: NewPlan(in, started), purse: expression.NewPurse()}
	if c.refused = c.check(); c.refused == nil && len(in.Request.Steps) > 0 {
		c.setSteps()
	}
	return c
}

// check is why the input can not be carried out, or nil. It compiles its expressions.
func (c *planCourse) check() (err error) {
	if !sdk.ValidProject(c.in.Project) || !validPlanID(c.in.ID) {
		return sdk.Errorf(sdk.CodeInvalidInput, "project or id is not well-formed")
	}
	c.code, err = checkPlan(c.in.Request)
	return err
}

// fault is why the plan can not be carried out, or nil: no client of ours would have started it. A plan that is begun with one is over.
func (c *planCourse) fault() error { return c.refused }

// begin tells of the plan, and settles what its first tasks are.
func (c *planCourse) begin(now time.Time) {
	c.begun = true
	c.plan.Status = sdk.StatusRunning
	c.tellCreated()
	switch {
	case c.refused != nil:
	case len(c.in.Request.Steps) == 0:
		c.planning.due = c.asked == nil
	default:
		c.tellStarted(now)
		c.settle(now)
	}
}

// next is the next task to start; its step is running from then on. Ask until ok is false, or forget what was read.
func (c *planCourse) next(now time.Time) (in TaskInput, ok bool) {
	if !c.begun || c.closed {
		return TaskInput{}, false
	}
	if c.planning.due {
		return c.nextPlanning(now)
	}
	for !c.ending() && len(c.open) < c.plan.MaxParallel {
		i := c.graph.first(c.at)
		if i < 0 {
			break
		}
		in, failure := c.taskInput(now, i)
		if failure == nil && !c.fits(in) {
			if len(c.open) > 0 {
				break
			}
			failure = noRoom()
		}
		if failure == nil {
			c.start(now, i, in)
			return in, true
		}
		c.fail(now, i, sdk.StepFailed, failure)
		c.settle(now)
	}
	c.forget()
	return TaskInput{}, false
}

// forget drops what was read of the inputs, which takes much memory. What is read after that is decoded again.
func (c *planCourse) forget() { c.reading = nil }

// enlist enters a task that is asked for.
func (c *planCourse) enlist(now time.Time, step int, in TaskInput) {
	c.open = append(c.open, planRun{taskID: in.ID, step: step})
	c.space.started(in)
	if c.plan.StartedAt == nil {
		c.plan.StartedAt = &now
	}
}

// stop is the next running task to be cancelled, and why, once for each. Ask until ok is false.
func (c *planCourse) stop() (taskID, reason string, ok bool) {
	for i := range c.open {
		if r := &c.open[i]; r.reason != nil && !r.told {
			r.told = true
			return r.taskID, *r.reason, true
		}
	}
	return "", "", false
}

// ended takes the end of a task's run. record is what it left; nil where it was ended from outside, or never started.
func (c *planCourse) ended(now time.Time, taskID string, record *sdk.Task) {
	i := slices.IndexFunc(c.open, func(r planRun) bool { return r.taskID == taskID })
	if i < 0 || c.closed {
		return
	}
	run := c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	c.space.ended(record)
	end := readTaskEnd(record)
	if run.step == planningRun {
		c.planningEnded(now, end)
		return
	}
	c.stepEnded(now, run, end)
	c.settle(now)
}

// cancel begins the end of the plan; false is that this had been asked for before, or that the plan is over.
func (c *planCourse) cancel(now time.Time, reason string) bool {
	if c.asked != nil || c.over() {
		return false
	}
	reason = sdk.Cut(reason, sdk.MaxReason)
	c.asked = &sdk.TaskError{Code: sdk.CodeCancelled, Message: reason}
	if reason == "" {
		c.asked.Message = "no reason was given"
	}
	c.planning.due = false
	for i := range c.open {
		c.open[i].cancel(reason)
	}
	if c.begun {
		c.settle(now)
	}
	return true
}

func (r *planRun) cancel(reason string) {
	if r.reason == nil {
		r.reason = &reason
	}
}

// ending reports whether no step begins any more.
func (c *planCourse) ending() bool { return c.asked != nil || c.stopped != "" }

// over reports whether nothing runs and nothing will. Then the plan is to be closed.
func (c *planCourse) over() bool {
	return c.closed || c.begun && len(c.open) == 0 && !c.planning.due && c.graph.first(c.at) < 0
}

// takeEvents answers the events of the plan since the last call.
func (c *planCourse) takeEvents() []sdk.Event {
	events := c.events
	c.events = nil
	return events
}
