package engine

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// CreatePlan starts the run of a plan whose request is valid; what that leaves out is filled in. The digest is as in [Engine.CreateTask].
func (e *Engine) CreatePlan(ctx context.Context, in workflows.PlanInput, digest string) (plan sdk.Plan, replayed bool, err error) {
	in.Request, in.CreatedAt = in.Request.Resolve(), time.Now().UTC().Round(0)
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	if err := e.fitsPlan(in); err != nil {
		return sdk.Plan{}, false, err
	}
	created := workflows.NewPlan(in, in.CreatedAt)
	run, err := e.temporal.ExecuteWorkflow(ctx, PlanStartOptions(in, created, digest), workflows.PlanWorkflow, in)
	if _, taken := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); taken {
		plan, err = e.replayPlan(ctx, in.Project, in.ID, digest)
		return plan, err == nil, err
	}
	if err != nil {
		return sdk.Plan{}, false, fault(err)
	}
	created.Links = e.planLinks(in.Project, in.ID, run.GetRunID())
	return created, false, nil
}

// maxPlanInput is how many bytes a plan may take as its run is given it: a little less than the 2 MiB that Temporal takes. A request of the
// API has fewer, but can grow when it is written anew.
const maxPlanInput = 1900 << 10

// fitsPlan refuses a plan that Temporal would not take.
func (e *Engine) fitsPlan(in workflows.PlanInput) error {
	payloads, err := e.cfg.DataConverter.ToPayloads(in)
	if err != nil {
		return fault(err)
	}
	if n := proto.Size(payloads); n > maxPlanInput {
		return sdk.Errorf(sdk.CodePayloadTooLarge, "the plan takes %d bytes with everything that it leaves out, of at most %d: make it smaller", n, maxPlanInput)
	}
	return nil
}

// PlanStartOptions are how the run of a plan is started: p is the plan as it is created, digest as in [Engine.CreatePlan].
func PlanStartOptions(in workflows.PlanInput, p sdk.Plan, digest string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.PlanWorkflowID(in.Project, in.ID),
		TaskQueue:                workflows.ControlQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Memo:                     workflows.PlanStartMemo(p, digest),
		TypedSearchAttributes:    workflows.PlanStartAttributes(in.Project, p),
		StaticSummary:            workflows.PlanSummary(p),
		Priority:                 temporal.Priority{PriorityKey: workflows.PriorityKey(p.Priority), FairnessKey: in.FairnessKey},

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}

// replayPlan answers the plan that has the id already, when it came from the same request.
func (e *Engine) replayPlan(ctx context.Context, project, id, digest string) (sdk.Plan, error) {
	seen, err := e.describePlan(ctx, project, id)
	if err != nil {
		return sdk.Plan{}, fault(err)
	}
	if err := SameRequest("plan", seen.digest, digest); err != nil {
		return sdk.Plan{}, err
	}
	p, err := e.planOf(ctx, seen)
	if err != nil {
		return sdk.Plan{}, fault(err)
	}
	return p, nil
}

// GetPlan answers a plan as it stands: at most [Config.DescribeTTL] old while it runs, from its close event when it has ended. Where its run
// could not be asked in time, it is as that has last shown it, without the outputs of its steps, and stale.
func (e *Engine) GetPlan(ctx context.Context, project, id string) (sdk.Plan, error) {
	return e.readPlan(ctx, project, id, e.plans, "", e.planOf)
}

// GlanceAtPlan answers a plan as its run has last shown it, without asking that anything: its status and times are those of [Engine.GetPlan],
// its steps may be older, and there are no outputs. One whose run left no record is stale.
func (e *Engine) GlanceAtPlan(ctx context.Context, project, id string) (sdk.Plan, error) {
	return e.readPlan(ctx, project, id, e.planGlimpses, glance, func(_ context.Context, r planRun) (sdk.Plan, error) {
		if !r.isOpen() {
			e.metPlan(r)
			workflowID := workflows.PlanWorkflowID(project, id)
			e.plans.forget(workflowID) // whoever is told of the end reads the plan as it has ended
			e.flight.Forget(workflowID)
		}
		return e.linked(r, e.planBase(r)), nil
	})
}

// readPlan answers a plan that is known to have ended, or one from a cache, or from a describe of its run, as [readShared] does.
func (e *Engine) readPlan(
	ctx context.Context, project, id string, known *cache[sdk.Plan], flight string, of func(context.Context, planRun) (sdk.Plan, error),
) (sdk.Plan, error) {
	workflowID := workflows.PlanWorkflowID(project, id)
	if p, ok := e.endedPlans.get(workflowID); ok {
		return p, nil
	}
	return readShared(ctx, e, known, flight, workflowID, planBytes, func(p sdk.Plan) bool { return p.Stale }, func(ctx context.Context) (sdk.Plan, error) {
		seen, err := e.describePlan(ctx, project, id)
		if err != nil {
			return sdk.Plan{}, err
		}
		return of(ctx, seen)
	})
}

// forgetPlan makes the next reader look afresh.
func (e *Engine) forgetPlan(project, id string) {
	workflowID := workflows.PlanWorkflowID(project, id)
	for _, known := range []*cache[sdk.Plan]{e.plans, e.planGlimpses, e.endedPlans} {
		known.forget(workflowID)
	}
	e.flight.Forget(workflowID)
	e.flight.Forget(glance + workflowID)
}

// linked is a plan with its id, when it was created, which its run may tell by another clock, and its links.
func (e *Engine) linked(r planRun, p sdk.Plan) sdk.Plan {
	p.ID, p.CreatedAt, p.Links = r.id, r.createdAt(), e.planLinks(r.project, r.id, r.runID)
	return p
}

func (e *Engine) planLinks(project, id, runID string) sdk.Links {
	return sdk.Links{Self: "/v1/plans/" + id, UI: e.uiLink(workflows.PlanWorkflowID(project, id), runID)}
}

// planBytes is about what a plan takes in memory.
func planBytes(p sdk.Plan) int {
	n := 2048 + len(p.Title) + len(p.Goal) + 160*len(p.PlanningTaskIDs) + errorBytes(p.Error)
	for name, value := range p.Outputs {
		n += 64 + len(name) + len(value)
	}
	for _, s := range p.Steps {
		n += 768 + len(s.Title) + len(s.SkippedBecause) + len(s.Output) + 80*len(s.Needs) + errorBytes(s.Error)
	}
	return n
}

func errorBytes(e *sdk.TaskError) int {
	if e == nil {
		return 0
	}
	return 64 + len(e.Message) + len(e.Details)
}
