package apiserver

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type listSessionsInput struct {
	ClientID string `query:"clientId" doc:"Those of this client."`
	Status   string `query:"status" doc:"open, closing or closed."`
	Limit    string `query:"limit" doc:"Sessions of a page; a page of large ones may have fewer."`
	Cursor   string `query:"cursor" doc:"nextCursor of the page before, with the same other parameters; limit may change."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listSessionsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listSessionsOutput struct {
	Body sdk.SessionPage
}

func (s *Server) listSessions(ctx context.Context, in *listSessionsInput) (*listSessionsOutput, error) {
	filter, faults := in.query.sessionFilter()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needSessions(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if s.checkOwner(ctx) != nil {
		return &listSessionsOutput{Body: sdk.SessionPage{Items: []sdk.Session{}}}, nil
	}
	page, err := s.cfg.Sessions.ListSessions(ctx, callerOf(ctx).project, filter, in.query.values.Get("cursor"))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for i := range page.Items {
		page.Items[i] = s.linkedSession(page.Items[i])
	}
	return &listSessionsOutput{Body: page}, nil
}

// sessionFilter reads the parameters of a list of sessions, and names everything that is wrong with them.
func (q query) sessionFilter() (sdk.SessionFilter, []sdk.Fault) {
	faults := append(q.faults("clientId", "status", "limit", "cursor"), q.emptyFaults()...)
	f := sdk.SessionFilter{ClientID: q.values.Get("clientId"), Status: sdk.SessionStatus(q.values.Get("status"))}
	f.Limit = q.limit()
	faults = append(faults, faultsOf(f.Validate())...)
	sortFaults(faults)
	return f, faults
}

type countSessionsInput struct{ query query }

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *countSessionsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type countSessionsOutput struct {
	Body sdk.SessionStats
}

func (s *Server) countSessions(ctx context.Context, in *countSessionsInput) (*countSessionsOutput, error) {
	if faults := in.query.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needSessions(); err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &countSessionsOutput{Body: sdk.SessionStats{SessionsByClient: map[string]int{}}}
	if s.checkOwner(ctx) != nil {
		return out, nil
	}
	stats, err := s.cfg.Sessions.SessionStats(ctx, callerOf(ctx).project)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if stats.SessionsByClient == nil {
		stats.SessionsByClient = map[string]int{}
	}
	out.Body = stats
	return out, nil
}
