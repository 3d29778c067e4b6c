package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var record = flag.Bool("record", false, "write the kept workflow histories anew")

// scenario is one walk of a task whose history is kept. Its scene is a project named for it.
type scenario struct {
	steps script
	with  func(*sdk.TaskRequest)
	act   func(s *scene, id string, worker *dev.Process) // what happens to the task meanwhile
	flags []string                                       // of its worker
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
		"capabilities": { // found by nobody, then one who does not take it, who is asked again, and then another one who comes
			steps: script{"*": {`result:{"ok":true}`}},
			with: func(r *sdk.TaskRequest) {
				r.Capabilities, r.Timeouts.QueueMs = []string{"sql"}, 600_000
			},
			flags: []string{"--addressable"},
			act: func(s *scene, id string, _ *dev.Process) {
				s.waitsFor(id, sdk.WaitingNoCapable, "sql")
				s.able("ghost", "sql")
				s.looksBesideAnAsk(id)
				s.able("worker-1", "sql")
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
		h := histories(t, stack, surroundings{
			away: func(away bool) error {
				if away {
					return stack.Events.Kill()
				}
				return stack.Events.Restart(t.Context())
			},
			able: func(project, id string, can ...string) error { return registerAgent(t, stack, project, id, can) },
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
		log, agents := &awayLog{}, &registered{can: map[string][]string{}}
		controlWithoutCache(t, stack, log, agents)
		h := histories(t, stack, surroundings{away: log.set, able: func(_, id string, can ...string) error {
			agents.add(id, can...)
			return nil
		}})
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

// histories runs every scenario on a stack and answers the histories by name.
func histories(t *testing.T, stack *dev.Stack, around surroundings) map[string]*historypb.History {
	t.Helper()
	url, _ := serveHere(t, stack, &reads{}, engine.Config{})
	h := map[string]*historypb.History{}
	for name, sc := range scenarios() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, stack)
			s.project = name
			s.able = func(id string, can ...string) { s.do(around.able(name, id, can...)) }
			var err error
			s.client, err = sdk.NewClient(sdk.Config{URL: url, ProjectID: name})
			s.do(err)
			if sc.away {
				s.do(around.away(true))
			}
			id := s.play(sc)
			h[name] = s.replayed(workflows.TaskWorkflowID(name, id))
			if sc.away {
				s.do(around.away(false))
				events := workflows.EventsWorkflowID(name, id)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				s.do(stack.Temporal().GetWorkflow(ctx, events, "").Get(ctx, nil))
				h[name+publishing] = s.replayed(events)
			}
		})
	}
	sessionHistories(t, stack, h)
	planHistories(t, stack, h)
	return h
}

// play runs a scenario and answers the id of its task, which has ended.
func (s *scene) play(sc scenario) string {
	s.t.Helper()
	first := s.recorded("worker-1", sc.flags...)
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
func (s *scene) recorded(name string, flags ...string) *dev.Process {
	s.t.Helper()
	return s.worker(name, dev.Worker{Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleTester}, Flags: append([]string{"--workdir", s.dir}, flags...)})
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
