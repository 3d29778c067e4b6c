package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

// sessionRoutes are the sessions of a project.
func (s *Server) sessionRoutes(api huma.API) {
	const all, one = "/v1/sessions", "/v1/sessions/{id}"
	huma.Register(api, operation(http.MethodPost, all, "open-session", "Open a session", http.StatusCreated), s.openSession)
	huma.Register(api, operation(http.MethodGet, all, "list-sessions", "List sessions", http.StatusOK), s.listSessions)
	huma.Register(api, operation(http.MethodGet, all+"/stats", "count-sessions", "Count the open sessions", http.StatusOK), s.countSessions)
	huma.Register(api, operation(http.MethodGet, one, "get-session", "Read a session", http.StatusOK), s.getSession)
	huma.Register(api, operation(http.MethodDelete, one, "close-session", "Close a session", http.StatusOK), s.closeSession)
	huma.Register(api, operation(http.MethodPost, one+"/tasks", "send-session-task", "Send a task to a session", http.StatusCreated), s.sendSessionTask)
	huma.Register(api, operation(http.MethodGet, one+"/events", "stream-session-events", "Follow a session to its end", http.StatusOK), s.streamSessionEvents)
	huma.Register(api, operation(http.MethodDelete, "/v1/clients/{clientId}/sessions", "close-client-sessions", "Close the sessions of a client", http.StatusOK), s.closeClientSessions)
}

// needSessions refuses what is about sessions on a server that has none.
func (s *Server) needSessions() error {
	if s.cfg.Sessions != nil {
		return nil
	}
	return sdk.Errorf(sdk.CodeUnavailable, "this server has no sessions; ask one that has")
}

// ownedSessions refuses also what is about a session in a project of another organization, as if it were not there.
func (s *Server) ownedSessions(ctx context.Context) error {
	if err := s.needSessions(); err != nil {
		return err
	}
	return s.checkOwner(ctx)
}

// sessionProblem makes the answer for an error about one session. One that is not there and one that is not the caller's look alike.
func (s *Server) sessionProblem(ctx context.Context, err error) *problem {
	if isNotFound(err) {
		err = sdk.Errorf(sdk.CodeNotFound, "there is no such session in this project, or it is older than what is kept")
	}
	return s.problem(ctx, err)
}

// linkedSession is a session with the link to its stream, on a server that has one.
func (s *Server) linkedSession(session sdk.Session) sdk.Session {
	if s.cfg.Events != nil {
		session.Links.Events = "/v1/sessions/" + session.ID + "/events"
	}
	return session
}

type sessionInput struct {
	ID string `path:"id" doc:"The session's id."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *sessionInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

func (in *sessionInput) faults() []sdk.Fault { return append(idFaults(in.ID), in.query.faults()...) }

type sessionOutput struct {
	Body sdk.Session
}

func (s *Server) getSession(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedSessions(ctx); err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	session, err := s.cfg.Sessions.GetSession(ctx, callerOf(ctx).project, in.ID)
	if err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	return &sessionOutput{Body: s.linkedSession(session)}, nil
}

// closeSession closes a session, and answers one that has closed as it is.
func (s *Server) closeSession(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
	if faults := in.faults(); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedSessions(ctx); err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	session, err := s.cfg.Sessions.CloseSession(ctx, callerOf(ctx).project, in.ID)
	if err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	return &sessionOutput{Body: s.linkedSession(session)}, nil
}

type clientSessionsInput struct {
	ClientID string `path:"clientId" doc:"The client's id, as its sessions have it."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *clientSessionsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

// closedSessions is the answer to the close of a client's sessions.
type closedSessions struct {
	Closed int `json:"closed" doc:"How many were open."`
}

type closedSessionsOutput struct {
	Body closedSessions
}

// closeClientSessions closes every open session of a client, of which there may be none.
func (s *Server) closeClientSessions(ctx context.Context, in *clientSessionsInput) (*closedSessionsOutput, error) {
	faults := in.query.faults()
	if !sdk.ValidID(in.ClientID) {
		faults = append(faults, sdk.Fault{Path: "path.clientId", Message: idRule})
	}
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needSessions(); err != nil {
		return nil, s.problem(ctx, err)
	}
	if s.checkOwner(ctx) != nil {
		return &closedSessionsOutput{}, nil
	}
	closed, err := s.cfg.Sessions.CloseClientSessions(ctx, callerOf(ctx).project, in.ClientID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &closedSessionsOutput{Body: closedSessions{closed}}, nil
}
