package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

var record = flag.Bool("record", false, "write the kept workflow histories anew")

// scenario is one walk of a task whose history is kept. Its scene is a project named for it.
type scenario struct {
	steps script
	with  func(*sdk.TaskRequest)
	act   func(s *scene, id string, worker *dev.Process) // what happens to the task meanwhile
	away  bool                                           // the event log is, until the run has ended; the run that publishes then is kept as well
	want  sdk.Status
	chain []string
}

// publishing is what is added to a scenario's name for the run that publishes the last events of its task.
const publishing = "-events"

// scenarios are the kept histories by name; workflows/replay_test.go has the same names.
func scenarios() map[string]scenario {
	return map[string]scenario{
		"success": {
			steps: script{"*": {"progress:40", "until:go", "progress:100", `result:{"ok":true}`}},
			act: func(s *scene, id string, _ *dev.Process) {
				s.signalled(id, 2) // it runs, and its first progress
				s.touch("go")
			},
			want: sdk.StatusCompleted, chain: []string{"0.1 completed"},
		},
		"log-away": {
			steps: script{"*": {"progress:40", "until:go", `result:{"ok":true}`}},
			act: func(s *scene, id string, _ *dev.Process) {
				s.signalled(id, 2)
				s.touch("go")
			},
			away: true, want: sdk.StatusCompleted, chain: []string{"0.1 completed"},
		},
		"retry": {
			steps: script{"0.1": {`resume:{"at":"half"}`, "exit:1"}, "*": {"echo"}},
			want:  sdk.StatusCompleted, chain: []string{"0.1 failed", "0.2 completed"},
		},
		"fallback": {
			steps: script{"1.1": {"echo"}, "*": {"exit:1"}},
			with:  func(r *sdk.TaskRequest) { r.Fallback = []sdk.Stage{{Role: sdk.RoleTester, Model: "plan-b"}} },
			want:  sdk.StatusCompleted, chain: []string{"0.1 failed", "0.2 failed", "0.3 failed", "1.1 completed"},
		},
		"lost-worker": {
			steps: script{"0.1": {`resume:{"at":"half"}`, "progress:50", "pid", "hang"}, "*": {"echo"}},
			act: func(s *scene, id string, worker *dev.Process) {
				s.started("0.1.pid")
				s.heartbeatHolds(id, `{"at":"half"}`)
				s.do(worker.Kill())
				s.recorded("worker-2")
			},
			want: sdk.StatusCompleted, chain: []string{"0.1 lost", "0.2 completed"},
		},
		"cancel": {
			steps: script{"*": {"child", "pid", "hang"}},
			act: func(s *scene, id string, _ *dev.Process) {
				s.started("0.1.pid")
				_, err := s.client.CancelTask(s.t.Context(), id, "changed my mind")
				s.do(err)
			},
			want: sdk.StatusCancelled, chain: []string{"0.1 cancelled"},
		},
		"timeout": {
			steps: script{"*": {"hang"}},
			with: func(r *sdk.TaskRequest) {
				r.Timeouts.AttemptMs, r.Retry.MaxAttempts = 1000, 2
			},
			want: sdk.StatusFailed, chain: []string{"0.1 timed_out", "0.2 timed_out"},
		},
		"delegate": {
			steps: script{"*": {"until:go", `result:{"ok":true}`}},
			act: func(s *scene, id string, _ *dev.Process) {
				s.signalled(id, 1) // it runs
				for i, r := range []sdk.TaskRequest{{Title: "A child"}, {Title: "A child that outlives it", Detached: true}} {
					r.Type, r.Role, r.ParentID = sdk.TypeCodeTest, "nobody", id
					child, err := s.client.CreateTask(s.t.Context(), r, sdk.IdempotencyKey(fmt.Sprintf("child-%d", i)))
					s.do(err)
					if i == 0 {
						_, err = s.client.CancelTask(s.t.Context(), child.ID, "not needed")
						s.do(err)
						s.ended(child.ID)
					}
				}
				s.touch("go")
			},
			want: sdk.StatusCompleted, chain: []string{"0.1 completed"},
		},
		"input": {
			steps: script{"0.1": {`ask:Which port?|{"type":"integer"}`}, "*": {"echo"}},
			act: func(s *scene, id string, _ *dev.Process) {
				s.is("the question", id, func(task *sdk.Task) bool { return task.Status == sdk.StatusInputRequired })
				_, err := s.client.ProvideInput(s.t.Context(), id, "input-0-1", 80)
				s.do(err)
			},
			want: sdk.StatusCompleted, chain: []string{"0.1 input_required", "0.2 completed"},
		},
	}
}

// TestHistories runs every scenario, once with a control worker that keeps runs in its cache and once with one that keeps none and
// so replays each run at every workflow task, on a Temporal of their own. Each history must then replay as a whole.
func TestHistories(t *testing.T) {
	t.Parallel()
	t.Run("with the sticky cache", func(t *testing.T) {
		t.Parallel()
		if *record {
			t.Skip("the names of sticky queues hold the machine's name")
		}
		stack := dev.ForTest(t, dev.Options{NoAPI: true})
		h := histories(t, stack, func(away bool) error {
			if away {
				return stack.Events.Kill()
			}
			return stack.Events.Restart(t.Context())
		})
		for name, history := range h {
			if sticky(history) == 0 {
				t.Errorf("%s: no workflow task of the run was handed to the worker that has it in its cache", name)
			}
		}
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		stack := dev.ForTest(t, dev.Options{NoAPI: true, NoControl: true})
		log := &awayLog{}
		controlWithoutCache(t, stack, log, nil)
		h := histories(t, stack, log.set)
		for name, history := range h {
			if sticky(history) != 0 {
				t.Errorf("%s: a workflow task of the run was handed to a worker's cache", name)
			}
			if *record && !t.Failed() {
				keep(t, name, history)
			}
		}
	})
}

// awayLog is an event log that keeps nothing, and may be away.
type awayLog struct{ away atomic.Bool }

func (l *awayLog) set(away bool) error {
	l.away.Store(away)
	return nil
}

// Tell acknowledges everything unless it is away.
func (l *awayLog) Tell(context.Context, string, string, string, int, []sdk.Event) error {
	if l.away.Load() {
		return sdk.Errorf(sdk.CodeUnavailable, "the event log can not be reached; try again")
	}
	return nil
}

// histories runs every scenario on a stack and answers the histories by name. away lets the stack's event log go away, and come back.
func histories(t *testing.T, stack *dev.Stack, away func(bool) error) map[string]*historypb.History {
	t.Helper()
	url, _ := serveHere(t, stack, &reads{}, engine.Config{})
	h := map[string]*historypb.History{}
	for name, sc := range scenarios() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, stack)
			s.project = name
			var err error
			s.client, err = sdk.NewClient(sdk.Config{URL: url, ProjectID: name})
			s.do(err)
			if sc.away {
				s.do(away(true))
			}
			id := s.play(sc)
			h[name] = s.replayed(workflows.TaskWorkflowID(name, id))
			if sc.away {
				s.do(away(false))
				events := workflows.EventsWorkflowID(name, id)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				s.do(stack.Temporal().GetWorkflow(ctx, events, "").Get(ctx, nil))
				h[name+publishing] = s.replayed(events)
			}
		})
	}
	sessionHistories(t, stack, h)
	return h
}

// play runs a scenario and answers the id of its task, which has ended.
func (s *scene) play(sc scenario) string {
	s.t.Helper()
	first := s.recorded("worker-1")
	input, err := json.Marshal(map[string]any{"dir": ".", "attempts": sc.steps})
	s.do(err)
	request := sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: "History of " + s.project, Input: input,
		Retry: &sdk.Retry{InitialIntervalMs: 100}, Timeouts: &sdk.Timeouts{HeartbeatMs: 5000},
	}
	if sc.with != nil {
		sc.with(&request)
	}
	created, err := s.client.CreateTask(s.t.Context(), request, sdk.IdempotencyKey(s.project))
	s.do(err)
	if sc.act != nil {
		sc.act(s, created.ID, first)
	}
	task := s.ended(created.ID)
	if task.Status != sc.want {
		s.t.Errorf("the task is %s, want %s", task.Status, sc.want)
	}
	wantChain(s.t, task, sc.chain...)
	return created.ID
}

// replayed is the history of a run, which must replay.
func (s *scene) replayed(workflowID string) *historypb.History {
	s.t.Helper()
	return s.replayedRun(workflowID, "")
}

// replayedRun is replayed of one run of a workflow id.
func (s *scene) replayedRun(workflowID, runID string) *historypb.History {
	s.t.Helper()
	h, err := historyOfRun(s.t.Context(), s.stack.Temporal(), workflowID, runID)
	s.do(err)
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: workflows.DataConverter()})
	s.do(err)
	workflows.Register(replayer)
	s.do(replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h))
	return h
}

// recorded starts a worker for both roles whose agents run in the scene's folder, so that a script need not name it.
func (s *scene) recorded(name string) *dev.Process {
	s.t.Helper()
	return s.worker(name, dev.Worker{Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleTester}, Flags: []string{"--workdir", s.dir}})
}

// signalled waits until a run has had n signals.
func (s *scene) signalled(id string, n int) {
	s.t.Helper()
	s.eventually("signals of the run", patience, func() error {
		return atLeast(n, s.history(id)[enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED])
	})
}

// controlWithoutCache runs a control worker in this process, where TestMain sees to it that no run is kept in memory. It fails a run
// that does not replay instead of waiting for a mended worker. log and agents may be nil.
func controlWithoutCache(t *testing.T, stack *dev.Stack, log activities.StoryLog, agents activities.Agents) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() {
		stopped <- workers.RunControl(ctx, workers.ControlConfig{
			FailOnPanic: true, Stories: log, Agents: agents, Logger: slog.New(slog.DiscardHandler),
			Temporal: client.Options{
				HostPort: stack.TemporalAddr(), Identity: "control", Logger: slog.New(slog.DiscardHandler), DataConverter: workflows.DataConverter(),
			},
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("the control worker: %v", err)
		}
	})
	if err := dev.Until(t.Context(), patience, func(ctx context.Context) error {
		return dev.Polled(ctx, stack.Temporal(), workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW, time.Time{})
	}); err != nil {
		t.Fatal(err)
	}
}

// sticky is how many workflow tasks of a run were handed to the worker that had it in its cache.
func sticky(h *historypb.History) int {
	n := 0
	for _, e := range h.GetEvents() {
		if e.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
			n++
		}
	}
	return n
}

// keptIn is where the histories of the code as it stands are kept.
func keptIn(t *testing.T) string {
	t.Helper()
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "workflows", "testdata", "histories", "next")
}
