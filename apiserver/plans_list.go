package apiserver

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type listPlansInput struct {
	Status string `query:"status" doc:"open is every status that is not terminal."`
	Limit  string `query:"limit" doc:"Plans of a page; a page of large ones may have fewer."`
	Cursor string `query:"cursor" doc:"nextCursor of the page before, with the same other parameters; limit may change."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listPlansInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listPlansOutput struct {
	Body sdk.PlanPage
}

func (s *Server) listPlans(ctx context.Context, in *listPlansInput) (*listPlansOutput, error) {
	filter, faults := in.query.planFilter()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needPlans(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if s.checkOwner(ctx) != nil {
		return &listPlansOutput{Body: sdk.PlanPage{Items: []sdk.Plan{}}}, nil
	}
	page, err := s.cfg.Plans.ListPlans(ctx, callerOf(ctx).project, filter, in.query.values.Get("cursor"))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for i := range page.Items {
		page.Items[i] = s.linkedPlan(page.Items[i])
	}
	return &listPlansOutput{Body: page}, nil
}

// planFilter reads the parameters of a list of plans, and names everything that is wrong with them.
func (q query) planFilter() (sdk.PlanFilter, []sdk.Fault) {
	faults := append(q.faults("status", "limit", "cursor"), q.emptyFaults()...)
	f := sdk.PlanFilter{Status: sdk.Status(q.values.Get("status")), Limit: q.limit()}
	faults = append(faults, faultsOf(f.Validate())...)
	sortFaults(faults)
	return f, faults
}
