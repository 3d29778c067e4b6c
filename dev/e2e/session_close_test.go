package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionCloses: closing during a task ends that and those that wait; a closed session takes nothing, and is answered as it is.
func TestSessionCloses(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	session := s.opens()
	running := session.sends(sdk.TypeExecute, script{"*": {"progress:10", "touch:running", "hang"}})
	waits := session.sends(sdk.TypeExecute, script{"*": {"touch:second"}})
	s.appears("running")
	s.is("progress", running.ID, func(t *sdk.Task) bool { return t.Progress != nil })
	if got, err := s.client.GetTask(t.Context(), waits.ID); err != nil || got.Status != sdk.StatusQueued || got.SessionID != session.ID() {
		t.Errorf("the task that waits: %+v, %v", got, err)
	}
	if got := session.isNow("one runs, one waits", func(s *sdk.Session) bool { return s.CurrentTaskID == running.ID && s.QueuedTasks == 1 }); got.Links.Events == "" {
		t.Errorf("%+v", got.Links)
	}
	closed, err := session.SessionHandle.Close(t.Context())
	s.do(err)
	if closed.Status == sdk.SessionOpen || closed.CloseReason != sdk.CloseRequested {
		t.Errorf("closing: %+v", closed)
	}
	for _, id := range []string{running.ID, waits.ID} {
		if task := s.ended(id); task.Status != sdk.StatusCancelled || task.Result.Error.Message != "the session was closed" {
			t.Errorf("task %s is %s: %+v", id, task.Status, task.Result)
		}
	}
	now := session.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
	if now.FailedTasks != 2 || now.CompletedTasks != 0 || now.CloseReason != sdk.CloseRequested || now.ClosedAt == nil {
		t.Errorf("%+v", now)
	}
	if _, err := session.asks(sdk.TypeExecute, script{"*": {"echo"}}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("sending to a closed session: %v", err)
	}
	for range 2 {
		if again, err := session.SessionHandle.Close(t.Context()); err != nil || again.Status != sdk.SessionClosed {
			t.Errorf("closing again: %+v, %v", again, err)
		}
	}
	types := map[string][]string{}
	for _, e := range session.stream() {
		types[e.Payload.TaskID] = append(types[e.Payload.TaskID], string(e.Type))
		if e.Type == sdk.TaskErrorEvent && (!e.Payload.Cancelled || e.Payload.Error != "the session was closed") {
			t.Errorf("%+v", e)
		}
	}
	want := map[string][]string{
		"": {"session_start", "session_close"}, running.ID: {"task_start", "task_progress", "task_error"}, waits.ID: {"task_start", "task_error"},
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
}

// TestSessionCancelsATask: a cancelled task is an error of the call, and the next one has its turn.
func TestSessionCancelsATask(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	session := s.opens()
	failed := make(chan error, 1)
	go func() {
		_, err := session.asks(sdk.TypeExecute, script{"*": {"touch:running", "hang"}})
		failed <- err
	}()
	s.appears("running")
	now := session.isNow("a task", func(s *sdk.Session) bool { return s.CurrentTaskID != "" })
	_, err := s.client.CancelTask(t.Context(), now.CurrentTaskID, "not needed")
	s.do(err)
	if e, ok := errors.AsType[*sdk.TaskError](<-failed); !ok || e.Code != sdk.CodeCancelled || e.Message != "not needed" {
		t.Errorf("the cancelled task: %v", e)
	}
	if got, err := session.asks(sdk.TypeExecute, script{"*": {"echo"}}); err != nil || got.Degraded {
		t.Errorf("the next one: %+v, %v", got, err)
	}
	session.closes()
}

// TestSessionBounds: prompts of 2 and 100,001 characters are refused before they are sent, and by the service as well.
func TestSessionBounds(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	session := s.opens()
	for _, prompt := range []string{"do", strings.Repeat("x", 100_001)} {
		if _, err := session.SendTask(t.Context(), sdk.TypeExecute, prompt); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("the client takes a prompt of %d characters: %v", len(prompt), err)
		}
		a := s.post("/v1/sessions/"+session.ID()+"/tasks", `{"type":"execute","prompt":"`+prompt+`"}`)
		if a.status != 422 || a.problem.Code != sdk.CodeInvalidInput || len(a.problem.Errors) != 1 || a.problem.Errors[0].Path != "$.prompt" {
			t.Errorf("the service takes a prompt of %d characters: %+v", len(prompt), a)
		}
	}
	for _, prompt := range []string{"do!", strings.Repeat("ä", 100_000)} {
		if _, err := session.Send(t.Context(), sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: prompt}); err != nil {
			t.Errorf("a prompt of %d characters: %v", len([]rune(prompt)), err)
		}
	}
	session.closes()
}

// TestSessionIdles: a session that is without a task for its idle timeout closes itself, and says so.
func TestSessionIdles(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	session := s.opens(func(c *sdk.SessionConfig) { c.IdleTimeoutMs = 1000 })
	events := session.stream() // which ends with the session
	now := session.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
	if now.CloseReason != sdk.CloseIdle || now.ClosedAt.Sub(now.CreatedAt) < time.Second {
		t.Errorf("%+v", now)
	}
	if len(events) != 2 || events[1].Type != sdk.SessionCloseEvent {
		t.Errorf("%+v", events)
	}
}

// TestTwoSendersOneSession: two callers that send at once, each with its own hold on the session; the tasks are done one after the other, and
// one key is one task.
func TestTwoSendersOneSession(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Slots: 4})
	session := s.opens()
	other, err := s.client.Session(t.Context(), session.ID())
	s.do(err)
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]int{}
	for n := range 6 {
		holder := []*sdk.SessionHandle{session.SessionHandle, other}[n%2]
		all.Go(func() {
			opts := []sdk.SendOption{sdk.IdempotencyKey(fmt.Sprint("key", n/2))} // each key is used by both
			result, err := talk{s, holder}.asks(sdk.TypeExecute, script{"*": {"progress:50", "echo"}}, opts...)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[result.TaskID]++
		})
	}
	all.Wait()
	if len(ids) != 3 {
		t.Errorf("the tasks of three keys: %v", ids)
	}
	session.closes()
	open, done := "", 0
	for _, e := range session.stream() {
		switch e.Type {
		case sdk.TaskStartEvent:
			if open != "" {
				t.Errorf("task %s begins while %s goes on", e.Payload.TaskID, open)
			}
			open = e.Payload.TaskID
		case sdk.TaskCompleteEvent:
			open, done = "", done+1
		default:
		}
	}
	if done != 3 {
		t.Errorf("%d tasks were done", done)
	}
}
