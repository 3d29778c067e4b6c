package workflows

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

const (
	// maxPlanAnswer is how many bytes the outputs of a plan may take, and in a record those of its steps.
	maxPlanAnswer = 1 << 20
	// stepWeight is at least how many bytes a step of a record takes beside the texts in it.
	stepWeight = 512
)

// close ends the plan. Nothing that comes later changes it.
func (c *planCourse) close(now time.Time) {
	if c.closed {
		return
	}
	c.closed = true
	c.plan.CompletedAt = &now
	c.plan.Status, c.plan.Error = c.outcome()
	if c.plan.Error == nil {
		if failure := c.answer(); failure != nil {
			c.plan.Status, c.plan.Error = sdk.StatusFailed, failure
		}
	}
	if c.plan.Error != nil {
		c.plan.Outputs = c.partial()
	}
	c.forget()
	c.seq++
	c.events = append(c.events, PlanTerminalEvent(c.in, c.plan, c.seq))
}

// outcome is how the plan ends, but for its outputs.
func (c *planCourse) outcome() (sdk.Status, *sdk.TaskError) {
	var failure sdk.TaskError
	switch first := c.firstFailed(); {
	case c.asked != nil:
		return sdk.StatusCancelled, c.asked
	case c.refused != nil:
		failure = sdk.TaskError{Code: sdk.CodeInvalidInput, Message: c.refused.Error()}.Trim()
	case c.failure != nil:
		failure = c.failure.Trim()
	case first >= 0:
		failure = c.stepFailure(first)
	default:
		return sdk.StatusCompleted, nil
	}
	return sdk.StatusFailed, &failure
}

// firstFailed is the step that has failed before the others, of those that stand so; -1: there is none.
func (c *planCourse) firstFailed() int {
	first := -1
	for i, s := range c.steps {
		if s.failed > 0 && (first < 0 || s.failed < c.steps[first].failed) {
			first = i
		}
	}
	return first
}

// stepFailure is the error of a plan that a step has failed.
func (c *planCourse) stepFailure(i int) sdk.TaskError {
	id, why := c.graph.ids[i], c.plan.Steps[i].Error
	details, _ := encode(map[string]string{"step": id, "code": string(why.Code)}) // texts can always be written
	return sdk.TaskError{
		Code: sdk.CodeStepFailed, Message: fmt.Sprintf("step %s: %s", c.graph.fell(c.at, i), why.Error()), Details: details,
	}.Trim()
}

// answer makes the outputs of a plan whose steps have all ended well, or says why there are none.
func (c *planCourse) answer() *sdk.TaskError {
	outputs, size, values, budget := map[string]json.RawMessage{}, 0, c.values().Shared(), expression.NewOutputBudget()
	//workflowcheck:ignore
	for _, name := range slices.Sorted(maps.Keys(c.code.outputs)) {
		value, err := c.code.outputs[name].Eval(values, budget)
		if err != nil {
			return expressionFailure(err)
		}
		outputs[name] = value
		size += outputSize(name, value)
	}
	if most := c.answerRoom(); size > most {
		return &sdk.TaskError{Code: sdk.CodePayloadTooLarge, Message: fmt.Sprintf(
			"the outputs of the plan have %d bytes; they may have %d", size, most)}
	}
	c.plan.Outputs = outputs
	return nil
}

// partial are the outputs of a plan that did not complete: those that read only steps which have completed, and have a value, as far as
// there is room.
func (c *planCourse) partial() map[string]json.RawMessage {
	outputs, left, values, budget := map[string]json.RawMessage{}, c.answerRoom(), c.values().Shared(), expression.NewOutputBudget()
	//workflowcheck:ignore
	for _, name := range slices.Sorted(maps.Keys(c.code.outputs)) {
		template := c.code.outputs[name]
		if slices.ContainsFunc(template.Reads(), func(id string) bool { return values.Steps[id].Status != sdk.StepCompleted }) {
			continue
		}
		value, err := template.Eval(values, budget)
		if size := outputSize(name, value); err == nil && size <= left {
			outputs[name] = value
			left -= size
		}
	}
	return outputs
}

func outputSize(name string, value json.RawMessage) int { return len(name) + len(value) + len(`"":,`) }

// answerRoom is how many bytes the outputs of the plan may take: a record has to fit into one payload.
func (c *planCourse) answerRoom() int { return min(maxPlanAnswer, maxRecord-c.weight()) }

// weight is about how many bytes a record takes, and not less, beside all outputs.
func (c *planCourse) weight() int {
	size := 32<<10 + sdk.MaxErrorMessage + sdk.MaxErrorDetails + escaped(c.plan.Goal) + escaped(c.plan.Title)
	for _, s := range c.plan.Steps {
		size += stepWeight + len(s.ID) + len(s.Type) + len(s.Role) + escaped(s.Title) + len(s.TaskID) + len(s.AgentID) + len(s.SkippedBecause)
		for _, id := range s.Needs {
			size += len(id) + 3
		}
		if s.Error != nil {
			size += escaped(s.Error.Message) + len(s.Error.Code)
		}
	}
	return size
}

// escaped is how many bytes a text takes as JSON.
func escaped(s string) int { return len(s) + escapes(s) + len(`""`) }

// record is the plan as it leaves the run, and as its run is seen: the outputs of its steps as far as there is room.
func (c *planCourse) record() sdk.Plan {
	p := c.plan
	p.Steps = slices.Clone(p.Steps)
	p.PlanningTaskIDs = slices.Clone(p.PlanningTaskIDs)
	left := maxRecord - c.weight()
	//workflowcheck:ignore
	for name, value := range p.Outputs { // a sum
		left -= outputSize(name, value)
	}
	left = min(left, maxPlanAnswer)
	for i := range p.Steps {
		s := &p.Steps[i]
		if len(s.Output) > max(left, 0) {
			s.Output, s.OutputOmitted = nil, true
		}
		left -= len(s.Output)
	}
	return p
}

// state is the part of the plan that changes, for the memo.
func (c *planCourse) state() PlanState {
	p := c.plan
	s := PlanState{
		Status: p.Status, PlanningTaskIDs: slices.Clone(p.PlanningTaskIDs), Planned: c.planned, StartedAt: p.StartedAt, CompletedAt: p.CompletedAt,
		Error: chainError(p.Error),
	}
	for _, step := range p.Steps {
		s.Steps = append(s.Steps, StepState{
			Status: step.Status, TaskID: step.TaskID, AgentID: step.AgentID, Reworks: step.Reworks, SkippedBecause: step.SkippedBecause,
			Error: chainError(step.Error), Degraded: step.Degraded, StartedAt: step.StartedAt, CompletedAt: step.CompletedAt,
		})
	}
	return s
}
