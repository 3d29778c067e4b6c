package e2e_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// A worker that was suspended is replaced, and when it goes on it does not finish the task a second time: not while the second
// attempt runs, not with a result that its agent has ready, not after the end.

func TestSuspendedWorkerFindsItsTaskTaken(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	first, task, agent := s.suspended(nil, "hang")
	s.started("0.2.pid")
	s.ticking("0.2", 10)
	resumed := time.Now()
	s.do(first.Signal(syscall.SIGCONT))
	s.eventually("the end of the first agent", 10*time.Second, agent.nothingLeft)
	t.Logf("the first agent was ended %s after its worker went on", time.Since(resumed))
	s.finishedBySecond(task, first)
}

func TestSuspendedWorkerHasALateResult(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	first, task, agent := s.suspended(nil, "until:late", `result:{"attempt":1}`)
	s.touch("late")
	s.eventually("the end of the first agent", patience, agent.gone)
	s.started("0.2.pid")
	s.do(first.Signal(syscall.SIGCONT))
	s.eventually("the end of all that the first attempt had", 10*time.Second, agent.nothingLeft)
	s.ticking("0.2", 50)
	s.finishedBySecond(task, first)
}

func TestSuspendedWorkerLosesTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	first, task, agent := s.suspended([]string{"--workdir", t.TempDir()}, "hang")
	s.started("0.2.pid")
	s.do(agent.gone())
	s.ticking("0.2", 25)
	t.Logf("the first agent stopped %s before the second began", s.silentBefore("0.1", "0.2"))
	s.touch("end")
	s.ended(task.ID)
	s.do(first.Signal(syscall.SIGCONT))
	s.finishedBySecond(task, first)
}

// suspended starts a task whose first worker is suspended while its agent goes on, and a second worker.
func (s *scene) suspended(flags []string, last ...string) (first *dev.Process, task *sdk.Task, a agent) {
	s.t.Helper()
	first = s.worker("first", dev.Worker{Flags: flags})
	task = s.delegate(script{
		"0.1": append([]string{"pid", "tick", `resume:{"step":7}`}, last...),
		"0.2": {"pid", "tick", "until:end", "echo"},
	})
	a = s.started("0.1.pid")
	s.heartbeatHolds(task.ID, `{"step":7}`)
	s.worker("second", dev.Worker{Flags: flags})
	s.do(first.Signal(syscall.SIGSTOP))
	s.ticking("0.1", 10)
	return first, task, a
}

// finishedBySecond ends the second attempt and checks that the task's end is its doing, and stays so when the first worker, which
// goes on, has been drained.
func (s *scene) finishedBySecond(task *sdk.Task, first *dev.Process) {
	s.t.Helper()
	s.touch("end")
	task = s.completed(task.ID, "0.1 lost", "0.2 completed")
	if got := echo(s.t, task); got.Attempt != 2 || string(got.Resume) != `{"step":7}` {
		s.t.Errorf("the result is that of attempt %d, begun with resume data %s", got.Attempt, got.Resume)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := first.Stop(ctx); err != nil {
		s.t.Errorf("drain the first worker: %v", err)
	}
	s.eventually("the end of every agent", 10*time.Second, s.nothingLeft)
	again, err := s.client.GetTask(s.t.Context(), task.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(task, again); diff != "" {
		s.t.Errorf("the task changed after its end:\n%s", diff)
	}
	s.endedOnce(task.ID)
}
