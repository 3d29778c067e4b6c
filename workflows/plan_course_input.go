package workflows

import (
	"cmp"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// taskInput is what the next task of a step starts with, or why the step has none.
func (c *planCourse) taskInput(now time.Time, i int) (TaskInput, *sdk.TaskError) {
	input, failure := c.stepInput(i)
	if failure != nil {
		return TaskInput{}, failure
	}
	s := c.in.Request.Steps[i]
	return c.newTask(now, PlanTaskID(c.in.ID, s.ID, c.steps[i].runs), sdk.TaskRequest{
		Type: s.Type, Role: s.Role, Title: s.Title, Description: s.Description, Input: input, Priority: cmp.Or(s.Priority, c.plan.Priority),
		Retry: s.Retry, Timeouts: s.Timeouts, Fallback: s.Fallback,
	}), nil
}

// newTask is a task of the plan.
func (c *planCourse) newTask(now time.Time, id string, r sdk.TaskRequest) TaskInput {
	return TaskInput{
		Project: c.in.Project, Organization: c.in.Organization, ID: id, Request: r.Resolve(), PlanID: c.in.ID,
		FairnessKey: sdk.Cut(c.in.ID, sdk.MaxFairnessKey), CreatedAt: now,
	}
}

// stepInput is the input of the next task of a step. What its expressions say is asked once.
func (c *planCourse) stepInput(i int) (json.RawMessage, *sdk.TaskError) {
	s := &c.steps[i]
	if s.input != nil {
		return *s.input, nil
	}
	var input json.RawMessage
	if template := c.code.steps[i].input; template != nil {
		var err error
		if input, err = template.Eval(c.values(), s.budget); err != nil {
			return nil, expressionFailure(err)
		}
	}
	if s.feedback != nil {
		var failure *sdk.TaskError
		if input, failure = withFeedback(input, *s.feedback); failure != nil {
			return nil, failure
		}
	}
	s.input = &input
	return input, nil
}

// withFeedback is the input of a step that is sent back.
func withFeedback(input json.RawMessage, f feedback) (json.RawMessage, *sdk.TaskError) {
	fields := map[string]json.RawMessage{}
	if len(input) > 0 {
		if err := json.Unmarshal(input, &fields); err != nil {
			return nil, &sdk.TaskError{Code: sdk.CodeExpressionFailed, Message: "the input is no object, so that the feedback of the gate has no place in it"}
		}
	}
	if fields == nil { // the input was null
		fields = map[string]json.RawMessage{}
	}
	for {
		said, err := encode(f)
		if err == nil {
			fields["feedback"] = said
			input, err = encode(fields)
		}
		if err != nil {
			return nil, &sdk.TaskError{Code: sdk.CodeInternal, Message: "the feedback of the gate can not be written as JSON"}
		}
		switch err = sdk.CheckJSON(input, sdk.MaxInput); {
		case err == nil:
			return input, nil
		case f.Previous == nil:
			return nil, noInput("its input with the feedback of the gate", err)
		}
		f.Previous, f.PreviousOmitted = nil, true
	}
}

// noInput is the failure of what would be given more than an input can be.
func noInput(what string, err error) *sdk.TaskError {
	message := err.Error()
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		message = e.Message
	}
	return &sdk.TaskError{Code: sdk.CodePayloadTooLarge, Message: what + " is too large: " + message}
}

// values are what expressions read. What a step may read of them was checked before the plan began.
func (c *planCourse) values() expression.Values {
	if c.reading == nil {
		c.reading = expression.NewReading()
	}
	v := expression.Values{Inputs: c.in.Request.Inputs, Steps: make(map[string]expression.Result, len(c.at)), Reading: c.reading}
	for i, s := range c.plan.Steps {
		if !s.Status.Terminal() || c.at[i].held {
			continue
		}
		r := expression.Result{Status: s.Status}
		if s.Status == sdk.StepCompleted {
			r.Output = s.Output
		}
		v.Steps[s.ID] = r
	}
	return v
}

// expressionFailure is the error of an expression as the failure of what has it.
func expressionFailure(err error) *sdk.TaskError {
	failure := sdk.TaskError{Code: sdk.CodeExpressionFailed, Message: err.Error()}
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		failure.Code, failure.Message = e.Code, e.Message
	}
	failure = failure.Trim()
	return &failure
}
