package apiserver

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// memorySessions keeps sessions in memory, with the engine's rules about ids and digests, so that the HTTP side can be tested alone.
type memorySessions struct {
	mu       sync.Mutex
	sessions map[string]sdk.Session
	digests  map[string]string
	opened   []workflows.SessionInput
	sent     []workflows.SendTaskInput
	filter   sdk.SessionFilter // of the last list
	failure  error
}

func newMemorySessions() *memorySessions {
	return &memorySessions{sessions: map[string]sdk.Session{}, digests: map[string]string{}}
}

// sessionsOf are those of a test's server.
func sessionsOf(t testing.TB, s *Server) *memorySessions {
	t.Helper()
	m, ok := s.cfg.Sessions.(*memorySessions)
	if !ok {
		t.Fatalf("the server's sessions are %T", s.cfg.Sessions)
	}
	return m
}

func (m *memorySessions) put(project string, session sdk.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[project+"/"+session.ID] = session
}

func (m *memorySessions) OpenSession(_ context.Context, in workflows.SessionInput, digest string) (sdk.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := in.Project + "/" + in.ID
	if m.failure != nil {
		return sdk.Session{}, false, m.failure
	}
	if first, taken := m.sessions[key]; taken {
		if m.digests[key] != digest {
			return sdk.Session{}, false, sdk.Errorf(sdk.CodeIdempotencyMismatch, "another body")
		}
		return first, true, nil
	}
	c := in.Config
	session := sdk.Session{
		ID: in.ID, Status: sdk.SessionOpen, CostTier: c.CostTier, OrchestratorModel: c.OrchestratorModel, ExecutorModel: c.ExecutorModel,
		ClientID: c.ClientID, Metadata: c.Metadata, CreatedAt: time.Now(), LastActivityAt: time.Now(), Links: sdk.Links{Self: "/v1/sessions/" + in.ID},
	}
	m.sessions[key], m.digests[key], m.opened = session, digest, append(m.opened, in)
	return session, false, nil
}

func (m *memorySessions) GetSession(_ context.Context, project, id string) (sdk.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	session, ok := m.sessions[project+"/"+id]
	switch {
	case m.failure != nil:
		return sdk.Session{}, m.failure
	case !ok:
		return sdk.Session{}, sdk.Errorf(sdk.CodeNotFound, "no such session")
	}
	return session, nil
}

func (m *memorySessions) GlanceAtSession(ctx context.Context, project, id string) (sdk.Session, error) {
	return m.GetSession(ctx, project, id)
}

// ListSessions answers the open sessions, and knows one cursor.
func (m *memorySessions) ListSessions(_ context.Context, project string, filter sdk.SessionFilter, cursor string) (sdk.SessionPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = filter
	page := sdk.SessionPage{Items: []sdk.Session{}}
	if cursor != "" && cursor != "more" {
		return page, invalid([]sdk.Fault{{Path: "query.cursor", Message: "is not one of this filter"}})
	}
	for key, session := range m.sessions {
		if key == project+"/"+session.ID && (filter.ClientID == "" || filter.ClientID == session.ClientID) {
			page.Items = append(page.Items, session)
		}
	}
	return page, m.failure
}

func (m *memorySessions) SessionStats(ctx context.Context, project string) (sdk.SessionStats, error) {
	page, err := m.ListSessions(ctx, project, sdk.SessionFilter{}, "")
	return sdk.SessionStats{TotalSessions: len(page.Items)}, err
}

func (m *memorySessions) SendTask(_ context.Context, project, id string, in workflows.SendTaskInput) (sdk.Task, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	session, ok := m.sessions[project+"/"+id]
	key := project + "/" + in.TaskID
	task := sdk.Task{ID: in.TaskID, Type: in.Request.Type, Status: sdk.StatusQueued, SessionID: id}
	switch first, sent := m.digests[key]; {
	case m.failure != nil:
		return sdk.Task{}, false, m.failure
	case !ok:
		return sdk.Task{}, false, sdk.Errorf(sdk.CodeNotFound, "no such session")
	case sent && first != in.Digest:
		return sdk.Task{}, false, sdk.Errorf(sdk.CodeIdempotencyMismatch, "another body")
	case sent:
		return task, true, nil
	case session.Status != sdk.SessionOpen:
		return sdk.Task{}, false, sdk.Errorf(sdk.CodeConflict, "the session has closed")
	}
	m.digests[key], m.sent = in.Digest, append(m.sent, in)
	return task, false, nil
}

func (m *memorySessions) CloseSession(ctx context.Context, project, id string) (sdk.Session, error) {
	session, err := m.GetSession(ctx, project, id)
	if err == nil && session.Status == sdk.SessionOpen {
		session.Status, session.CloseReason = sdk.SessionClosing, sdk.CloseRequested
		m.put(project, session)
	}
	return session, err
}

func (m *memorySessions) CloseClientSessions(ctx context.Context, project, client string) (closed int, err error) {
	page, err := m.ListSessions(ctx, project, sdk.SessionFilter{ClientID: client}, "")
	for _, session := range page.Items {
		if session.Status == sdk.SessionOpen {
			_, _ = m.CloseSession(ctx, project, session.ID) // it is there
			closed++
		}
	}
	return closed, err
}
