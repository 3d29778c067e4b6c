package apiserver

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	rolesAtOnce   = 4               // queues that are looked at for one request
	rolesTry      = 3 * time.Second // for all of them; what is not seen by then is not known
	openRolesTry  = time.Second     // of that for the roles of open tasks, which are looked for before
	maxOtherRoles = 100             // beside the built-in ones in one answer
	maxRoleLooks  = 50              // roles whose queues are looked at for a list of agents; of the others it is not known who asks
	maxPollers    = 200             // of a role in one answer
)

type listRolesInput struct{ query query }

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listRolesInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listRolesOutput struct {
	Body sdk.RoleList
}

// listRoles answers the built-in roles and then the others: those that agents are registered for, and those of open tasks.
func (s *Server) listRoles(ctx context.Context, in *listRolesInput) (*listRolesOutput, error) {
	if faults := in.query.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needAgents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	project := callerOf(ctx).project
	looks, cancel := context.WithTimeout(ctx, rolesTry)
	defer cancel()
	var agents []sdk.Agent
	var open []sdk.Role
	owned := s.checkOwner(ctx) == nil
	if owned {
		try, done := context.WithTimeout(looks, openRolesTry)
		open = s.tasks.OpenRoles(try, project)
		done()
		var err error
		if agents, err = s.cfg.Agents.List(ctx, project); err != nil {
			return nil, s.problem(ctx, err)
		}
	}
	roles := rolesOf(agents, open)
	states := make([]sdk.RoleState, len(roles))
	if owned {
		states = s.lookAtRoles(looks, project, roles)
	}
	for i, role := range roles {
		states[i].Role, states[i].Description, states[i].Agents = role, description(role), countAgents(agents, role)
		states[i].Pollers = append([]sdk.Poller{}, states[i].Pollers[:min(len(states[i].Pollers), maxPollers)]...)
	}
	return &listRolesOutput{Body: sdk.RoleList{Items: states}}, nil
}

// rolesOf are the built-in roles, in their order, and the others of open tasks and of agents, by name.
func rolesOf(agents []sdk.Agent, open []sdk.Role) (roles []sdk.Role) {
	for _, r := range sdk.BuiltinRoles() {
		roles = append(roles, r.Role)
	}
	builtin := len(roles)
	for _, a := range agents {
		open = append(open, a.Role)
	}
	for _, role := range open {
		if !slices.Contains(roles, role) && len(roles) < builtin+maxOtherRoles {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles[builtin:])
	return roles
}

func description(role sdk.Role) string {
	for _, r := range sdk.BuiltinRoles() {
		if r.Role == role {
			return r.Description
		}
	}
	return ""
}

func countAgents(agents []sdk.Agent, role sdk.Role) (n sdk.RoleAgents) {
	for _, a := range agents {
		switch {
		case a.Role != role:
		case a.Status == sdk.AgentOffline:
			n.Offline++
		case a.Status == sdk.AgentBusy:
			n.Busy++
		default:
			n.Idle++
		}
	}
	return n
}

// lookAtRoles answers what is seen of the roles' queues, a few at a time, within rolesTry.
func (s *Server) lookAtRoles(ctx context.Context, project string, roles []sdk.Role) []sdk.RoleState {
	ctx, cancel := context.WithTimeout(ctx, rolesTry)
	defer cancel()
	states := make([]sdk.RoleState, len(roles))
	var group errgroup.Group
	group.SetLimit(rolesAtOnce)
	for i, role := range roles {
		group.Go(func() error {
			if states[i] = (sdk.RoleState{Role: role, Unknown: true}); ctx.Err() == nil {
				states[i] = s.tasks.LookAtRole(ctx, project, role)
			}
			return nil
		})
	}
	_ = group.Wait() // what could not be looked at says so itself
	return states
}

// withPolling is an agent with whether it asks for work as Temporal sees it, beside what is known of its claims over HTTP.
func (s *Server) withPolling(ctx context.Context, a sdk.Agent) sdk.Agent {
	one := []sdk.Agent{a}
	s.joinPolling(ctx, one)
	return one[0]
}

// joinPolling enters of agents, which are all of the caller's project, who asks for work as Temporal sees it, or that nobody could look.
func (s *Server) joinPolling(ctx context.Context, agents []sdk.Agent) {
	var roles []sdk.Role
	for i, a := range agents {
		if a.Status == sdk.AgentOffline || a.Polling {
			continue
		}
		agents[i].PollingUnknown = true
		if !slices.Contains(roles, a.Role) && len(roles) < maxRoleLooks {
			roles = append(roles, a.Role)
		}
	}
	for _, state := range s.lookAtRoles(ctx, callerOf(ctx).project, roles) {
		if state.Unknown {
			continue
		}
		asks := make(map[string]bool, len(state.Pollers))
		for _, p := range state.Pollers {
			asks[p.Identity] = true
		}
		for i, a := range agents {
			if a.Role == state.Role && a.PollingUnknown {
				agents[i].Polling, agents[i].PollingUnknown = asks[a.ID], false
			}
		}
	}
}
