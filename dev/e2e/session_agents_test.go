package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionExampleOfAgents runs examples/session against agents that fail twice, then work: a model behind an endpoint, and pi as it was
// recorded. The stream has every event with every field, in order, and what the program prints is what the stream told.
func TestSessionExampleOfAgents(t *testing.T) {
	t.Parallel()
	const prompt = "Check the auth module"
	overloaded := modelserver.Answer{Status: http.StatusServiceUnavailable, Text: "overloaded"}
	for name, agent := range map[string]struct {
		start    func(*scene)
		fails    string
		answer   string
		gates    bool // the answer tells of them
		attempts [][]sdk.Progress
	}{
		"openai": {
			start: func(s *scene) {
				s.modelWorker(modelserver.Models{"small": {overloaded, overloaded, {Text: "It is in order.", Input: 7, Output: 4}}})
			},
			fails: "503 overloaded", answer: "It is in order.",
			attempts: [][]sdk.Progress{{thinking()}, {thinking()}, append([]sdk.Progress{thinking()}, spoken("It ", "is ", "in ", "order.")...)},
		},
		"pi": {
			start: func(s *scene) { s.piWorker("pi", "http500", "http500", "write") },
			fails: "500 scripted failure", answer: piAnswer, gates: true,
			attempts: [][]sdk.Progress{piFails(), piFails(), piWrites()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			agent.start(s)
			out := s.runsExample(prompt)
			session, task := s.heldBy(out)
			wantChain(t, task, "0.1 failed", "0.2 failed", "0.3 completed")
			failed := func(n int) sdk.SessionEvent {
				return of(task, sdk.TaskErrorEvent, sdk.SessionPayload{
					Error: agent.fails, Operation: "sendTask(validate)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
				})
			}
			told := &reports{t: t, attempts: agent.attempts}
			events := session.wantBut(told.besides,
				session.began(sdk.TierHybrid, "ollama", "claude-sonnet-4"),
				started(task, prompt, sdk.PriorityMedium), failed(1), failed(2),
				of(task, sdk.TaskCompleteEvent, sdk.SessionPayload{}),
				session.ended(),
			)
			if t.Failed() {
				return
			}
			newest := told.newest.Progress
			want := []string{
				"Session started: " + session.ID(), "Task started: validate", "Task error: " + agent.fails, "Task error: " + agent.fails,
				fmt.Sprintf("[%v%%] %s", newest.Percentage, newest.Phase), fmt.Sprintf("Task completed in %d ms", events[len(events)-2].Payload.Duration),
			}
			want = append(want, strings.Split("Result: "+agent.answer, "\n")...)
			if agent.gates {
				want = append(want, "Quality gates: true")
			}
			want = append(want, fmt.Sprintf("The last progress was %v%%", newest.Percentage), "Session closed")
			if diff := cmp.Diff(want, lastOfEach(strings.Split(strings.TrimSpace(out), "\n"))); diff != "" {
				t.Errorf("what it printed (-want +got):\n%s", diff)
			}
		})
	}
}

// lastOfEach leaves out the lines of progress that are not the last before the task's end: how many there are is settled by time.
func lastOfEach(lines []string) (kept []string) {
	for i, line := range lines {
		if strings.HasPrefix(line, "[") && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "Task completed")) {
			continue
		}
		kept = append(kept, line)
	}
	return kept
}

// TestSessionFallsBackToAnotherAgent: the first agent's model never works; the model of the tier below is that of another agent, of another kind
// and in another process, which does the task. The first is told to stop in its last attempt: it takes no other.
func TestSessionFallsBackToAnotherAgent(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	model := s.brokenModel(3)
	first := s.worker("first", dev.Worker{Agent: "openai", Env: []string{
		"ROLECALL_OPENAI_BASE_URL=" + model.url, "OPENAI_API_KEY=sk-of-nobody", "ROLECALL_DRAIN_GRACE=10m",
	}})
	session := s.opens(func(c *sdk.SessionConfig) { c.CostTier = sdk.TierHybrid })
	const prompt = "Add input validation to the forms"
	sent, err := session.Send(t.Context(), sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: prompt})
	s.do(err)
	s.eventually("the last attempt of the first agent", patience, model.asked)
	s.do(first.Signal(syscall.SIGTERM))
	s.eventually("the first takes no more", patience, func() error {
		if !strings.Contains(first.LogTail(100), "role worker drains") {
			return errors.New("it does")
		}
		return nil
	})
	s.piWorker("second", "write")
	close(model.goesOn)
	task := s.ended(sent.ID)
	session.closes()

	wantChain(t, task, "0.1 failed", "0.2 failed", "0.3 failed", "1.1 completed")
	wantPiAnswer(t, task)
	for i, a := range task.Attempts {
		want := [2]string{"first", "claude-sonnet-4"}
		if i == 3 {
			want = [2]string{"second", "ollama"}
		}
		if got := [2]string{a.AgentID, a.Model}; got != want {
			t.Errorf("attempt %d is of %q, want %q", i+1, got, want)
		}
	}
	if !task.Degraded || !task.Result.Degraded || task.Stage != 1 {
		t.Errorf("the task has come to stage %d, degraded %t", task.Stage, task.Degraded)
	}
	failed := func(n int) sdk.SessionEvent {
		return of(task, sdk.TaskErrorEvent, sdk.SessionPayload{
			Error: "503 overloaded", Operation: "sendTask(execute)", Attempt: n, MaxAttempts: 3, ErrorCount: n,
		})
	}
	told := &reports{t: t, attempts: [][]sdk.Progress{{thinking()}, {thinking()}, {thinking()}, piWrites()}}
	session.wantBut(told.besides,
		session.began(sdk.TierHybrid, "ollama", "claude-sonnet-4"),
		started(task, prompt, sdk.PriorityMedium), failed(1), failed(2),
		of(task, sdk.TaskErrorEvent, sdk.SessionPayload{Error: "503 overloaded", Fallback: true}),
		of(task, sdk.TaskCompleteEvent, sdk.SessionPayload{Degraded: true}),
		session.ended(),
	)
}

// brokenModel is a model that never works. It answers one of its requests when it is told to go on.
type brokenModel struct {
	url    string
	goesOn chan struct{}
	waits  atomic.Bool
}

// brokenModel starts one that waits before it answers its n-th request.
func (s *scene) brokenModel(n int64) *brokenModel {
	s.t.Helper()
	server, err := modelserver.New(modelserver.Script{{Status: http.StatusServiceUnavailable, Text: "overloaded"}})
	s.do(err)
	m := &brokenModel{goesOn: make(chan struct{})}
	var requests atomic.Int64
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == n {
			m.waits.Store(true)
			select {
			case <-m.goesOn:
			case <-r.Context().Done():
			case <-s.t.Context().Done():
			}
		}
		server.ServeHTTP(w, r)
	}))
	s.t.Cleanup(h.Close)
	m.url = h.URL + "/v1"
	return m
}

// asked returns nil once the request has come that waits.
func (m *brokenModel) asked() error {
	if !m.waits.Load() {
		return errors.New("the model was not asked")
	}
	return nil
}
