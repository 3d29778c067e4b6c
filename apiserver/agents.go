package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/google/uuid"

	"github.com/rolecall-dev/rolecall/sdk"
)

// agentRoutes are the registry of agents, and the roles that they work for.
func (s *Server) agentRoutes(api huma.API) {
	const all, one = "/v1/agents", "/v1/agents/{id}"
	huma.Register(api, operation(http.MethodPost, all, "register-agent", "Register an agent", http.StatusCreated), s.registerAgent)
	huma.Register(api, operation(http.MethodGet, all, "list-agents", "List agents", http.StatusOK), s.listAgents)
	huma.Register(api, operation(http.MethodGet, one, "get-agent", "Read an agent", http.StatusOK), s.getAgent)
	huma.Register(api, operation(http.MethodDelete, one, "deregister-agent", "Remove an agent", http.StatusNoContent), s.deregisterAgent)
	huma.Register(api, operation(http.MethodPost, one+"/heartbeat", "heartbeat-agent", "Say that an agent is there", http.StatusOK), s.heartbeatAgent)
	huma.Register(api, operation(http.MethodGet, "/v1/roles", "list-roles", "List roles: who is there, who asks for work, what waits", http.StatusOK), s.listRoles)
}

func isNotFound(err error) bool { return errors.Is(err, sdk.ErrNotFound) }

type registerAgentInput struct {
	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *registerAgentInput) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

type registerAgentOutput struct {
	Location string `header:"Location" doc:"The path of the agent."`
	Body     sdk.Agent
}

type agentOutput struct {
	Body sdk.Agent
}

// registerAgent registers an agent, in the place of the one with its id.
func (s *Server) registerAgent(ctx context.Context, in *registerAgentInput) (*registerAgentOutput, error) {
	d, fault := decode[sdk.AgentRequest](in.body)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(in.query.faults()...)
	d.add(faultsOf(d.value.Validate())...)
	d.add(s.secretsInAgent(d.value)...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.needAgents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	request, clean := d.value, s.redaction.Redactor
	request.Name, request.Metadata = cutRunes(clean.String(request.Name), sdk.MaxAgentName), redactMetadata(clean, request.Metadata)
	if request.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		request.ID = id.String()
	}
	who := callerOf(ctx)
	entry, fault := s.projects.enter(who)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	defer entry.leave()
	agent, err := s.cfg.Agents.Register(ctx, who.project, who.organization, request)
	entry.created = err == nil
	s.addressees.forget(who.project, request.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &registerAgentOutput{Location: "/v1/agents/" + agent.ID, Body: s.withPolling(ctx, agent)}, nil
}

// secretsInAgent refuses names of an agent that hold a secret: redacted, two would become one.
func (s *Server) secretsInAgent(r sdk.AgentRequest) (faults []sdk.Fault) {
	clean := s.redaction.Redactor
	refuse := func(path, name string) {
		if clean.String(name) != name {
			faults = append(faults, sdk.Fault{Path: path, Message: secretInID})
		}
	}
	refuse("$.id", r.ID)
	for i, c := range r.Capabilities[:min(len(r.Capabilities), sdk.MaxCapabilities)] {
		refuse(fmt.Sprintf("$.capabilities[%d]", i), sdk.Cut(c, sdk.MaxCapability))
	}
	return faults
}

// faultsOf are the faults of a refusal.
func faultsOf(err error) []sdk.Fault {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e.Faults
	}
	return nil
}

type agentBody struct {
	ID string `path:"id" doc:"The agent's id."`

	body  requestBody
	query query
}

// Resolve takes the body and the whole query.
func (in *agentBody) Resolve(ctx huma.Context) []error {
	in.body, in.query = readBody(humagin.Unwrap(ctx)), queryOf(ctx.URL())
	return nil
}

// heartbeatAgent takes what an agent says of itself.
func (s *Server) heartbeatAgent(ctx context.Context, in *agentBody) (*agentOutput, error) {
	d, fault := decode[sdk.AgentHeartbeat](in.body.orEmpty())
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	d.add(idFaults(in.ID)...)
	d.add(in.query.faults()...)
	d.add(faultsOf(d.value.Validate())...)
	if err := d.err(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.ownedAgents(ctx); err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	heartbeat := d.value
	heartbeat.Metadata = redactMetadata(s.redaction.Redactor, heartbeat.Metadata)
	agent, err := s.cfg.Agents.Heartbeat(ctx, callerOf(ctx).project, in.ID, heartbeat)
	if err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	return &agentOutput{Body: s.withPolling(ctx, agent)}, nil
}

type agentInput struct {
	ID string `path:"id" doc:"The agent's id."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *agentInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

func (in *agentInput) faults() []sdk.Fault { return append(idFaults(in.ID), in.query.faults()...) }

func (s *Server) getAgent(ctx context.Context, in *agentInput) (*agentOutput, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedAgents(ctx); err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	agent, err := s.cfg.Agents.Get(ctx, callerOf(ctx).project, in.ID)
	if err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	return &agentOutput{Body: s.withPolling(ctx, agent)}, nil
}

func (s *Server) deregisterAgent(ctx context.Context, in *agentInput) (*struct{}, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedAgents(ctx); err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	err := s.cfg.Agents.Deregister(ctx, callerOf(ctx).project, in.ID)
	s.addressees.forget(callerOf(ctx).project, in.ID)
	if err != nil {
		return nil, s.agentProblem(ctx, err)
	}
	return nil, nil //nolint:nilnil // an answer without a body
}
