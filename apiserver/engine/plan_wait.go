package engine

import (
	"context"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// waitedPlan is a plan that is waited for.
type waitedPlan struct {
	e       *Engine
	project string
	seen    sdk.Plan // without the outputs of its steps
}

// WaitPlan answers as soon as the plan has ended, and with its current state when wait has passed or ctx has ended before that.
func (e *Engine) WaitPlan(ctx context.Context, project, id string, wait time.Duration) (sdk.Plan, error) {
	asked := time.Now()
	if wait <= 0 {
		return e.GetPlan(ctx, project, id)
	}
	seen, err := e.GlanceAtPlan(ctx, project, id)
	if err != nil {
		return sdk.Plan{}, err
	}
	if !seen.Status.Terminal() {
		open := asked.Add(-e.cfg.CallTimeout - e.cfg.DescribeTTL) // a read may be as old as a call and what a cache keeps
		if !e.await(ctx, project, workflows.PlanWorkflowID(project, id), &waitedPlan{e: e, project: project, seen: seen}, open, wait) {
			seen.Stale = true
			return seen, nil
		}
	}
	p, err := e.GetPlan(context.WithoutCancel(ctx), project, id)
	if err == nil && seen.Status.Terminal() && !p.Status.Terminal() { // it is known as it was before
		e.forgetPlan(project, id)
		return e.GetPlan(context.WithoutCancel(ctx), project, id)
	}
	return p, err
}

func (w *waitedPlan) look(ctx context.Context) (ended bool, err error) {
	w.e.forgetPlan(w.project, w.seen.ID)
	ctx, cancel := context.WithTimeout(ctx, w.e.cfg.CallTimeout)
	defer cancel()
	r, err := w.e.describePlan(ctx, w.project, w.seen.ID)
	if err != nil {
		return false, fault(err)
	}
	if r.isOpen() {
		w.seen = w.e.linked(r, w.e.planBase(r))
		return false, nil
	}
	if w.seen, err = w.e.endedPlan(ctx, r); err != nil {
		return false, fault(err)
	}
	return true, nil
}

// conclude makes the ended plan of the record. It is false when the event has none, as that of a run that was terminated.
func (w *waitedPlan) conclude(event *historypb.HistoryEvent) bool {
	p, ok := w.e.planRecord(event)
	if !ok {
		return false
	}
	p = completePlan(p, event.GetEventTime().AsTime())
	p.ID, p.CreatedAt, p.Links = w.seen.ID, w.seen.CreatedAt, w.seen.Links
	w.e.endedPlans.put(workflows.PlanWorkflowID(w.project, p.ID), p, planBytes(p), time.Now())
	return true
}
