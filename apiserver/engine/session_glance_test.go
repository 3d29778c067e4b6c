package engine

import (
	"errors"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestGlanceAtSession: what a stream has to know of a session is known without a word of its run.
func TestGlanceAtSession(t *testing.T) {
	t.Parallel()
	closed := at(50)
	for name, tc := range map[string]struct {
		set  func(*heldSession)
		want sdk.Session
		err  error
	}{
		"open":    {func(*heldSession) {}, sdk.Session{Status: sdk.SessionOpen}, nil},
		"closing": {func(h *heldSession) { h.state(workflows.SessionState{Status: sdk.SessionClosing}) }, sdk.Session{Status: sdk.SessionClosing}, nil},
		"closed": {func(h *heldSession) {
			h.state(workflows.SessionState{Status: sdk.SessionClosed, ClosedAt: &closed, CompletedTasks: 3})
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil)
		}, sdk.Session{Status: sdk.SessionClosed, ClosedAt: &closed, CompletedTasks: 3}, nil},
		"terminated": {func(h *heldSession) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil) }, sdk.Session{Status: sdk.SessionClosed, ClosedAt: new(at(60))}, nil},
		"none":       {func(h *heldSession) { h.run = nil }, sdk.Session{}, sdk.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldSession(t)
			h.ask = func(query string) (any, error) {
				t.Errorf("asked the run: %s", query)
				return nil, errors.ErrUnsupported
			}
			tc.set(h)
			e := newSessionEngine(t, h)
			s, err := e.GlanceAtSession(t.Context(), "p", "s1")
			if tc.err != nil {
				if !errors.Is(err, tc.err) {
					t.Error(err)
				}
				return
			}
			same := (s.ClosedAt == nil) == (tc.want.ClosedAt == nil) && (s.ClosedAt == nil || s.ClosedAt.Equal(*tc.want.ClosedAt))
			if err != nil || s.ID != "s1" || s.Status != tc.want.Status || s.CompletedTasks != tc.want.CompletedTasks || !same || s.CreatedAt.IsZero() {
				t.Errorf("%+v %v", s, err)
			}
		})
	}
}

// TestSessionsHaveQueriesOfTheirOwn: however many runs of tasks are asked for their progress, how a session stands is known.
func TestSessionsHaveQueriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.ask = func(string) (any, error) {
		return sdk.Session{ID: "s1", Status: sdk.SessionOpen, QueuedTasks: 2}, nil
	}
	e := newSessionEngine(t, h)
	for range cap(e.queries) {
		e.queries <- struct{}{}
	}
	if s, err := e.GetSession(t.Context(), "p", "s1"); err != nil || s.Stale || s.QueuedTasks != 2 {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := e.GlanceAtSession(t.Context(), "p", "s1"); err != nil || s.QueuedTasks != 0 {
		t.Errorf("a glance, after the whole session was read: %+v %v", s, err)
	}
}

// state is what the memo says of the session.
func (h *heldSession) state(s workflows.SessionState) {
	h.t.Helper()
	h.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoSessionState] = payload(h.t, s)
}
