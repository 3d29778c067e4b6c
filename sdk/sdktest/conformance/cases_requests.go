package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// isCreated leaves out how far the run has come by the time of the answer: it may have asked for an attempt already.
func isCreated(s *scene) {
	task := s.delegate(func(r *sdk.TaskRequest) {
		r.Metadata, r.Input, r.Description = map[string]string{"team": "web"}, json.RawMessage(`[1]`), "In full."
	})
	task.Attempt, task.Attempts, task.WaitingFor = 0, []sdk.Attempt{}, nil
	s.like("is_created", task)
}

func replays(s *scene) {
	create := func(key, title string) (*sdk.Task, error) {
		return s.client.CreateTask(s.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: title, Input: json.RawMessage(`{"a":1}`)}, sdk.IdempotencyKey(key))
	}
	first, err := create("k-1", "Write it")
	s.do(err)
	again, err := create("k-1", "Write it")
	s.do(err)
	if again.ID != first.ID || !again.CreatedAt.Equal(first.CreatedAt) {
		s.Errorf("the same key and request made another task: %s and %s", first.ID, again.ID)
	}
	other, err := create("k-2", "Write it")
	s.do(err)
	if other.ID == first.ID {
		s.Error("another key made the same task")
	}
	_, err = create("k-1", "Write something else")
	s.code("the key with another request", err, sdk.CodeIdempotencyMismatch)
}

func retriesTask(s *scene) {
	s.Agent(sdk.RoleDebugger, "bob", sdktest.Script(sdktest.Attempt().Fail(sdk.Final("", errors.New("too hard")))))
	first := s.delegate(func(r *sdk.TaskRequest) {
		r.Role, r.Priority, r.Metadata, r.Input = sdk.RoleDebugger, sdk.PriorityHigh, map[string]string{"team": "web"}, json.RawMessage(`[1]`)
	})
	s.ended(first.ID)
	again, err := s.client.RetryTask(s.Context(), first.ID, sdk.IdempotencyKey("again"))
	s.do(err)
	s.like("retries_task", s.ended(again.ID))
	same, err := s.client.RetryTask(s.Context(), first.ID, sdk.IdempotencyKey("again"))
	s.do(err)
	if same.ID != again.ID || same.RetryOf != first.ID {
		s.Errorf("the same retry made %s, of %s", same.ID, same.RetryOf)
	}
}

func refusesRetries(s *scene) {
	_, err := s.client.RetryTask(s.Context(), s.delegate().ID)
	s.code("a task that has not ended", err, sdk.CodeConflict)
	_, err = s.client.RetryTask(s.Context(), "unknown")
	s.code("an unknown task", err, sdk.CodeNotFound)
}

func knowsNot(s *scene) {
	const id = "unknown"
	_, err := s.client.GetTask(s.Context(), id)
	s.code("get", err, sdk.CodeNotFound)
	_, err = s.client.CancelTask(s.Context(), id, "")
	s.code("cancel", err, sdk.CodeNotFound)
	_, err = s.client.ProvideInput(s.Context(), id, "input-0-1", 1)
	s.code("input", err, sdk.CodeNotFound)
	_, err = s.client.Progress(s.Context(), id)
	s.code("progress", err, sdk.CodeNotFound)
	_, err = s.client.WaitForTask(s.Context(), id)
	s.code("wait", err, sdk.CodeNotFound)
}

func refusesRequests(s *scene) {
	s.code("no JSON", s.post("/v1/tasks", `{"type":`), sdk.CodeInvalidJSON)
	s.code("every fault at once", s.post("/v1/tasks", `{"type":"Code Write","title":"","timeouts":{"queueMs":1},"fallback":[{"retry":{"maxAttempts":101}}],"colour":"red"}`),
		sdk.CodeInvalidInput, "$.colour", "$.type", "$.title", "$.timeouts.queueMs", "$.fallback[0].retry.maxAttempts")
	s.code("a type without a role", s.post("/v1/tasks", `{"type":"tea.make","title":"Tea"}`), sdk.CodeInvalidInput, "$.role")
	s.code("an answer without a question", s.post("/v1/tasks/some/input", `{"answer":1}`), sdk.CodeInvalidInput, "$.requestId")
}

func waitsInVain(s *scene) {
	task := s.delegate()
	ctx, cancel := context.WithTimeout(s.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := s.client.WaitForTask(ctx, task.ID); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("the wait ended with %v", err)
	}
	if now, err := s.client.GetTask(s.Context(), task.ID); err != nil || now.Status != sdk.StatusQueued {
		s.Errorf("the task is %+v, %v", now, err)
	}
}
