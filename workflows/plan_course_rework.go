package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planRework is that steps are sent back, which waits for those of them that run.
type planRework struct {
	gate     int
	steps    []int
	feedback feedback
}

// feedback is what the step that is sent back is told.
type feedback struct {
	From            string          `json:"from"`
	Round           int             `json:"round"`
	Output          json.RawMessage `json:"output,omitempty"`
	QualityGate     json.RawMessage `json:"qualityGate,omitempty"`
	Reflection      json.RawMessage `json:"reflection,omitempty"`
	Previous        json.RawMessage `json:"previous,omitempty"`
	PreviousOmitted bool            `json:"previousOmitted,omitempty"`
}

// usedUp is why the gate of a step sends nothing back any more, or nil.
func (c *planCourse) usedUp(i int) *sdk.TaskError {
	rounds := c.steps[i].rounds
	if rounds < maxReworks(*c.in.Request.Steps[i].Gate) {
		return nil
	}
	back, times := c.graph.ids[c.graph.reworks[i]], fmt.Sprintf("%d times", rounds)
	if rounds == 1 {
		times = "once"
	}
	message := fmt.Sprintf("the quality gate was not passed; %s was sent back %s, which is all that there is", back, times)
	if rounds == 0 {
		message = "the quality gate was not passed, and it sends nothing back"
	}
	return &sdk.TaskError{Code: sdk.CodeQualityGateFailed, Message: message}
}

func maxReworks(g sdk.Gate) int {
	if g.MaxReworks == nil {
		return sdk.DefaultMaxReworks
	}
	return *g.MaxReworks
}

// rework has the gate of a step send back. What runs of the steps that begin anew is cancelled first.
func (c *planCourse) rework(now time.Time, gate int, r sdk.Result) {
	c.steps[gate].rounds++
	id := c.graph.ids[gate]
	w := planRework{gate: gate, steps: c.graph.sentBack(gate), feedback: feedback{
		From: id, Round: c.steps[gate].rounds, Output: r.Output, QualityGate: r.QualityGate, Reflection: r.Reflection,
	}}
	for _, i := range w.steps {
		c.at[i].held = true
	}
	for i := range c.open {
		if slices.Contains(w.steps, c.open[i].step) {
			c.open[i].cancel(fmt.Sprintf("the gate of step %s was not passed: the step begins anew", id))
		}
	}
	c.reworks = append(c.reworks, w)
	c.sendBack(now)
}

// sendBack sends back what nothing runs of any more.
func (c *planCourse) sendBack(now time.Time) {
	waiting := c.reworks[:0:0]
	var due []planRework
	for _, w := range c.reworks {
		if c.graph.quiet(c.at, w.steps) {
			due = append(due, w)
		} else {
			waiting = append(waiting, w)
		}
	}
	c.reworks = waiting
	for _, w := range due {
		for _, i := range w.steps {
			c.reset(now, i, c.graph.ids[w.gate])
		}
		back := &c.steps[c.graph.reworks[w.gate]]
		w.feedback.Previous = back.answered
		back.feedback = &w.feedback
	}
	c.hold()
}

// hold keeps the steps of every rework that waits from going on.
func (c *planCourse) hold() {
	for i := range c.at {
		c.at[i].held = slices.ContainsFunc(c.reworks, func(w planRework) bool { return slices.Contains(w.steps, i) })
	}
}

// dropReworks forgets what waits to be sent back, as the plan ends.
func (c *planCourse) dropReworks() {
	if len(c.reworks) > 0 {
		for i := range c.at {
			c.steps[i].spared = c.at[i].held
		}
		c.reworks = nil
		c.hold()
	}
}

// reset takes a step back to where it stood before it began.
func (c *planCourse) reset(now time.Time, i int, gate string) {
	step, s := &c.plan.Steps[i], &c.steps[i]
	if step.Output != nil {
		s.answered = step.Output
	}
	step.Output = nil
	s.failed, s.input, s.budget = 0, nil, nil
	if c.at[i].begun {
		step.Reworks++
	}
	c.at[i].begun, c.at[i].because, c.at[i].blame = false, "", ""
	step.AgentID, step.SkippedBecause, step.Error, step.Degraded, step.CompletedAt = "", "", nil, false, nil
	if c.at[i].status != sdk.StepPending {
		c.move(now, i, sdk.StepPending, gate)
	}
}
