package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

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
	s.eventually("the failed task in the list", patience, func() error { // which follows what happens
		page, err := s.client.ListTasks(t.Context(), sdk.TaskFilter{SessionID: session.ID(), Status: sdk.StatusFailed}, "")
		if err != nil {
			return err
		}
		if len(page.Items) != 1 {
			return fmt.Errorf("it has %d", len(page.Items))
		}
		second, err = s.client.GetTask(t.Context(), page.Items[0].ID)
		return err
	})
	if again, err := session.asks(sdk.TypeExecute, script{"*": {"echo"}}); err != nil || again.Degraded || again.Model != "claude-sonnet-4" {
		t.Errorf("after a failure: %+v, %v", again, err)
	}
	session.closes()
	wantChain(t, second, "0.1 failed", "1.1 failed") // a failure for good ends its stage, not the task
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
		of(second, sdk.TaskErrorEvent, fellBack),
		of(second, sdk.TaskErrorEvent, said),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
}
