package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// The facts of the recordings that are played here: workers/agents/pi holds its own table of them to the recorded lines.
const (
	piSession  = "01a1ff9b-32a3-72aa-86fa-959c4e47a9bd" // of sigterm-tool
	piAnswer   = "Done. Quality gate: passed.\n- Keep inputs validated\n- Follow-up: add tests for ep-041x"
	piTokens   = 362 // of write and resume-1
	piCost     = 0.001374
	toolTokens = 100 // of one that ends in its tool
	toolCost   = 0.000486
)

// piWorker starts a worker that runs pi: one that plays a recording for each attempt, and the last for every later one.
func (s *scene) piWorker(name string, recordings ...string) *dev.Process {
	s.t.Helper()
	program, err := dev.Build(s.t.Context(), dev.ReplayPi)
	s.do(err)
	root, err := dev.Root()
	s.do(err)
	for i, r := range recordings {
		recordings[i] = filepath.Join(root, "workers", "agents", "pi", "testdata", r)
	}
	return s.worker(name, dev.Worker{Agent: "pi", Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleCoordinator}, Env: []string{
		"ROLECALL_PI_PROGRAM=" + program, "ROLECALL_PI_PROVIDER=scripted", "ROLECALL_PI_MODEL=scripted", "ROLECALL_PI_SESSION_DIR=" + s.path("sessions"),
		"PI_REPLAY=" + strings.Join(recordings, ","), "PI_REPLAY_LOG=" + s.dir,
	}})
}

// piRun is what an attempt's pi was started with.
type piRun struct {
	PID   int
	Args  []string
	Stdin string
	Tool  int
}

// piStarted waits until the pi of an attempt is known to meet a condition.
func (s *scene) piStarted(attempt int, what string, condition func(piRun) bool) (run piRun) {
	s.t.Helper()
	s.eventually(what, patience, func() error {
		raw, err := os.ReadFile(s.path(fmt.Sprintf("%d.json", attempt)))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &run); err != nil {
			return err
		}
		if !condition(run) {
			return fmt.Errorf("it is %+v", run)
		}
		return nil
	})
	return run
}

// inItsTool waits until the pi of an attempt has a tool running, and answers both.
func (s *scene) inItsTool(attempt int) (pi agent, tool process) {
	s.t.Helper()
	run := s.piStarted(attempt, "a tool of pi", func(r piRun) bool { return r.Tool > 0 })
	pi, tool = agent{find(run.PID), variable(run.PID, "ROLECALL_RUN")}, find(run.Tool)
	if !pi.alive() || !tool.alive() || pi.mark == "" {
		s.t.Fatalf("pi is %+v, its tool %+v", pi, tool)
	}
	return pi, tool
}

// wantPiWasTold compares what the pi of every attempt was told: the prompt, which goes on with what was begun from the second one on, for the
// worker's own model.
func (s *scene) wantPiWasTold(attempts int, prompt string) {
	s.t.Helper()
	for n := 1; n <= attempts; n++ {
		run := s.piStarted(n, "the start of pi", func(piRun) bool { return true })
		i := slices.Index(run.Args, "--model")
		_, told, goesOn := strings.Cut(run.Stdin, "The task again:\n\n")
		if !goesOn {
			told = run.Stdin
		}
		if told != prompt || goesOn != (n > 1) || i < 0 || i+1 >= len(run.Args) || run.Args[i+1] != "scripted" {
			s.t.Errorf("attempt %d was asked %q with %q", n, run.Stdin, run.Args)
		}
	}
}

// wantSpent compares tokens and cost of a task that has ended.
func (s *scene) wantSpent(task *sdk.Task, tokens int64, cost float64) {
	s.t.Helper()
	m := task.Result.Metrics
	if m.TokensUsed == nil || m.CostUSD == nil || *m.TokensUsed != tokens || math.Abs(*m.CostUSD-cost) > 1e-12 {
		raw, _ := json.Marshal(m) // it came as JSON
		s.t.Errorf("the metrics are %s, want %d tokens for %g", raw, tokens, cost)
	}
}

func wantPiAnswer(t *testing.T, task *sdk.Task) {
	t.Helper()
	var out struct{ Text string }
	if err := json.Unmarshal(task.Result.Output, &out); err != nil || out.Text != piAnswer || task.Result.Model != "scripted" {
		t.Errorf("the output is %s of %q (%v)", task.Result.Output, task.Result.Model, err)
	}
	r := task.Result // what the answer says beside
	if r.QualityGatePassed == nil || !*r.QualityGatePassed || !slices.Equal(r.EpisodeRefs, []string{"ep-041x"}) ||
		!sameJSON(t, r.QualityGate, `{"passed":true,"details":"Quality gate: passed.","evidence":"statement"}`) ||
		!sameJSON(t, r.Reflection, `{"lessons":["Keep inputs validated"],"followUps":["add tests for ep-041x"]}`) {
		t.Errorf("learned: the gate %s, the reflection %s, the episodes %q", r.QualityGate, r.Reflection, r.EpisodeRefs)
	}
}

func TestPiAnswers(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.piWorker("pi", "write")
	created := s.delegate(nil)
	task := s.completed(created.ID, "0.1 completed")
	wantPiAnswer(t, task)
	s.wantSpent(task, piTokens, piCost)
	if p := task.Progress; p == nil || p.Category != "message" || p.Message != piAnswer {
		t.Errorf("the last progress is %+v", p)
	}
	run := s.piStarted(1, "the start of pi", func(piRun) bool { return true })
	if !strings.HasPrefix(run.Stdin, "# "+t.Name()+"\n") || slices.Contains(run.Args, "--fork") {
		t.Errorf("it was asked %q with %q", run.Stdin, run.Args)
	}
}

// TestPiFailsAndIsTriedAgain plays two runs that fail although they exit with 0. What they spent is the caller's to pay.
func TestPiFailsAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.piWorker("pi", "http500", "rpc-stdin-closed-mid-tool", "write")
	created := s.delegate(nil)
	task := s.completed(created.ID, "0.1 failed", "0.2 failed", "0.3 completed")
	wantPiAnswer(t, task)
	s.wantSpent(task, toolTokens+piTokens, toolCost+piCost)
	for i, want := range []sdk.TaskError{
		{Code: "model_error", Message: "500 scripted failure"}, {Code: sdk.CodeAgentFailed, Message: "pi ended before its run did: it said nothing about it"},
	} {
		if got := task.Attempts[i].Error; got == nil || got.Code != want.Code || got.Message != want.Message {
			t.Errorf("attempt %d failed with %v, want %v", i+1, got, &want)
		}
	}
	tool := s.piStarted(2, "the tool that pi left", func(r piRun) bool { return r.Tool > 0 }).Tool
	s.do(find(tool).gone())
}

func TestPiFailsForGood(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.piWorker("pi", "http401", "write")
	task := s.ended(s.delegate(nil).ID)
	wantChain(t, task, "0.1 failed")
	if e := task.Result.Error; task.Status != sdk.StatusFailed || e.Code != "model_error" || e.Message != "401 Incorrect API key provided" {
		t.Errorf("the task is %s: %v", task.Status, e)
	}
	s.wantSpent(task, 0, 0)
}

func TestPiIsCancelledInATool(t *testing.T) {
	t.Parallel()
	for recording, atMost := range map[string]time.Duration{"sigterm-tool": 2 * time.Second, "sigkill-group-tool": 8 * time.Second} {
		t.Run(recording, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			s.piWorker("pi", recording)
			created := s.delegate(nil)
			pi, tool := s.inItsTool(1)
			s.allGone(pi, s.cancel(created.ID), atMost)
			s.do(tool.gone())
			task := s.wantCancelled(created.ID, true)
			wantChain(t, task, "0.1 cancelled")
			s.wantSpent(task, toolTokens, toolCost)
		})
	}
}

// TestPiGoesOnAfterItsWorkerWasKilled kills a worker whose pi is in a tool. Both end with it, and the next worker goes on with the
// conversation; of what the first had spent, its last heartbeat told.
func TestPiGoesOnAfterItsWorkerWasKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	first := s.piWorker("first", "sigterm-tool", "resume-1")
	created := s.delegate(nil)
	pi, tool := s.inItsTool(1)
	s.heartbeatTells(created.ID, `{"session":"`+piSession+`"}`, toolTokens)
	s.do(first.Kill())
	s.eventually("the end of pi", busy(2*time.Second), pi.nothingLeft)
	s.do(tool.gone())
	s.piWorker("second", "sigterm-tool", "resume-1")

	task := s.completed(created.ID, "0.1 lost", "0.2 completed")
	wantPiAnswer(t, task)
	s.wantSpent(task, toolTokens+piTokens, toolCost+piCost)
	run := s.piStarted(2, "the second pi", func(piRun) bool { return true })
	i := slices.Index(run.Args, "--fork")
	if i < 0 || !strings.HasSuffix(run.Args[i+1], "_"+piSession+".jsonl") || !strings.HasPrefix(run.Stdin, "Your work on this task was interrupted.") {
		t.Errorf("it was asked %q with %q", run.Stdin, run.Args)
	}
}

// heartbeatTells waits until Temporal has recorded the resume data of the running attempt, and what it spent.
func (s *scene) heartbeatTells(id, resume string, tokens int64) {
	s.t.Helper()
	s.eventually("a heartbeat that tells all", patience, func() error {
		p, err := s.pending(id)
		if err != nil {
			return err
		}
		var report activities.AttemptReport
		if err := converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &report); err != nil {
			return err
		}
		if string(report.Resume) != resume || report.Spent == nil || *report.Spent.TokensUsed != tokens {
			return fmt.Errorf("it tells %s, %+v", report.Resume, report.Spent)
		}
		return nil
	})
}
