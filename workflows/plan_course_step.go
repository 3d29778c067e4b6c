package workflows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// maxStepMessage is how much of an error's text a step keeps; its task has all of it.
const maxStepMessage = 1 << 10

// courseStep is what is known of a step beside where it stands and what everybody sees of it.
type courseStep struct {
	runs     int             // tasks that were asked for
	rounds   int             // how often its gate has sent back
	failed   int             // it was the nth step to fail; 0: it has not
	answered json.RawMessage // what it answered before it was sent back
	feedback *feedback       // for its tasks, until one has completed, or has ended and does not begin anew
	spared   bool            // it was about to be sent back when the plan stopped: its output takes no room
	budget   *expression.Budget
	input    *json.RawMessage // of its next task, evaluated
}

// taskEnd is how a task has ended.
type taskEnd struct {
	status   sdk.StepStatus // completed, failed or cancelled
	result   sdk.Result     // of one that completed
	failure  *sdk.TaskError // of one that did not
	agentID  string
	degraded bool
}

// readTaskEnd reads the record of a task; nil is that there is none.
func readTaskEnd(record *sdk.Task) taskEnd {
	if record == nil || !record.Status.Terminal() {
		return taskEnd{status: sdk.StepFailed, failure: &sdk.TaskError{
			Code: sdk.CodeTerminated, Message: "the run of its task was ended from outside, or could not be started",
		}}
	}
	end := taskEnd{status: sdk.StepCompleted, agentID: record.AgentID, degraded: record.Degraded}
	if record.Result != nil {
		end.result = *record.Result
	}
	if record.Status == sdk.StatusCompleted {
		return end
	}
	end.status, end.failure = sdk.StepFailed, end.result.Error
	code := sdk.CodeAgentFailed
	if record.Status == sdk.StatusCancelled {
		end.status, code = sdk.StepCancelled, sdk.CodeCancelled
	}
	if end.failure == nil {
		end.failure = &sdk.TaskError{Code: code, Message: "its task says nothing more"}
	}
	return end
}

// setSteps takes the steps of the request, which was checked and compiled.
func (c *planCourse) setSteps() {
	steps := c.in.Request.Steps
	c.plan.Steps = newSteps(steps)
	c.steps = make([]courseStep, len(steps))
	c.at = make([]stepStanding, len(steps))
	for i := range c.at {
		c.at[i].status = sdk.StepPending
	}
	c.graph = newPlanGraph(steps, func(i int) []string {
		if when := c.code.steps[i].when; when != nil {
			return when.ReadsStatus()
		}
		return nil
	})
}

// settle goes through the steps in the order of the plan until nothing changes any more: what is ready, and what is skipped.
func (c *planCourse) settle(now time.Time) {
	for more := true; more && !c.ending(); {
		more = false
		for i := range c.at {
			v, because, blame := c.graph.judge(c.at, i)
			if v == verdictWaits {
				continue
			}
			more = true
			if v == verdictSkipped {
				c.skip(now, i, because, blame)
				continue
			}
			if c.decide(now, i); c.ending() {
				break
			}
		}
	}
	if !c.ending() {
		return
	}
	because := becauseCancelled
	if c.asked == nil {
		because = becauseStopped + c.stopped
	}
	c.dropReworks()
	for _, i := range c.graph.rest(c.at) {
		c.skip(now, i, because, because)
	}
}

// decide has the condition of a step decide about it.
func (c *planCourse) decide(now time.Time, i int) {
	c.steps[i].budget = expression.NewBudget(c.purse)
	if when := c.code.steps[i].when; when != nil {
		yes, err := when.Eval(c.values(), c.steps[i].budget)
		if err != nil {
			c.fail(now, i, sdk.StepFailed, expressionFailure(err))
			return
		}
		if !yes {
			c.skip(now, i, becauseCondition, "")
			return
		}
	}
	c.move(now, i, sdk.StepReady, "")
}

func (c *planCourse) skip(now time.Time, i int, because, blame string) {
	c.at[i].because, c.at[i].blame = because, blame
	c.plan.Steps[i].SkippedBecause, c.plan.Steps[i].CompletedAt = because, &now
	c.move(now, i, sdk.StepSkipped, "")
}

// start enters the task of a step.
func (c *planCourse) start(now time.Time, i int, in TaskInput) {
	c.enlist(now, i, in)
	s := &c.steps[i]
	s.runs++
	s.input, s.budget = nil, nil
	c.at[i].begun = true
	c.plan.Steps[i].TaskID, c.plan.Steps[i].StartedAt = in.ID, &now
	c.move(now, i, sdk.StepRunning, "")
}

// stepEnded takes the end of a step's task.
func (c *planCourse) stepEnded(now time.Time, run planRun, end taskEnd) {
	i := run.step
	step := &c.plan.Steps[i]
	step.AgentID, step.Degraded, step.CompletedAt = end.agentID, end.degraded, &now
	if !c.at[i].held || end.status == sdk.StepCompleted {
		c.steps[i].feedback = nil
	}
	switch {
	case c.at[i].held: // it begins anew, whatever it answered, unless the plan ends before
		if end.status == sdk.StepCompleted {
			if end.failure = c.keep(i, end.result, true); end.failure != nil {
				end.status = sdk.StepFailed
			}
		}
		step.Error = shortFailure(end.failure)
		c.move(now, i, end.status, "")
		c.sendBack(now)
	case end.status == sdk.StepCompleted:
		c.completed(now, i, end.result)
	case end.status == sdk.StepCancelled && run.reason != nil: // by the plan
		step.Error = shortFailure(end.failure)
		c.move(now, i, end.status, "")
	default:
		c.fail(now, i, end.status, end.failure)
	}
}

// completed takes what a step's task answered.
func (c *planCourse) completed(now time.Time, i int, r sdk.Result) {
	var unpassed *sdk.TaskError
	missed := c.graph.reworks[i] >= 0 && r.QualityGatePassed != nil && !*r.QualityGatePassed
	if missed {
		unpassed = c.usedUp(i)
	}
	back := missed && unpassed == nil && !c.ending()
	failure := c.keep(i, r, back)
	if failure == nil {
		failure = unpassed
	}
	if failure != nil {
		c.plan.Steps[i].Output = nil
		c.fail(now, i, sdk.StepFailed, failure)
		return
	}
	c.move(now, i, sdk.StepCompleted, "")
	if back {
		c.rework(now, i, r)
	}
}

// keep keeps the output of a step, where there is room for it, or says why there is none. What is about to be sent back takes none from the
// others, nor what would have been if the plan had not stopped.
func (c *planCourse) keep(i int, r sdk.Result, back bool) *sdk.TaskError {
	switch size := len(r.Output); {
	case size > sdk.MaxStepOutput:
		return &sdk.TaskError{Code: sdk.CodePayloadTooLarge, Message: fmt.Sprintf(
			"its output has %d bytes; a plan holds at most %d of one step: its task has it", size, sdk.MaxStepOutput)}
	case !back && !c.steps[i].spared && c.kept()+size > sdk.MaxPlanOutputs:
		return &sdk.TaskError{Code: sdk.CodePayloadTooLarge, Message: fmt.Sprintf(
			"its output has %d bytes; with those of the other steps that is more than the %d that a plan holds: its task has it", size, sdk.MaxPlanOutputs)}
	default:
		c.plan.Steps[i].Output = r.Output
		return nil
	}
}

// kept is how many bytes the outputs of all steps have that are not about to be sent back, and were not when the plan stopped.
func (c *planCourse) kept() (size int) {
	for i, s := range c.plan.Steps {
		if !c.at[i].held && !c.steps[i].spared {
			size += len(s.Output)
		}
	}
	return size
}

// fail ends a step, by itself or as its task has ended. It may stop the plan.
func (c *planCourse) fail(now time.Time, i int, status sdk.StepStatus, failure *sdk.TaskError) {
	c.failures++
	c.steps[i].failed = c.failures
	c.plan.Steps[i].Error, c.plan.Steps[i].CompletedAt = shortFailure(failure), &now
	c.move(now, i, status, "")
	if c.plan.OnFailure == sdk.FailureStop && c.stopped == "" {
		c.stopped = c.graph.fell(c.at, i)
	}
}

// move takes a step from one status to another, and tells of it.
func (c *planCourse) move(now time.Time, i int, to sdk.StepStatus, reworkFor string) {
	from := c.at[i].status
	c.at[i].status, c.plan.Steps[i].Status = to, to
	c.tellStep(now, i, from, reworkFor)
}

// shortFailure is an error as a step has it: without details.
func shortFailure(failure *sdk.TaskError) *sdk.TaskError {
	if failure == nil {
		return nil
	}
	return &sdk.TaskError{Code: failure.Code, Message: sdk.Cut(failure.Message, maxStepMessage)}
}
