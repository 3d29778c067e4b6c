package workflows

import (
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ParsePlanEventsPartID is the inverse of [PlanEventsWorkflowID], whose part is 0, and of [PlanEventsPartID]; ok is false for the id of
// something else.
func ParsePlanEventsPartID(workflowID string) (project, id string, part int, ok bool) {
	rest, found := strings.CutPrefix(workflowID, planEventsPrefix)
	if !found {
		return "", "", 0, false
	}
	return ParseEventsWorkflowID("events:" + rest)
}

// PlanTerminalEvent is event seq of a plan's story: plan.completed, plan.failed or plan.cancelled. The plan is the record of a run that ended.
func PlanTerminalEvent(in PlanInput, p sdk.Plan, seq int) sdk.Event {
	ended := p.CreatedAt
	if p.CompletedAt != nil {
		ended = *p.CompletedAt
	}
	d := sdk.PlanEnded{
		PlanID: in.ID, Status: p.Status, DurationMs: max(ended.Sub(p.CreatedAt).Milliseconds(), 0), Outputs: p.Outputs, Error: p.Error,
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
		default:
		}
	}
	if size, err := EncodedSize(p.Outputs); err != nil || size > sdk.MaxEventOutput {
		d.Outputs, d.OutputsOmitted, d.Links = nil, true, &sdk.EventLinks{Plan: "/v1/plans/" + in.ID}
	}
	return PlanEvent(in, seq, ended, planEventOf(p.Status), d)
}

func planEventOf(s sdk.Status) sdk.EventType {
	switch s {
	case sdk.StatusCompleted:
		return sdk.EventPlanCompleted
	case sdk.StatusCancelled:
		return sdk.EventPlanCancelled
	default:
		return sdk.EventPlanFailed
	}
}

// EndsPlanStory reports whether an event of this type is the last of a plan's story.
func EndsPlanStory(t sdk.EventType) bool {
	return t == sdk.EventPlanCompleted || t == sdk.EventPlanFailed || t == sdk.EventPlanCancelled
}
