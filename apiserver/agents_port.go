package apiserver

import (
	"context"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Agents is what the server needs of the registry of agents. Every error is an [sdk.Error]; the message of one with code internal goes to the
// log only. Projects and ids are well-formed when they get there, and requests are valid.
type Agents interface {
	// Register registers an agent, in the place of the one with its id. The request has one.
	Register(ctx context.Context, project, organization string, request sdk.AgentRequest) (sdk.Agent, error)
	// Heartbeat takes what an agent says of itself.
	Heartbeat(ctx context.Context, project, id string, heartbeat sdk.AgentHeartbeat) (sdk.Agent, error)
	// Get answers an agent. Of Polling it knows what came by Polled. It may be slow: it asks a server.
	Get(ctx context.Context, project, id string) (sdk.Agent, error)
	// List answers every agent of a project, by id.
	List(ctx context.Context, project string) ([]sdk.Agent, error)
	// Deregister removes an agent.
	Deregister(ctx context.Context, project, id string) error
	// Polled says that an agent, which need not be registered, asks for work over HTTP now. It does not wait.
	Polled(project, id string)
}

// needAgents refuses what is about agents on a server that has no registry.
func (s *Server) needAgents() error {
	if s.cfg.Agents != nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, "this server has no registry of agents; ask one that has")
}

// ownedAgents refuses also what is about an agent in a project of another organization, as if it were not there.
func (s *Server) ownedAgents(ctx context.Context) error {
	if err := s.needAgents(); err != nil {
		return err
	}
	if s.checkOwner(ctx) != nil {
		return sdk.ErrNotFound
	}
	return nil
}

// agentProblem makes the answer for an error about one agent. One that is not there and one that is not the caller's look alike.
func (s *Server) agentProblem(ctx context.Context, err error) *problem {
	if isNotFound(err) {
		err = sdk.Errorf(sdk.CodeNotFound, "there is no such agent in this project: it was not registered, was removed, or was offline for a week")
	}
	return s.problem(ctx, err)
}
