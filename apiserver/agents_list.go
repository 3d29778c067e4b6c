package apiserver

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type listAgentsInput struct {
	Role       string `query:"role" doc:"Those that work for this role."`
	Capability string `query:"capability" doc:"Those that have this capability."`
	Status     string `query:"status" doc:"idle, busy or offline."`
	Limit      string `query:"limit" doc:"Agents of a page."`
	Cursor     string `query:"cursor" doc:"nextCursor of the page before, with the same other parameters; limit may change."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listAgentsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listAgentsOutput struct {
	Body sdk.AgentPage
}

// listAgents answers a page of a project's agents, by id.
func (s *Server) listAgents(ctx context.Context, in *listAgentsInput) (*listAgentsOutput, error) {
	filter, faults := in.query.agentFilter()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needAgents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	project := callerOf(ctx).project
	after := ""
	if in.query.values.Has("cursor") {
		raw, err := s.seals.Open(purposeAgents(project, filter), in.query.values.Get("cursor"))
		if err != nil {
			return nil, s.problem(ctx, invalid([]sdk.Fault{{
				Path: "query.cursor", Message: "is not one of this filter: send nextCursor as it came, with the same parameters, or leave it out to begin anew",
			}}))
		}
		after = string(raw)
	}
	out := &listAgentsOutput{Body: sdk.AgentPage{Items: []sdk.Agent{}}}
	if s.checkOwner(ctx) != nil {
		return out, nil
	}
	all, err := s.cfg.Agents.List(ctx, project)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	limit := filter.Limit
	if limit == 0 {
		limit = sdk.DefaultPage
	}
	chosen := slices.DeleteFunc(all, func(a sdk.Agent) bool { return a.ID <= after && after != "" || !chosenBy(filter, a) })
	if len(chosen) > limit {
		chosen = chosen[:limit]
		if out.Body.NextCursor, err = s.seals.Seal(purposeAgents(project, filter), []byte(chosen[limit-1].ID)); err != nil {
			return nil, s.problem(ctx, err)
		}
	}
	out.Body.Items = append(out.Body.Items, chosen...)
	s.joinPolling(ctx, out.Body.Items)
	return out, nil
}

// purposeAgents keeps a cursor to its filter.
func purposeAgents(project string, f sdk.AgentFilter) string {
	return strings.Join([]string{"agents", project, string(f.Role), string(f.Status), f.Capability}, "/")
}

func chosenBy(f sdk.AgentFilter, a sdk.Agent) bool {
	return (f.Role == "" || f.Role == a.Role) && (f.Status == "" || f.Status == a.Status) &&
		(f.Capability == "" || slices.Contains(a.Capabilities, f.Capability))
}

// agentFilter reads the parameters of a list of agents, and names everything that is wrong with them.
func (q query) agentFilter() (sdk.AgentFilter, []sdk.Fault) {
	faults := append(q.faults("role", "capability", "status", "limit", "cursor"), q.emptyFaults()...)
	f := sdk.AgentFilter{
		Role: sdk.Role(q.values.Get("role")), Capability: q.values.Get("capability"), Status: sdk.AgentStatus(q.values.Get("status")),
	}
	f.Limit = q.limit()
	faults = append(faults, faultsOf(f.Validate())...)
	sortFaults(faults)
	return f, faults
}
