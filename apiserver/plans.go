package apiserver

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planRoutes are the plans of a project.
func (s *Server) planRoutes(api huma.API) {
	const all, one = "/v1/plans", "/v1/plans/{id}"
	huma.Register(api, operation(http.MethodPost, all, "create-plan", "Delegate a piece of work of several tasks", http.StatusCreated), s.createPlan)
	huma.Register(api, operation(http.MethodGet, all, "list-plans", "List plans", http.StatusOK), s.listPlans)
	huma.Register(api, operation(http.MethodGet, one, "get-plan", "Read a plan, or wait for its end", http.StatusOK), s.getPlan)
	huma.Register(api, operation(http.MethodPost, one+"/cancel", "cancel-plan", "Stop a plan and its tasks", http.StatusAccepted), s.cancelPlan)
	huma.Register(api, operation(http.MethodGet, one+"/events", "stream-plan-events", "Follow a plan and its tasks to its end", http.StatusOK), s.streamPlanEvents)
}

// needPlans refuses what is about plans on a server that has none.
func (s *Server) needPlans() error {
	if s.cfg.Plans != nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, "this server has no plans; ask one that has")
}

// ownedPlan refuses also what is about a plan in a project of another organization, as if it were not there, and an id that no plan has:
// those of its tasks are longer.
func (s *Server) ownedPlan(ctx context.Context, id string) error {
	if err := s.needPlans(); err != nil {
		return err
	}
	if len(id) > workflows.MaxPlanID {
		return sdk.Errorf(sdk.CodeNotFound, "the id of a plan has at most %d characters", workflows.MaxPlanID)
	}
	return s.checkOwner(ctx)
}

// planProblem makes the answer for an error about one plan. One that is not there and one that is not the caller's look alike.
func (s *Server) planProblem(ctx context.Context, err error) *problem {
	if isNotFound(err) {
		err = sdk.Errorf(sdk.CodeNotFound, "there is no such plan in this project, or it is older than what is kept")
	}
	return s.problem(ctx, err)
}

// linkedPlan is a plan with the link to its stream, on a server that has one.
func (s *Server) linkedPlan(plan sdk.Plan) sdk.Plan {
	if s.cfg.Events != nil {
		plan.Links.Events = "/v1/plans/" + plan.ID + "/events"
	}
	return plan
}

type getPlanInput struct {
	ID     string `path:"id" doc:"The plan's id."`
	WaitMs string `query:"waitMs" doc:"Wait at most so many milliseconds for the plan's end, then answer its current state."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *getPlanInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type planOutput struct {
	Status int
	Body   sdk.Plan
}

func (s *Server) getPlan(ctx context.Context, in *getPlanInput) (*planOutput, error) {
	waitMs, faults := in.query.waitMs()
	faults = append(idFaults(in.ID), append(in.query.faults("waitMs"), faults...)...)
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedPlan(ctx, in.ID); err != nil {
		return nil, s.planProblem(ctx, err)
	}
	plan, err := s.readPlan(ctx, callerOf(ctx).project, in.ID, time.Duration(waitMs)*time.Millisecond)
	if err != nil {
		return nil, s.planProblem(ctx, err)
	}
	return &planOutput{Status: http.StatusOK, Body: s.linkedPlan(plan)}, nil
}

// readPlan reads a plan, or waits for its end; a wait ends early when the server stops.
func (s *Server) readPlan(ctx context.Context, project, id string, wait time.Duration) (sdk.Plan, error) {
	if wait == 0 || s.draining.Err() != nil {
		return s.cfg.Plans.GetPlan(ctx, project, id)
	}
	leave, fault := s.waits.enter(callerOf(ctx))
	if fault != nil {
		return sdk.Plan{}, fault
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	return s.cfg.Plans.WaitPlan(ctx, project, id, wait)
}

type cancelPlanInput struct {
	ID string `path:"id" doc:"The plan's id."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *cancelPlanInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

// cancelPlan ends a plan and everything below it, and answers one that has ended as it is.
func (s *Server) cancelPlan(ctx context.Context, in *cancelPlanInput) (*planOutput, error) {
	reason, err := s.reasonOf(in.body, append(idFaults(in.ID), in.query.faults()...))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.ownedPlan(ctx, in.ID); err != nil {
		return nil, s.planProblem(ctx, err)
	}
	plan, accepted, err := s.cfg.Plans.CancelPlan(ctx, callerOf(ctx).project, in.ID, reason)
	if err != nil {
		return nil, s.planProblem(ctx, err)
	}
	out := &planOutput{Status: http.StatusOK, Body: s.linkedPlan(plan)}
	if accepted {
		out.Status = http.StatusAccepted
	}
	return out, nil
}
