package engine

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planRun is what a describe says of a plan's run.
type planRun struct {
	runHead
	created         sdk.Plan // as its memo has it
	state           *workflows.PlanState
	digest          string
	cancelRequested bool
}

func (e *Engine) describePlan(ctx context.Context, project, id string) (planRun, error) {
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.PlanWorkflowID(project, id), "")
	if isNotFound(err) {
		return planRun{}, NoSuchPlan()
	}
	if err != nil {
		return planRun{}, err
	}
	return e.decodePlan(ctx, project, id, resp)
}

func (e *Engine) decodePlan(ctx context.Context, project, id string, resp *workflowservice.DescribeWorkflowExecutionResponse) (planRun, error) {
	info := resp.GetWorkflowExecutionInfo()
	if info.GetType().GetName() != workflows.PlanWorkflow {
		return planRun{}, NoSuchPlan()
	}
	r := planRun{runHead: headOf(project, id, info), cancelRequested: resp.GetWorkflowExtendedInfo().GetCancelRequested()}
	known, err := e.decodePlanMemo(&r, info.GetMemo())
	if err != nil || known {
		return r, err
	}
	in, err := e.firstPlanInput(ctx, r) // somebody else started it
	r.created = workflows.NewPlan(in, r.started)
	return r, err
}

// decodePlanMemo answers whether the memo has the plan as it was created.
func (e *Engine) decodePlanMemo(r *planRun, memo *commonpb.Memo) (known bool, err error) {
	created, err := memoField[sdk.Plan](e, memo, workflows.MemoPlan)
	if err != nil {
		return false, err
	}
	if created != nil {
		r.created = *created
	}
	if r.state, err = memoField[workflows.PlanState](e, memo, workflows.MemoPlanState); err != nil {
		return false, err
	}
	digest, err := memoField[string](e, memo, workflows.MemoDigest)
	if digest != nil {
		r.digest = *digest
	}
	return created != nil, err
}

// firstPlanInput is what the run of a plan was started with.
func (e *Engine) firstPlanInput(ctx context.Context, seen planRun) (in workflows.PlanInput, err error) {
	in, err = firstInput[workflows.PlanInput](ctx, e, workflows.PlanWorkflowID(seen.project, seen.id), seen.runID)
	in.Project, in.ID = seen.project, seen.id
	return in, err
}

// planOf is the plan behind a describe: while it runs what its run says, then its record.
func (e *Engine) planOf(ctx context.Context, r planRun) (sdk.Plan, error) {
	if !r.isOpen() {
		return e.endedPlan(ctx, r)
	}
	p, err := e.askPlan(r)
	if err != nil {
		p = e.planBase(r)
		p.Stale = true
	}
	return e.linked(r, openPlan(p)), nil
}

// askPlan is the plan as its run answers. A project's queries leave a place to others.
func (e *Engine) askPlan(r planRun) (sdk.Plan, error) {
	ctx, cancel := context.WithTimeout(e.life, queryTimeout)
	defer cancel()
	own := e.turns(r.project).plans
	if !enter(ctx, own) {
		return sdk.Plan{}, ctx.Err()
	}
	defer func() { <-own }()
	return ask(ctx, e, e.queriesOfPlans, workflows.DescribePlan, workflows.PlanWorkflowID(r.project, r.id))
}

// planBase is the plan as its memo has it, and, when it has ended, as its run's status says. A run that ended without a last word has no
// record, and is stale.
func (e *Engine) planBase(r planRun) sdk.Plan {
	p := r.withState()
	if r.isOpen() {
		return openPlan(p)
	}
	status, _ := endedStatus(r.status)
	if endedOutside(r.status) || status != sdk.StatusCompleted && !p.Status.Terminal() {
		p.Stale = true
		code, message := e.withoutRecord(r.status, nil, "plan")
		return r.broken(p, status, sdk.TaskError{Code: code, Message: message})
	}
	p.Status = status
	if p.CompletedAt == nil {
		closed := r.closed
		p.CompletedAt = &closed
	}
	return withPlanLists(p)
}

// createdAt is when the plan was created: as its memo has it, else when the run started.
func (r planRun) createdAt() time.Time {
	if r.created.CreatedAt.IsZero() {
		return r.started
	}
	return r.created.CreatedAt
}

// withState is the plan as its memo has it.
func (r planRun) withState() sdk.Plan {
	p, s := r.created, r.state
	p.ID = r.id
	if s == nil {
		return p
	}
	p.Status, p.PlanningTaskIDs, p.StartedAt, p.CompletedAt, p.Error = s.Status, s.PlanningTaskIDs, s.StartedAt, s.CompletedAt, s.Error
	if len(p.Steps) == 0 {
		p.Steps = s.Planned
	}
	p.Steps = slices.Clone(p.Steps)
	for i := range min(len(p.Steps), len(s.Steps)) {
		step, now := &p.Steps[i], s.Steps[i]
		step.Status, step.TaskID, step.AgentID, step.Reworks = now.Status, now.TaskID, now.AgentID, now.Reworks
		step.SkippedBecause, step.Error, step.Degraded = now.SkippedBecause, now.Error, now.Degraded
		step.StartedAt, step.CompletedAt = now.StartedAt, now.CompletedAt
	}
	return p
}

// openPlan is a plan whose run is open: one that is settled is about to end.
func openPlan(p sdk.Plan) sdk.Plan {
	if p.Status.Terminal() {
		p.Status, p.CompletedAt, p.Error, p.Outputs = sdk.StatusRunning, nil, nil, nil
	}
	return withPlanLists(p)
}

// withPlanLists makes every list of a plan one that is written as [] or {} when it is empty.
func withPlanLists(p sdk.Plan) sdk.Plan {
	if p.Steps == nil {
		p.Steps = []sdk.Step{}
	}
	if p.Outputs == nil {
		p.Outputs = map[string]json.RawMessage{}
	}
	for i := range p.Steps {
		if p.Steps[i].Needs == nil {
			p.Steps[i].Needs = []string{}
		}
	}
	return p
}
