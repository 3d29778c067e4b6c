package sdktest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// toldBy is what a session's stream tells to its end, type by type; times and ids left out.
func toldBy(t *testing.T, s *sdk.SessionHandle) (types []string) {
	t.Helper()
	for e, err := range s.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, string(e.Type))
	}
	return types
}

func open(t *testing.T, srv *sdktest.Server, config sdk.SessionConfig) *sdk.SessionHandle {
	t.Helper()
	s, err := srv.Client().OpenSession(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func send(t *testing.T, s *sdk.SessionHandle, kind sdk.TaskType) *sdk.Task {
	t.Helper()
	task, err := s.Send(t.Context(), sdk.SessionTaskRequest{Type: kind, Prompt: "do it"})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// TestSession: a task that is tried again, one that falls back a tier, and the end: results and stream.
func TestSession(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t, sdktest.SkipPauses())
	srv.Agent(sdk.RoleCoordinator, sdktest.Script(
		sdktest.Attempt().Fail(errors.New("flaky")),
		sdktest.Attempt().Progress(50, "half").Result(sdk.Result{Output: []byte(`"well"`), QualityGatePassed: new(true), Reflection: []byte(`{"lessons":["a"]}`)}),
	))
	srv.Agent(sdk.RoleCoder, sdktest.Script(
		sdktest.Attempt().Fail(sdk.Final("broken", errors.New("no"))), sdktest.Attempt().Fail(sdk.Final("broken", errors.New("no"))),
	))
	s := open(t, srv, sdk.SessionConfig{CostTier: sdk.TierHybrid})
	result, err := s.SendTask(t.Context(), sdk.TypeValidate, "Check it")
	if err != nil {
		t.Fatal(err)
	}
	if result.Text() != "well" || result.QualityGatePassed == nil || result.Model != "ollama" {
		t.Errorf("%+v", result)
	}
	if _, err := s.SendTask(t.Context(), sdk.TypeExecute, "Do it"); err == nil {
		t.Error("a broken task is no error")
	}
	now, err := s.Get(t.Context())
	if err != nil || now.CompletedTasks != 1 || now.FailedTasks != 1 || !slices.Equal(now.Lessons, []string{"a"}) {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err = s.Close(t.Context()); err != nil || now.Status != sdk.SessionClosed || now.CloseReason != sdk.CloseRequested {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := s.SendTask(t.Context(), sdk.TypeExecute, "Do it"); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("after the close: %v", err)
	}
	want := []string{
		"session_start", "task_start", "task_error", "task_progress", "task_complete", "task_start",
		"task_error", "task_error", "session_close", // a failure for good falls back as well
	}
	if diff := cmp.Diff(want, toldBy(t, s)); diff != "" {
		t.Error(diff)
	}
}

// TestSessionTakesTurns: one task after the other; those that wait are seen, and cancelled alone or with the session.
func TestSessionTakesTurns(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().UntilStopped()), sdktest.Slots(4))
	s := open(t, srv, sdk.SessionConfig{ClientID: "editor"})
	first, second, third := send(t, s, sdk.TypeExecute), send(t, s, sdk.TypeExecute), send(t, s, sdk.TypeExecute)
	srv.Settle()
	for _, id := range []string{second.ID, third.ID} {
		if task, err := c.GetTask(t.Context(), id); err != nil || task.Status != sdk.StatusQueued || task.SessionID != s.ID() {
			t.Errorf("%+v, %v", task, err)
		}
	}
	if _, err := c.CancelTask(t.Context(), second.ID, "not needed"); err != nil {
		t.Fatal(err)
	}
	if task, err := c.GetTask(t.Context(), second.ID); err != nil || task.Status != sdk.StatusCancelled || task.Result.Error.Message != "not needed" {
		t.Errorf("%+v, %v", task, err)
	}
	stats, err := c.SessionStats(t.Context())
	if err != nil || stats.TotalSessions != 1 || stats.SessionsByClient["editor"] != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
	if n, err := c.CloseClientSessions(t.Context(), "editor"); err != nil || n != 1 {
		t.Errorf("closed %d, %v", n, err)
	}
	srv.Settle()
	for _, id := range []string{first.ID, third.ID} {
		if task, err := c.GetTask(t.Context(), id); err != nil || task.Status != sdk.StatusCancelled || task.Result.Error.Message != "the session was closed" {
			t.Errorf("%+v, %v", task, err)
		}
	}
	var listed []string
	for session, err := range c.Sessions(t.Context(), sdk.SessionFilter{Status: sdk.SessionClosed}) {
		if err != nil || session.FailedTasks != 3 {
			t.Errorf("%+v, %v", session, err)
		}
		listed = append(listed, session.ID)
	}
	if !slices.Equal(listed, []string{s.ID()}) {
		t.Errorf("listed %v", listed)
	}
}

// TestSessionIdles: a session closes itself by the clock, as long after its last task as it says.
func TestSessionIdles(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t, sdktest.StartAt(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))) // which the log's clock is not
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete("done")))
	s := open(t, srv, sdk.SessionConfig{IdleTimeoutMs: 60_000})
	for _, step := range []struct {
		wait time.Duration
		want sdk.SessionStatus
	}{{59 * time.Second, sdk.SessionOpen}, {59 * time.Second, sdk.SessionOpen}, {2 * time.Second, sdk.SessionClosed}} {
		srv.Clock().Advance(step.wait)
		now, err := s.Get(t.Context())
		if err != nil || now.Status != step.want {
			t.Fatalf("%+v, %v", now, err)
		}
		if now.CompletedTasks == 0 {
			if _, err := s.SendTask(t.Context(), sdk.TypeExecute, "do it"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if now, err := s.Get(t.Context()); err != nil || now.CloseReason != sdk.CloseIdle {
		t.Errorf("%+v, %v", now, err)
	}
	if diff := cmp.Diff([]string{"session_start", "task_start", "task_complete", "session_close"}, toldBy(t, s)); diff != "" {
		t.Error(diff)
	}
}

// TestSessionKeys: one key is one session, and one task of it, before its turn and long after.
func TestSessionKeys(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Work(time.Minute).Complete(1)))
	key := sdk.IdempotencyKey("k")
	var ids, tasks []string
	for range 2 {
		s, err := c.OpenSession(t.Context(), sdk.SessionConfig{}, key)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.ID())
		send(t, s, sdk.TypeExecute)
		task, err := s.Send(t.Context(), sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "keyed"}, key)
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task.ID)
		if _, err := s.Send(t.Context(), sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "another"}, key); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
			t.Errorf("another body: %v", err)
		}
		srv.Clock().Advance(5 * time.Minute)
	}
	if ids[0] != ids[1] || tasks[0] != tasks[1] {
		t.Errorf("sessions %v, tasks %v", ids, tasks)
	}
	if _, err := c.OpenSession(t.Context(), sdk.SessionConfig{CostTier: sdk.TierPremium}, key); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("another body: %v", err)
	}
}

// TestRetryOfATaskThatWaits for its turn in a session: it has not ended.
func TestRetryOfATaskThatWaits(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	s := open(t, srv, sdk.SessionConfig{})
	send(t, s, sdk.TypeExecute) // there is no agent
	if _, err := srv.Client().RetryTask(t.Context(), send(t, s, sdk.TypeExecute).ID); !errors.Is(err, sdk.ErrConflict) {
		t.Error(err)
	}
}
