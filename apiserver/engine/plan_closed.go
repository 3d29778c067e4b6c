package engine

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// endedPlan is the plan of a closed run, kept for the next readers.
func (e *Engine) endedPlan(ctx context.Context, r planRun) (sdk.Plan, error) {
	p, err := e.closedPlan(ctx, r, e.askPlan)
	if err != nil {
		return sdk.Plan{}, err
	}
	e.metPlan(r)
	p = e.linked(r, p)
	asOf := time.Now()
	if p.Stale {
		asOf = asOf.Add(e.cfg.DescribeTTL - finishedTTL)
	}
	e.endedPlans.put(workflows.PlanWorkflowID(r.project, r.id), p, planBytes(p), asOf)
	return p, nil
}

// closedPlan is the plan of a run that has ended. Its record is in the close event. Where there is none, because the run was terminated,
// timed out or broke, the plan is failed, and built from what the run answers to asking even so, or else, stale, from what it left in its memo.
func (e *Engine) closedPlan(ctx context.Context, r planRun, asking func(planRun) (sdk.Plan, error)) (sdk.Plan, error) {
	event, err := e.closeEvent(ctx, workflows.PlanWorkflowID(r.project, r.id), r.runID)
	if err != nil {
		return sdk.Plan{}, err
	}
	if p, ok := e.planRecord(event); ok {
		return completePlan(p, r.closed), nil
	}
	status := sdk.StatusFailed
	if r.status == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		status = sdk.StatusCancelled
	}
	p, err := asking(r)
	if err != nil {
		p = r.withState()
		p.Stale = r.state != nil || !isNotReady(err) // a run that never made a step has nothing to say
	}
	code, message := e.withoutRecord(r.status, event, "plan")
	return r.broken(p, status, sdk.TaskError{Code: code, Message: message}), nil
}

// planRecord is the plan's record in a run's close event; false where there is none. event may be nil.
func (e *Engine) planRecord(event *historypb.HistoryEvent) (sdk.Plan, bool) {
	p, status, ok := recordIn[sdk.Plan](e, event)
	return p, ok && p.Status == status
}

// completePlan fills a record up with what stays outside it.
func completePlan(p sdk.Plan, closed time.Time) sdk.Plan {
	if p.CompletedAt == nil {
		p.CompletedAt = &closed
	}
	return withPlanLists(p)
}

// broken is the plan of a run that ended without a record, as it was then: what had not ended is cancelled.
func (r planRun) broken(p sdk.Plan, status sdk.Status, why sdk.TaskError) sdk.Plan {
	closed := r.closed
	p.Status, p.CompletedAt, p.Error = status, &closed, &why
	for i := range p.Steps {
		if s := &p.Steps[i]; !s.Status.Terminal() {
			s.Status, s.CompletedAt = sdk.StepCancelled, &closed
		}
	}
	return withPlanLists(p)
}
