package engine

import (
	"context"
	"strings"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// ListPlans answers a page of a project's plans, without outputs; the filter is valid. One that runs, or whose run
// left no record, is as its run has last shown it, and stale. A cursor and its turns are as in [Engine.ListTasks].
func (e *Engine) ListPlans(ctx context.Context, project string, filter sdk.PlanFilter, cursor string) (sdk.PlanPage, error) {
	items, next, err := listPage(ctx, e, project, PlanQuery(project, filter), filter.Limit, cursor, e.listLarge, e.listedPlan)
	return sdk.PlanPage{Items: items, NextCursor: next}, err
}

// PlanQuery is a filter as Temporal's visibility takes it: always the plans of one project.
func PlanQuery(project string, f sdk.PlanFilter) string {
	return strings.Join(append(runsOf(workflows.PlanWorkflow, project), statusTerms(f.Status)...), " AND ")
}

// listedPlan is the plan of a listed run.
func (e *Engine) listedPlan(project string, info *workflowpb.WorkflowExecutionInfo) (sdk.Plan, bool) {
	in, id, ok := workflows.ParsePlanWorkflowID(info.GetExecution().GetWorkflowId())
	if !ok || in != project {
		return sdk.Plan{}, false
	}
	r := planRun{runHead: headOf(project, id, info)}
	if known, err := e.decodePlanMemo(&r, info.GetMemo()); !known || err != nil { // one that can not be read leaves less to say
		r.created, r.state = sdk.Plan{Status: sdk.StatusRunning}, nil
	}
	p := e.linked(r, e.planBase(r))
	p.Stale = p.Stale || r.isOpen()
	return p, true
}
