package e2e_test

import (
	"context"
	"encoding/json"
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

// talk is a session of a scene.
type talk struct {
	*scene
	*sdk.SessionHandle
}

// opens opens a session whose tasks are tried again soon.
func (s *scene) opens(change ...func(*sdk.SessionConfig)) talk {
	s.t.Helper()
	config := sdk.SessionConfig{Retry: &sdk.Retry{InitialIntervalMs: 100}}
	for _, c := range change {
		c(&config)
	}
	session, err := s.client.OpenSession(s.t.Context(), config)
	s.do(err)
	return talk{s, session}
}

// told is a prompt that tells the scripted agent what to do.
func (s *scene) told(steps script) string {
	s.t.Helper()
	raw, err := json.Marshal(map[string]any{"dir": s.dir, "attempts": steps})
	s.do(err)
	return "Do as it says.\nscript:" + string(raw)
}

// asks sends a task and waits for its end.
func (t talk) asks(kind sdk.TaskType, steps script, opts ...sdk.SendOption) (*sdk.SessionResult, error) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.t.Context(), patience)
	defer cancel()
	return t.SendTask(ctx, kind, t.told(steps), opts...)
}

// sends hands a task in, without waiting for it.
func (t talk) sends(kind sdk.TaskType, steps script) *sdk.Task {
	t.t.Helper()
	task, err := t.Send(t.t.Context(), sdk.SessionTaskRequest{Type: kind, Prompt: t.told(steps)})
	t.do(err)
	return task
}

// closes closes the session.
func (t talk) closes() {
	t.t.Helper()
	_, err := t.SessionHandle.Close(t.t.Context())
	t.do(err)
}

// isNow waits until the session meets the condition, and returns it.
func (t talk) isNow(what string, condition func(*sdk.Session) bool) (session *sdk.Session) {
	t.t.Helper()
	t.eventually(what, patience, func() (err error) {
		if session, err = t.Get(t.t.Context()); err != nil {
			return err
		}
		if !condition(session) {
			return fmt.Errorf("the session is %+v", session)
		}
		return nil
	})
	return session
}

// stream is what the session's stream tells to its end.
func (t talk) stream() (events []sdk.SessionEvent) {
	t.t.Helper()
	ctx, cancel := context.WithTimeout(t.t.Context(), patience)
	defer cancel()
	for e, err := range t.Events(ctx) {
		t.do(err)
		events = append(events, *e)
	}
	return events
}

// began is what every story of this session begins with, in the order of the stream.
func (t talk) began(tier sdk.CostTier, orchestrator, executor string) sdk.SessionEvent {
	return sdk.SessionEvent{Type: sdk.SessionStartEvent, Payload: sdk.SessionPayload{
		SessionID: t.ID(), CostTier: tier, OrchestratorModel: orchestrator, ExecutorModel: executor,
	}}
}

func (t talk) ended() sdk.SessionEvent {
	return sdk.SessionEvent{Type: sdk.SessionCloseEvent, Payload: sdk.SessionPayload{SessionID: t.ID()}}
}

// of is an event about a task.
func of(task *sdk.Task, kind sdk.SessionEventType, p sdk.SessionPayload) sdk.SessionEvent {
	p.TaskID, p.TaskType = task.ID, task.Type
	return sdk.SessionEvent{Type: kind, Payload: p}
}

func started(task *sdk.Task, prompt string, priority sdk.Priority) sdk.SessionEvent {
	return of(task, sdk.TaskStartEvent, sdk.SessionPayload{Prompt: string([]rune(prompt)[:min(200, len([]rune(prompt)))]), Priority: priority})
}

// wantStream compares every field of every event. What can not be known is taken out of what came after it was looked at: the sequence, which
// rises; the time, which does not go back, and lies within the session's; durations, which are those between two events.
func (t talk) wantStream(want ...sdk.SessionEvent) []sdk.SessionEvent {
	t.t.Helper()
	return t.wantBut(nil, want...)
}

// wantBut is wantStream without the events that besides takes: how many there are of them is settled by time.
func (t talk) wantBut(besides func(sdk.SessionEvent) bool, want ...sdk.SessionEvent) []sdk.SessionEvent {
	t.t.Helper()
	got := t.stream()
	session := t.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
	last, sequence, begun := session.CreatedAt.UnixMilli(), "", map[string]int64{}
	var plain []sdk.SessionEvent
	for i, e := range got {
		if e.Timestamp < last || e.Sequence <= sequence {
			t.t.Errorf("event %d, %s, is of %d at %s, after one of %d at %s", i, e.Type, e.Timestamp, e.Sequence, last, sequence)
		}
		last, sequence = e.Timestamp, e.Sequence
		p := &e.Payload
		switch e.Type {
		case sdk.TaskStartEvent:
			begun[p.TaskID] = e.Timestamp
		case sdk.TaskCompleteEvent:
			if took := e.Timestamp - begun[p.TaskID]; p.Duration < took-1 || p.Duration > took+1 { // each is cut to whole milliseconds
				t.t.Errorf("event %d: a duration of %d, %d ms after the task's start", i, p.Duration, took)
			}
			p.Duration = 0
		case sdk.TaskErrorEvent:
			if took := e.Timestamp - begun[p.TaskID]; p.Duration < 0 || p.Duration > took+1 {
				t.t.Errorf("event %d: an attempt of %d ms, %d ms after the task's start", i, p.Duration, took)
			}
			p.Duration = 0
		default:
		}
		e.Timestamp, e.Sequence = 0, ""
		if besides == nil || !besides(e) {
			plain = append(plain, e)
		}
	}
	if session.ClosedAt == nil || last > session.ClosedAt.UnixMilli() {
		t.t.Errorf("the last event is of %d, the session closed at %v", last, session.ClosedAt)
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.t.Errorf("the stream (-want +got):\n%s", diff)
	}
	return got
}

// TestSessionRetries: a task that fails twice and then works, and one that works at once: results and stream, every field of every event.
func TestSessionRetries(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleCoordinator}})
	session := s.opens(func(c *sdk.SessionConfig) { c.CostTier, c.QualityGates, c.ClientID = sdk.TierHybrid, true, "editor" })
	steps := script{
		"0.1": {"fail:flaky:retryable"}, "0.2": {"fail:flaky:retryable"},
		"0.3": {
			`report:{"percentage":25,"phase":"Calling edit","category":"tool_call","tool":"edit","message":"auth.go","delta":"+1"}`, "touch:reported",
			`whole:{"output":{"text":"done"},"qualityGatePassed":true,"reflection":{"lessons":["small steps"],"followUps":["add a test"]},"episodeRefs":["ep-041"]}`,
		},
	}
	result, err := session.asks(sdk.TypeExecute, steps, sdk.WithPriority("urgent"))
	s.do(err)
	first, err := s.client.GetTask(t.Context(), result.TaskID)
	s.do(err)
	want := &sdk.SessionResult{
		TaskID: first.ID, TaskType: sdk.TypeExecute, Output: json.RawMessage(`{"text":"done"}`), QualityGatePassed: new(true), Model: "claude-sonnet-4",
		Reflection: &sdk.Reflection{Lessons: []string{"small steps"}, FollowUps: []string{"add a test"}}, EpisodeRefs: []string{"ep-041"},
		Duration: first.CompletedAt.Sub(first.CreatedAt), Metrics: first.Result.Metrics,
	}
	if diff := cmp.Diff(want, result); diff != "" || result.Text() != "done" || result.Duration <= 0 {
		t.Errorf("the result: %s", diff)
	}
	wantChain(t, first, "0.1 failed", "0.2 failed", "0.3 completed")
	prompted, err := session.asks(sdk.TypeValidate, script{"*": {"prompt"}})
	s.do(err)
	for _, said := range []string{"small steps", "add a test", "ep-041", "quality gates"} {
		if !strings.Contains(prompted.Text(), said) {
			t.Errorf("the next task is not told of %q: %s", said, prompted.Text())
		}
	}
	second, err := s.client.GetTask(t.Context(), prompted.TaskID)
	s.do(err)
	if second.Role != sdk.RoleCoordinator || prompted.Model != "ollama" || second.SessionID != session.ID() {
		t.Errorf("%s for %s with the model %s", second.Type, second.Role, prompted.Model)
	}
	now := session.isNow("two tasks", func(s *sdk.Session) bool { return s.CompletedTasks == 2 && s.CurrentTaskID == "" })
	if diff := cmp.Diff([][]string{{"small steps"}, {"add a test"}, {"ep-041"}}, [][]string{now.Lessons, now.FollowUps, now.EpisodeRefs}); diff != "" || now.Status != sdk.SessionOpen {
		t.Errorf("%+v: %s", now, diff)
	}
	session.closes()
	retried := func(n int) sdk.SessionEvent {
		return of(first, sdk.TaskErrorEvent, sdk.SessionPayload{
			Error: "as the script says", Operation: "sendTask(execute)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
		})
	}
	session.wantStream(
		session.began(sdk.TierHybrid, "ollama", "claude-sonnet-4"),
		started(first, s.told(steps), sdk.PriorityCritical), retried(1), retried(2),
		of(first, sdk.TaskProgressEvent, sdk.SessionPayload{
			Category: "tool_call", Tool: "edit", Message: "auth.go", Progress: &sdk.SessionProgress{Phase: "Calling edit", Percentage: 25, Delta: "+1"},
		}),
		of(first, sdk.TaskCompleteEvent, sdk.SessionPayload{}),
		started(second, s.told(script{"*": {"prompt"}}), sdk.PriorityMedium),
		of(second, sdk.TaskCompleteEvent, sdk.SessionPayload{}),
		session.ended(),
	)
}

// TestSessionFallsBack: a model that never works gives way to that of the tier below, which does the task; a task that fails in every tier
// leaves the session as usable as before.
func TestSessionFallsBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Roles: []sdk.Role{sdk.RoleCoder}})
	session := s.opens(func(c *sdk.SessionConfig) { c.CostTier, c.Retry.MaxAttempts = sdk.TierHybrid, 2 })
	steps := script{"0.1": {"fail:broken:retryable"}, "0.2": {"fail:broken:retryable"}, "1.1": {"echo"}}
	result, err := session.asks(sdk.TypeExecute, steps)
	s.do(err)
	first, err := s.client.GetTask(t.Context(), result.TaskID)
	s.do(err)
	wantChain(t, first, "0.1 failed", "0.2 failed", "1.1 completed")
	if models := [2]string{first.Attempts[1].Model, first.Attempts[2].Model}; models != [2]string{"claude-sonnet-4", "ollama"} {
		t.Errorf("the models are %v", models)
	}
	if !result.Degraded || result.Model != "ollama" || !strings.Contains(string(result.Output), `"model":"ollama"`) {
		t.Errorf("the result: %+v %s", result, result.Output)
	}
	broken := script{"*": {"fail:broken:final"}}
	_, err = session.asks(sdk.TypeExecute, broken)
	failure, ok := errors.AsType[*sdk.TaskError](err)
	if !ok || failure.Code != "broken" {
		t.Fatalf("a task that fails: %v", err)
	}
	var second *sdk.Task
	for task, err := range s.client.Tasks(t.Context(), sdk.TaskFilter{SessionID: session.ID(), Status: sdk.StatusFailed}) {
		s.do(err)
		second, err = s.client.GetTask(t.Context(), task.ID)
		s.do(err)
	}
	if again, err := session.asks(sdk.TypeExecute, script{"*": {"echo"}}); err != nil || again.Degraded || again.Model != "claude-sonnet-4" {
		t.Errorf("after a failure: %+v, %v", again, err)
	}
	session.closes()
	if second == nil {
		t.Fatal("the failed task is not in the list")
	}
	fallback := len(second.Attempts) > 1
	said := sdk.SessionPayload{Error: "as the script says"}
	var got []sdk.SessionEvent
	for _, e := range session.stream() {
		if e.Payload.TaskID == second.ID || e.Payload.TaskID == first.ID {
			e.Timestamp, e.Sequence, e.Payload.Duration = 0, "", 0
			got = append(got, e)
		}
	}
	fellBack := said
	fellBack.Fallback = true
	want := []sdk.SessionEvent{
		started(first, s.told(steps), sdk.PriorityMedium),
		of(first, sdk.TaskErrorEvent, sdk.SessionPayload{Error: said.Error, Operation: "sendTask(execute)", Attempt: 1, MaxAttempts: 2, ErrorCount: 1}),
		of(first, sdk.TaskErrorEvent, fellBack),
		of(first, sdk.TaskCompleteEvent, sdk.SessionPayload{Degraded: true}),
		started(second, s.told(broken), sdk.PriorityMedium),
	}
	if fallback {
		want = append(want, of(second, sdk.TaskErrorEvent, fellBack))
	}
	want = append(want, of(second, sdk.TaskErrorEvent, said))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
}

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
