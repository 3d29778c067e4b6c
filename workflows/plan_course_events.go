package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// tell adds an event of the plan's own.
func (c *planCourse) tell(at time.Time, t sdk.EventType, data any) {
	c.seq++
	c.events = append(c.events, PlanEvent(c.in, c.seq, at, t, data))
}

// tellCreated tells of the plan at the time when it was created.
func (c *planCourse) tellCreated() {
	p := c.plan
	c.tell(p.CreatedAt, sdk.EventPlanCreated, sdk.PlanCreated{
		PlanID: p.ID, Title: p.Title, Goal: p.Goal, Steps: len(c.in.Request.Steps), MaxParallel: p.MaxParallel, OnFailure: p.OnFailure, Priority: p.Priority,
	})
}

// tellStarted tells that the steps are known, and begin.
func (c *planCourse) tellStarted(now time.Time) {
	d := sdk.PlanStarted{PlanID: c.in.ID, StartedAt: now}
	for _, s := range c.plan.Steps {
		d.Steps = append(d.Steps, sdk.PlanStartedStep{ID: s.ID, Type: s.Type, Role: s.Role, Title: s.Title, Needs: s.Needs})
	}
	if size, err := EncodedSize(d.Steps); err != nil || size > sdk.MaxEventOutput {
		d.Steps, d.StepsOmitted, d.Links = nil, true, planLinks(c.in.ID)
	}
	c.tell(now, sdk.EventPlanStarted, d)
}

// tellStep tells that a step has gone from one status to where it stands.
func (c *planCourse) tellStep(now time.Time, i int, from sdk.StepStatus, reworkFor string) {
	s := c.plan.Steps[i]
	c.tell(now, sdk.EventPlanStep, sdk.PlanStepped{
		PlanID: c.in.ID, Step: s.ID, From: from, To: s.Status, TaskID: s.TaskID, AgentID: s.AgentID, Reworks: s.Reworks, ReworkFor: reworkFor,
		SkippedBecause: s.SkippedBecause, Error: s.Error,
	})
}

// PlanTerminalEvent is event seq of a plan's story, the last: plan.completed, plan.failed or plan.cancelled. The plan is the record of a run
// that ended.
func PlanTerminalEvent(in PlanInput, p sdk.Plan, seq int) sdk.Event {
	d := sdk.PlanEnded{PlanID: in.ID, Status: p.Status, Outputs: p.Outputs, Error: p.Error, PlanningTaskIDs: p.PlanningTaskIDs}
	at := p.CreatedAt
	if p.CompletedAt != nil {
		at = *p.CompletedAt
		d.DurationMs = max(at.Sub(p.CreatedAt).Milliseconds(), 0)
	}
	for _, s := range p.Steps {
		switch s.Status {
		case sdk.StepCompleted:
			d.Completed++
		case sdk.StepFailed:
			d.Failed++
		case sdk.StepCancelled:
			d.Cancelled++
		case sdk.StepSkipped:
			d.Skipped++
		default: // a run that was ended from outside leaves them as they stood
		}
	}
	if size, err := EncodedSize(d.Outputs); err != nil || size > sdk.MaxEventOutput {
		d.Outputs, d.OutputsOmitted, d.Links = nil, true, planLinks(in.ID)
	}
	t := sdk.EventPlanCompleted
	switch p.Status {
	case sdk.StatusFailed:
		t = sdk.EventPlanFailed
	case sdk.StatusCancelled:
		t = sdk.EventPlanCancelled
	default:
	}
	return PlanEvent(in, seq, at, t, d)
}

func planLinks(id string) *sdk.EventLinks { return &sdk.EventLinks{Plan: "/v1/plans/" + id} }
