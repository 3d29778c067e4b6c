package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// httpAgents is how many agents over HTTP share the tasks of the tests of many.
var httpAgents = flag.Int("http-agents", 20, "how many agents over HTTP share one role in the tests of many; make soak has 100")

// httpWorker starts an agent over HTTP in this process.
func (s *scene) httpWorker(client *sdk.Client, agentID string, h sdk.HandlerFunc) {
	s.t.Helper()
	s.httpWorkers(client, []string{agentID}, h)
}

// httpWorkers starts agents over HTTP in this process, which drain together at the end of the test.
func (s *scene) httpWorkers(client *sdk.Client, agentIDs []string, h sdk.HandlerFunc) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	var working sync.WaitGroup
	for _, id := range agentIDs {
		w, err := sdk.NewWorker(client, sdk.WorkerConfig{AgentID: id, Roles: []sdk.Role{sdk.RoleCoder}, Logger: slog.New(slog.DiscardHandler)})
		s.do(err)
		working.Go(func() {
			if err := w.StartProcessing(ctx, h); err != nil {
				s.t.Errorf("the worker %s ended: %v", id, err)
			}
		})
	}
	s.t.Cleanup(func() {
		stop()
		working.Wait()
	})
}

// The same handler as with a role worker: progress, resume data, a retry, a question and a result.
func TestWorkerOverHTTP(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.httpWorker(s.client, "ada", func(_ context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		switch {
		case a.Attempt == 1:
			r.Progress(sdk.Progress{Percentage: 40, Phase: "writing"})
			r.Progress(sdk.Progress{Percentage: 50, Phase: "testing"})
			tokens := int64(7)
			r.(sdk.Meter).Spent(sdk.Metrics{TokensUsed: &tokens})
			return nil, errors.Join(r.Resume(json.RawMessage(`{"page":3}`)), errors.New("the tests fail"))
		case len(a.Answers) == 0:
			return nil, sdk.AskInput("Which colour?", json.RawMessage(`{"enum":["red","blue"]}`))
		default:
			tokens := int64(5)
			return &sdk.Result{Output: json.RawMessage(fmt.Sprintf(`{"resume":%s,"answer":%s}`, a.Resume, a.Answers[0].Answer)), Metrics: sdk.Metrics{TokensUsed: &tokens}}, nil
		}
	})
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Paint", Retry: &sdk.Retry{InitialIntervalMs: 100}})
	s.do(err)
	asked := s.is("asked", task.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusInputRequired })
	if asked.InputRequest.Prompt != "Which colour?" {
		t.Errorf("asked %q", asked.InputRequest.Prompt)
	}
	_, err = s.client.ProvideInput(t.Context(), task.ID, asked.InputRequest.ID, json.RawMessage(`"blue"`))
	s.do(err)
	done := s.ended(task.ID)
	if got := string(done.Result.Output); got != `{"resume":{"page":3},"answer":"blue"}` {
		t.Errorf("output %s", got)
	}
	if got, want := strings.Join(chain(done), ", "), "0.1 failed, 0.2 input_required, 0.3 completed"; got != want {
		t.Errorf("the chain is %s, not %s", got, want)
	}
	if p := done.Progress; p == nil || p.Percentage != 50 || p.Phase != "testing" || p.Attempt != 1 {
		t.Errorf("the last progress is %+v", p)
	}
	if n := done.Result.Metrics.TokensUsed; n == nil || *n != 12 {
		t.Errorf("tokens %v", n)
	}
	for _, a := range done.Attempts {
		if a.AgentID != "ada" {
			t.Errorf("attempt %d is of %q", a.Attempt, a.AgentID)
		}
	}
	var told []string
	for e, err := range s.client.TaskEvents(t.Context(), task.ID) {
		s.do(err)
		told = append(told, string(e.Type))
	}
	told = slices.Compact(told) // of two progresses at once the newest is enough
	want := "task.created task.assigned task.started task.progress task.retrying task.assigned task.input_required task.assigned task.completed"
	if got := strings.Join(told, " "); got != want {
		t.Errorf("the story is\n%s, not\n%s", got, want)
	}
}

// An agent over HTTP that is registered as addressable gets what addresses it and what is its role's, however short its claims wait.
func TestAddressedOverHTTP(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	ctx := t.Context()
	_, err := s.client.RegisterAgent(ctx, sdk.AgentRequest{ID: "ada", Name: "Ada", Role: sdk.RoleCoder, Addressable: true})
	s.do(err)
	mine := s.delegate(script{}, func(r *sdk.TaskRequest) { r.AgentID = "ada" })
	roles := s.delegate(script{})
	left := map[string]bool{mine.ID: true, roles.ID: true}
	s.eventually("both tasks are done", patience, func() error {
		lease, err := s.client.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada"})
		if err != nil {
			return err
		}
		if lease != nil {
			s.do(s.client.CompleteLease(ctx, lease.Token, sdk.LeaseResult{Output: json.RawMessage(`1`)}))
			delete(left, lease.Task.ID)
		}
		if len(left) > 0 {
			return fmt.Errorf("left is %v", left)
		}
		return nil
	})
	for _, id := range []string{mine.ID, roles.ID} {
		if done := s.ended(id); done.Status != sdk.StatusCompleted || done.AgentID != "ada" {
			t.Errorf("%s is %s by %q", id, done.Status, done.AgentID)
		}
	}
}

// A worker over HTTP is in the registry, is chosen for what it can do, and is offline once it has drained.
func TestWorkerOverHTTPIsRegistered(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	w, err := sdk.NewWorker(s.client, sdk.WorkerConfig{
		AgentID: "ada", Name: "Ada", Roles: []sdk.Role{sdk.RoleCoder}, Capabilities: []string{"go"}, Addressable: true, Logger: slog.New(slog.DiscardHandler),
	})
	s.do(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- w.StartProcessing(ctx, sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			return &sdk.Result{Output: json.RawMessage(`1`)}, nil
		}))
	}()
	s.agentIs(s.client, "ada", func(a *sdk.Agent) bool {
		return a.Status == sdk.AgentIdle && a.Addressable && a.Polling && a.Name == "Ada"
	})
	task := s.delegate(script{}, func(r *sdk.TaskRequest) { r.Capabilities = []string{"go"} })
	if done := s.ended(task.ID); done.Status != sdk.StatusCompleted || done.AgentID != "ada" {
		t.Errorf("the task is %s by %q", done.Status, done.AgentID)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.agentIs(s.client, "ada", func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
}

// An agent that is killed in the middle: its task is taken by another one within the heartbeat timeout, with what it had kept.
func TestKilledAgentOverHTTP(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	dead := s.worker("dead", dev.Worker{Flags: []string{"--over", "http"}})
	task := s.delegate(script{"*": {`resume:{"page":3}`, "progress:30", "hang"}})
	s.is("kept", task.ID, func(t *sdk.Task) bool { return t.AgentID == "dead" && t.Progress != nil })
	s.do(dead.Kill())
	killed := time.Now()
	taken := make(chan json.RawMessage, 1)
	s.httpWorker(s.client, "alive", func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		taken <- a.Resume
		return &sdk.Result{Output: json.RawMessage(`"done"`)}, nil
	})
	done := s.ended(task.ID)
	if took := time.Since(killed); took > 15*time.Second {
		t.Errorf("taken by another one and done %s after the kill; heartbeatMs is 5000", took.Round(10*time.Millisecond))
	}
	if got, want := strings.Join(chain(done), ", "), "0.1 lost, 0.2 completed"; got != want {
		t.Errorf("the chain is %s, not %s", got, want)
	}
	if got := string(<-taken); got != `{"page":3}` {
		t.Errorf("resumed from %s", got)
	}
	if done.Attempts[0].AgentID != "dead" || done.Attempts[1].AgentID != "alive" {
		t.Errorf("the chain is of %s and %s", done.Attempts[0].AgentID, done.Attempts[1].AgentID)
	}
}

// Many agents over HTTP on one role: each task is completed once, and none is lost.
func TestManyAgentsOverHTTP(t *testing.T) {
	s := newScene(t, sharedStack(t))
	s.crowdOverHTTP(s.client, *httpAgents, *many, nil)
}

// crowdOverHTTP lets agents do short tasks, and reports how often an attempt was repeated. meanwhile is called when a third is done.
func (s *scene) crowdOverHTTP(client *sdk.Client, agents, tasks int, meanwhile func()) {
	t := s.t
	var mu sync.Mutex
	ran := map[string]int{} // how often a task's handler ran
	third := make(chan struct{})
	names := make([]string, agents)
	for n := range names {
		names[n] = fmt.Sprintf("agent-%d", n)
	}
	s.httpWorkers(client, names, func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[a.Task.ID]++
		if len(ran) == tasks/3 && ran[a.Task.ID] == 1 {
			close(third)
		}
		return &sdk.Result{Output: json.RawMessage(`"` + a.Task.ID + `"`)}, nil
	})
	if meanwhile != nil {
		go func() {
			<-third
			meanwhile()
		}()
	}
	began := time.Now()
	ids := s.create(client, tasks, func(n int) sdk.TaskRequest {
		r := sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: fmt.Sprintf("short %d", n)}
		if meanwhile != nil { // what a killed server had in hand is to come back soon
			r.Timeouts = &sdk.Timeouts{HeartbeatMs: 5000}
		}
		return r
	})
	repeated, twice, by := 0, 0, map[string]int{}
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		done, err := client.WaitForTask(ctx, id)
		cancel()
		s.do(err)
		if done.Status != sdk.StatusCompleted || string(done.Result.Output) != `"`+id+`"` {
			t.Errorf("task %s ended as %s: %s", id, done.Status, chain(done))
		}
		completed := 0
		for _, a := range done.Attempts {
			if a.Outcome == sdk.OutcomeCompleted {
				completed++
			}
		}
		if completed != 1 {
			t.Errorf("task %s was completed %d times: %s", id, completed, chain(done))
		}
		if len(done.Attempts) > 1 {
			repeated++
			t.Logf("task %s: %s", id, chain(done))
		}
		by[done.AgentID]++
	}
	mu.Lock()
	defer mu.Unlock()
	for _, n := range ran {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d tasks by %d of %d agents in %s: %d had a repeated attempt, %d ran twice", len(ids), len(by), agents, time.Since(began).Round(time.Millisecond), repeated, twice)
	inHand := 0 // that may be handed out again: what a server had when it was killed
	if meanwhile != nil {
		inHand = agents
	}
	if repeated > inHand || twice > inHand {
		t.Errorf("%d tasks had a repeated attempt and %d ran twice, of which %d may", repeated, twice, inHand)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != tasks {
		t.Error("an id came twice")
	}
}
