package e2e_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// wantCancelled waits for the end of a task that was asked to cancel and checks how it ended, here and in Temporal.
func (s *scene) wantCancelled(id string, confirmed bool) *sdk.Task {
	s.t.Helper()
	task := s.ended(id)
	if task.Status != sdk.StatusCancelled || task.CancelConfirmed == nil || *task.CancelConfirmed != confirmed {
		s.t.Fatalf("the task is %s, its end confirmed: %v, want cancelled and %v", task.Status, task.CancelConfirmed, confirmed)
	}
	if got := s.run(id).GetWorkflowExecutionInfo().GetStatus(); got != enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		s.t.Errorf("the run is %s, want Canceled", got)
	}
	if e := task.Result.Error; e.Code != sdk.CodeCancelled || e.Message != "changed my mind" {
		s.t.Errorf("the result says %q, want the reason", e)
	}
	return task
}

// cancel asks for the end of a task and answers when that was.
func (s *scene) cancel(id string) time.Time {
	s.t.Helper()
	began := time.Now()
	if a := s.post("/v1/tasks/"+id+"/cancel", `{"reason":"changed my mind"}`); a.status != http.StatusAccepted {
		s.t.Fatalf("the cancellation is answered %d %+v, want 202", a.status, a.problem)
	}
	return began
}

// allGone waits until no process of the attempt is left, and answers how long after a time that was.
func (s *scene) allGone(a agent, after time.Time, atMost time.Duration) time.Duration {
	s.t.Helper()
	s.eventually("the end of everything the attempt started", patience, a.nothingLeft)
	took, atMost := time.Since(after), busy(atMost)
	if took > atMost {
		s.t.Errorf("all of the agent was gone %s after the request, want at most %s", took, atMost)
	}
	return took
}

func TestCancelStopsAnAgentWithItsChildren(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		steps         []string
		least, atMost time.Duration
	}{
		"that obeys":          {[]string{"child", "pid", "hang"}, 0, 2 * time.Second},
		"that ignores it all": {[]string{"stubborn", "child:stubborn", "pid", "hang"}, 4 * time.Second, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			s.worker("worker", dev.Worker{})
			created := s.delegate(script{"*": tc.steps})
			agent, child := s.started("0.1.pid"), s.started("0.1.child")
			s.ticking("0.1", 1) // the child has got as far as to ignore what it ignores
			began := s.cancel(created.ID)
			gone := s.allGone(agent, began, tc.atMost)
			if agent.alive() || child.alive() {
				t.Errorf("agent %v, child %v: one of them runs", agent, child)
			}
			if gone < tc.least {
				t.Errorf("all were gone after %s: they did not ignore SIGTERM", gone)
			}
			task := s.wantCancelled(created.ID, true)
			wantChain(t, task, "0.1 cancelled")
			took := task.CompletedAt.Sub(began)
			if atMost := busy(tc.atMost); took > atMost {
				t.Errorf("the run was Canceled %s after the request, want at most %s", took, atMost)
			}
			if ticks := s.ticksOf("0.1"); ticks[len(ticks)-1].After(*task.CompletedAt) {
				t.Errorf("the child ticked %s after its end was confirmed", ticks[len(ticks)-1].Sub(*task.CompletedAt))
			}
			t.Logf("processes gone after %s, run Canceled after %s", gone.Round(time.Millisecond), took.Round(time.Millisecond))
		})
	}
}

func TestCancelDoesNotWaitForASuspendedWorkerForLong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		heartbeatMs   int64
		least, atMost time.Duration
	}{
		"but the grace of 15 s":            {120_000, 14 * time.Second, 17 * time.Second},
		"when it is seen to be lost first": {5000, 3 * time.Second, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			worker := s.worker("worker", dev.Worker{})
			created := s.delegate(script{"*": {"child", "pid", "hang"}}, func(r *sdk.TaskRequest) { r.Timeouts.HeartbeatMs = tc.heartbeatMs })
			agent := s.started("0.1.pid")
			s.do(worker.Signal(syscall.SIGSTOP))
			began := s.cancel(created.ID)
			task := s.wantCancelled(created.ID, false)
			wantChain(t, task, "0.1 cancelled")
			took := task.CompletedAt.Sub(began)
			if took < tc.least || took > tc.atMost {
				t.Errorf("the run was Canceled %s after the request, want %s to %s", took, tc.least, tc.atMost)
			}
			if !agent.alive() {
				t.Error("the agent has ended, though nobody was there to stop it")
			}
			s.do(worker.Signal(syscall.SIGCONT))
			continued := time.Now()
			gone := s.allGone(agent, continued, 8*time.Second)
			if later, err := s.client.GetTask(t.Context(), task.ID); err != nil || !cmp.Equal(task, later) {
				t.Errorf("the end of the agent changed the task: %s %v", cmp.Diff(task, later), err)
			}
			t.Logf("run Canceled after %s; processes gone %s after the worker went on", took.Round(time.Millisecond), gone.Round(time.Millisecond))
		})
	}
}

func TestCancelOfATaskThatDoesNotRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		steps   script
		waiting string
		before  sdk.Status
		chain   []string
	}{
		"queued":            {nil, "no_agent", sdk.StatusQueued, []string{"0.1 cancelled"}},
		"backing off":       {script{"*": {"exit:1"}}, "backing_off", sdk.StatusQueued, []string{"0.1 failed"}},
		"waiting for input": {script{"*": {"ask:Which port?"}}, "waiting_for_input", sdk.StatusInputRequired, []string{"0.1 input_required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			if tc.steps != nil {
				s.worker("worker", dev.Worker{})
			}
			created := s.delegate(tc.steps, func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 60_000} })
			s.is(tc.waiting, created.ID, func(task *sdk.Task) bool {
				return task.Status == tc.before && task.WaitingFor != nil && task.WaitingFor.Reason == tc.waiting
			})
			began := s.cancel(created.ID)
			task := s.wantCancelled(created.ID, true)
			wantChain(t, task, tc.chain...)
			if took := task.CompletedAt.Sub(began); took > busy(2*time.Second) {
				t.Errorf("the run was Canceled %s after the request, want at once: nobody had to be waited for", took)
			}
			if task.WaitingFor != nil || task.InputRequest != nil {
				t.Errorf("the cancelled task waits for %+v, asks %+v", task.WaitingFor, task.InputRequest)
			}
		})
	}
}

func TestCancelOfATaskThatHasEndedChangesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"*": {`result:{"ok":true}`}})
	task := s.ended(created.ID)
	a := s.post("/v1/tasks/"+task.ID+"/cancel", `{"reason":"too late"}`)
	if a.status != http.StatusOK || !cmp.Equal(*task, a.task) {
		t.Errorf("answered %d: %s", a.status, cmp.Diff(*task, a.task))
	}
}

func TestASuccessAfterTheRequestToCancelIsASuccess(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{})
	created := s.delegate(script{"*": {"stubborn", "pid", "until:go", `result:{"ok":true}`}})
	s.started("0.1.pid")
	s.cancel(created.ID)
	if again := s.cancel(created.ID); time.Since(again) > patience {
		t.Error("asking again was refused")
	}
	s.eventually("the worker hears of it", patience, func() error {
		for _, p := range s.run(created.ID).GetPendingActivities() {
			if p.GetState() == enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED {
				return nil
			}
		}
		return fmt.Errorf("the attempt was not asked to stop")
	})
	s.touch("go")
	task := s.ended(created.ID)
	wantChain(t, task, "0.1 completed")
	if task.Status != sdk.StatusCompleted || string(task.Result.Output) != `{"ok":true}` || task.CancelConfirmed != nil {
		t.Errorf("the task is %s with %+v, its cancellation confirmed: %v", task.Status, task.Result, task.CancelConfirmed)
	}
}

func TestCancelInTheMomentOfTheStart(t *testing.T) {
	t.Parallel()
	const tasks = 24
	s := newScene(t, sharedStack(t))
	s.worker("worker", dev.Worker{Slots: 4})
	var began [tasks]time.Time
	var created [tasks]*sdk.Task
	for i := range tasks { // some while they wait, some while they are handed out, some while the program starts
		created[i] = s.delegate(script{"*": {"child", "hang"}})
		if i >= 4 {
			began[i-4] = s.cancel(created[i-4].ID)
		}
	}
	for i := tasks - 4; i < tasks; i++ {
		began[i] = s.cancel(created[i].ID)
	}
	var slowest time.Duration
	for i, at := range began {
		task := s.wantCancelled(created[i].ID, true)
		wantChain(t, task, "0.1 cancelled")
		slowest = max(slowest, task.CompletedAt.Sub(at))
	}
	if atMost := busy(2 * time.Second); slowest > atMost {
		t.Errorf("the slowest was Canceled %s after the request, want at most %s", slowest, atMost)
	}
	s.eventually("the end of every agent", busy(2*time.Second), s.nothingLeft)
	if next := s.ended(s.delegate(script{"*": {"result:1"}}).ID); next.Status != sdk.StatusCompleted {
		t.Errorf("the next task is %s", next.Status)
	}
	t.Logf("the slowest of %d was Canceled after %s", tasks, slowest.Round(time.Millisecond))
}
