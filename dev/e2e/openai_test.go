package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// modelWorker starts a worker with the openai adapter on scripted models, and answers their server.
func (s *scene) modelWorker(models modelserver.Models) *modelserver.Server {
	s.t.Helper()
	server, err := modelserver.NewModels(models)
	s.do(err)
	url, closeServer, err := server.Listen()
	s.do(err)
	s.t.Cleanup(func() {
		if err := closeServer(); err != nil {
			s.t.Error(err)
		}
	})
	s.worker("model", dev.Worker{Agent: "openai", Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleCoordinator}, Env: []string{
		"ROLECALL_OPENAI_BASE_URL=" + url, "OPENAI_API_KEY=sk-of-nobody", "ROLECALL_OPENAI_MODEL=small",
	}})
	return server
}

// wantModelAnswer checks the result of a task that a model has done.
func wantModelAnswer(t *testing.T, task *sdk.Task, text, model string, tokens int64) {
	t.Helper()
	var out struct{ Text string }
	if err := json.Unmarshal(task.Result.Output, &out); err != nil || out.Text != text || task.Result.Model != model {
		t.Errorf("the output is %s of %q (%v), want %q of %q", task.Result.Output, task.Result.Model, err, text, model)
	}
	if m := task.Result.Metrics; m.TokensUsed == nil || *m.TokensUsed != tokens {
		t.Errorf("the metrics are %+v, want %d tokens", m, tokens)
	}
}

func TestAModelAnswers(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	server := s.modelWorker(modelserver.Models{"small": {{Text: "It is done.", Input: 70, Cached: 30, Output: 5}}})
	task := s.completed(s.delegate(nil).ID, "0.1 completed")
	wantModelAnswer(t, task, "It is done.", "small", 75)
	if p := task.Progress; p == nil || p.Category != "message" || p.Message != "It is done." {
		t.Errorf("the last progress is %+v", p)
	}
	asked := server.Requests()
	if len(asked) != 1 || asked[0].Key != "sk-of-nobody" || !asked[0].Stream || !strings.Contains(asked[0].Messages[0].Text(), "# "+t.Name()+"\n") {
		t.Errorf("it was asked %+v", asked)
	}
}

// TestAModelFailsTwice: each attempt asks once, and waits as long as the endpoint says.
func TestAModelFailsTwice(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	const pause = 2 * time.Second
	server := s.modelWorker(modelserver.Models{"small": {
		{Text: "It is", Cut: true}, {Status: http.StatusTooManyRequests, Text: "slow down", RetryAfter: pause}, {Text: "Done.", Input: 7, Output: 1},
	}})
	task := s.completed(s.delegate(nil).ID, "0.1 failed", "0.2 failed", "0.3 completed")
	wantModelAnswer(t, task, "Done.", "small", 8)
	for i, says := range []string{"the answer broke off before its end: unexpected EOF", "429 slow down"} {
		if e := task.Attempts[i].Error; e == nil || e.Code != "model_error" || e.Message != says {
			t.Errorf("attempt %d failed with %v, want %q", i+1, e, says)
		}
	}
	if waited := task.Attempts[2].StartedAt.Sub(*task.Attempts[1].EndedAt); waited < pause {
		t.Errorf("the next attempt began %s after it was told to wait %s", waited, pause)
	}
	if n := len(server.Requests()); n != 3 {
		t.Errorf("the model was asked %d times", n)
	}
}

// TestAModelThatIsNotThereFallsBack: the name of a stage's model decides who answers.
func TestAModelThatIsNotThereFallsBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	server := s.modelWorker(modelserver.Models{
		"claude-sonnet-4": {{Status: http.StatusServiceUnavailable, Text: "overloaded"}}, "large": {{Text: "Done.", Input: 7, Output: 1}},
	})
	created := s.delegate(nil, func(r *sdk.TaskRequest) {
		r.Fallback = []sdk.Stage{{Model: "claude-sonnet-4", Retry: &sdk.Retry{MaxAttempts: 2, InitialIntervalMs: 100}}, {Model: "ollama/large"}}
	})
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 failed", "1.1 failed", "1.2 failed", "2.1 completed")
	if !task.Degraded {
		t.Error("it is not degraded")
	}
	wantModelAnswer(t, task, "Done.", "large", 8)
	if e := task.Attempts[0].Error; e == nil || e.Message != `404 model "small" not found` {
		t.Errorf("the first attempt failed with %v", e)
	}
	var asked []string
	for _, r := range server.Requests() {
		asked = append(asked, r.Model)
	}
	if got := strings.Join(asked, " "); got != "small claude-sonnet-4 claude-sonnet-4 large" {
		t.Errorf("asked for %s", got)
	}
}

// TestCancellingATaskEndsItsRequest: a model that goes on costs money.
func TestCancellingATaskEndsItsRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	server := s.modelWorker(modelserver.Models{"small": {{Text: "I am", Hang: true}}})
	created := s.delegate(nil)
	s.is("the words so far", created.ID, func(task *sdk.Task) bool { return task.Progress != nil && task.Progress.Delta == "am" })
	if n := server.Open(); n != 1 {
		t.Fatalf("%d requests are open", n)
	}
	began := s.cancel(created.ID)
	s.eventually("the end of the request", patience, func() error {
		if n := server.Open(); n > 0 {
			return fmt.Errorf("%d are open", n)
		}
		return nil
	})
	if took := time.Since(began); took > busy(2*time.Second) {
		t.Errorf("the request ended %s after the cancellation", took)
	}
	wantChain(t, s.wantCancelled(created.ID, true), "0.1 cancelled")
}
