package engine

import (
	"context"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// CancelPlan asks a plan and everything below it to stop and answers it as it stands; accepted is false, and nothing is changed, when it has
// ended. A plan that was asked before is not asked again.
func (e *Engine) CancelPlan(ctx context.Context, project, id, reason string) (plan sdk.Plan, accepted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	seen, err := e.describePlan(ctx, project, id)
	if err != nil {
		return sdk.Plan{}, false, fault(err)
	}
	ended := !seen.isOpen()
	if !ended && !seen.cancelRequested {
		if ended, err = e.askToStop(ctx, workflows.PlanWorkflowID(project, id), seen.runID, reason); err != nil {
			return sdk.Plan{}, false, fault(err)
		}
	}
	e.forgetPlan(project, id) // it may be known as it was before
	plan, err = e.GetPlan(ctx, project, id)
	return plan, err == nil && !ended, err
}
