package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	maxAgentsSeen = 1000 // registered agents that doctor looks at
	maxRolesSeen  = 50   // roles whose queues doctor looks at
	maxNamed      = 5    // agents that one finding names
)

// lookAtAgents looks at who is registered; nothing where the service does not tell.
func (e *examination) lookAtAgents(ctx context.Context, service *sdk.Client) {
	e.now = time.Now()
	for a, err := range service.Agents(ctx, sdk.AgentFilter{Limit: sdk.MaxPage}) {
		if err != nil || len(e.Agents) == maxAgentsSeen {
			return
		}
		e.Agents = append(e.Agents, *a)
	}
}

// withOtherRoles adds the roles that the service has tasks or agents for beside the given ones; nothing where it does not tell.
func withOtherRoles(ctx context.Context, service *sdk.Client, roles []sdk.Role) []sdk.Role {
	states, err := service.Roles(ctx)
	if err != nil {
		return roles
	}
	roles = slices.Clone(roles)
	for _, s := range states {
		if !slices.Contains(roles, s.Role) && len(roles) < maxRolesSeen {
			roles = append(roles, s.Role)
		}
	}
	return roles
}

// agentFaults are the agents that are there and ask for no work, although they could take some.
func agentFaults(e examination) (found []finding) {
	for _, role := range agentRoles(e.Agents) {
		var names []string
		for _, a := range e.Agents {
			if a.Role == role && e.isMute(a) {
				names = append(names, fmt.Sprintf("%s (%s, registered %s ago)", a.ID, a.Status, span(e.now.Sub(a.RegisteredAt).Truncate(time.Second))))
			}
		}
		if len(names) == 0 {
			continue
		}
		found = append(found, finding{
			fmt.Sprintf("registered for role %s, alive and not asking for work, so that no task reaches it: %s", role, named(names)),
			fmt.Sprintf("look at its program: a role worker asks Temporal (its TEMPORAL_* variables and PROJECT_ID), an agent over HTTP calls POST /v1/roles/%s/claim "+
				"with its id; one that is not needed is removed with DELETE /v1/agents/<id>", role),
		})
	}
	return found
}

// isMute reports whether an agent that is there and idle does not ask for a task. One that has just been registered has not had the time, and
// one that works may have no room.
func (e examination) isMute(a sdk.Agent) bool {
	settled := e.now.Sub(a.RegisteredAt) >= time.Duration(a.HeartbeatIntervalMs)*time.Millisecond
	return e.Temporal.Reachable && a.Status == sdk.AgentIdle && !a.Polling && !a.PollingUnknown && settled
}

// agentRemarks are the agents that are offline.
func agentRemarks(e examination) (found []finding) {
	for _, role := range agentRoles(e.Agents) {
		var names []string
		for _, a := range e.Agents {
			if a.Role == role && a.Status == sdk.AgentOffline {
				names = append(names, fmt.Sprintf("%s (last seen %s ago)", a.ID, span(e.now.Sub(a.LastSeenAt).Truncate(time.Second))))
			}
		}
		if len(names) > 0 {
			found = append(found, finding{
				fmt.Sprintf("offline, of role %s: %s", role, named(names)),
				"its process has ended or can not reach the API; start it again, or leave it: it is forgotten after a week offline",
			})
		}
	}
	return found
}

func agentRoles(agents []sdk.Agent) (roles []sdk.Role) {
	seen := map[sdk.Role]bool{}
	for _, a := range agents {
		if !seen[a.Role] {
			seen[a.Role] = true
			roles = append(roles, a.Role)
		}
	}
	return roles
}

// named lists the first of some names and counts the others.
func named(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed:maxNamed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// agentsText counts the registered agents for people.
func agentsText(agents []sdk.Agent) string {
	n := map[sdk.AgentStatus]int{}
	for _, a := range agents {
		n[a.Status]++
	}
	return fmt.Sprintf("%d registered: %d idle, %d busy, %d offline", len(agents), n[sdk.AgentIdle], n[sdk.AgentBusy], n[sdk.AgentOffline])
}
