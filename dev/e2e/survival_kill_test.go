package e2e_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestKilledWorkerIsReplaced kills a worker in the middle of a task. Another one goes on from what the first had left, and nothing
// of the first is left.
func TestKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	t.Run("different working directories", func(t *testing.T) {
		t.Parallel()
		killInTheMiddle(t, nil)
	})
	t.Run("one working directory", func(t *testing.T) {
		t.Parallel()
		killInTheMiddle(t, []string{"--workdir", t.TempDir()})
	})
}

func killInTheMiddle(t *testing.T, flags []string) {
	s := newScene(t, sharedStack(t))
	first := s.worker("first", dev.Worker{Flags: flags})
	task := s.delegate(script{
		"0.1": {"pid", "child", "tick", `resume:{"step":7}`, "hang"},
		"0.2": {"pid", "tick", "until:end", "echo"},
	})
	parent, child := s.started("0.1.pid"), s.started("0.1.child")
	s.heartbeatHolds(task.ID, `{"step":7}`)
	s.worker("second", dev.Worker{Flags: flags})
	s.ticking("0.1", 10)
	if parent.nothingLeft() == nil {
		t.Fatal("a look at all processes does not find those of the attempt")
	}
	killed := time.Now()
	s.do(first.Kill())
	stopped := s.eventually("the end of the first agent's processes", busy(2*time.Second), parent.nothingLeft)
	s.do(child.gone())
	s.started("0.2.pid")
	s.ticking("0.2", 25)
	s.touch("end")

	task = s.completed(task.ID, "0.1 lost", "0.2 completed")
	if a := task.Attempts; a[0].AgentID != "first" || a[1].AgentID != "second" || a[0].Error == nil || a[0].Error.Code != sdk.CodeWorkerLost {
		t.Errorf("attempts: %+v", a)
	}
	if got := echo(t, task); string(got.Resume) != `{"step":7}` {
		t.Errorf("the second attempt got resume data %s", got.Resume)
	}
	quiet := s.silentBefore("0.1", "0.2")
	takeover := task.Attempts[1].StartedAt.Sub(killed)
	if takeover > heartbeat+busy(slack) {
		t.Errorf("the second worker took over after %s, more than %s", takeover, heartbeat+busy(slack))
	}
	t.Logf("taken over %s after the kill; processes gone after %s; nothing ticked for %s", takeover, stopped, quiet)
}

// TestSecondAttemptKilledAtItsStart kills the second of three attempts within 100 ms of its start, on a machine that is free. Whether that succeeds is the
// machine's doing, too: where it was slower the whole is done again.
func TestSecondAttemptKilledAtItsStart(t *testing.T) {
	t.Parallel()
	const tries = 3
	early := busy(100 * time.Millisecond)
	for range tries {
		lived := killAtItsStart(t)
		t.Logf("the second attempt was killed %s after its start", lived)
		if lived < early {
			return
		}
	}
	t.Errorf("in %d tries the second attempt could not be killed within %s of its start", tries, early)
}

// killAtItsStart answers how long the second attempt lived, from the start that its worker reported.
func killAtItsStart(t *testing.T) time.Duration {
	s := newScene(t, sharedStack(t))
	first := s.coder("first")
	task := s.delegate(script{
		"0.1": {"pid", "child", "tick", `resume:{"step":7}`, "hang"},
		"0.2": {"pid", "tick", "child", "hang"},
		"0.3": {"pid", "tick", "until:end", "echo"},
	})
	parent := s.started("0.1.pid")
	s.heartbeatHolds(task.ID, `{"step":7}`)
	second := s.coder("second")
	s.do(first.Kill())
	s.eventually("the end of the first agent's processes", busy(2*time.Second), parent.nothingLeft)
	s.at("0.2.pid", patience)
	s.do(second.Kill())
	killed := time.Now()
	s.eventually("the end of the second agent's processes", busy(2*time.Second), s.nothingLeft)
	s.coder("third")
	s.started("0.3.pid")
	s.ticking("0.3", 25)
	s.touch("end")

	task = s.completed(task.ID, "0.1 lost", "0.2 lost", "0.3 completed")
	if got := echo(t, task); string(got.Resume) != `{"step":7}` {
		t.Errorf("the third attempt got resume data %s", got.Resume)
	}
	if a := task.Attempts; a[0].AgentID != "first" || a[1].AgentID != "second" || a[2].AgentID != "third" {
		t.Errorf("attempts: %+v", a)
	}
	if third := s.ticksOf("0.3"); slices.ContainsFunc(s.ticksOf("0.2"), third[0].Before) {
		t.Error("the second attempt ticked after the third had begun")
	}
	return killed.Sub(task.Attempts[1].StartedAt)
}

// at waits for a file of a script with looks so close that no more than a millisecond or two is lost.
func (s *scene) at(name string, atMost time.Duration) {
	s.t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); <-look.C {
		if _, err := os.Stat(s.path(name)); err == nil {
			return
		}
	}
	s.t.Fatalf("%s did not appear within %s", name, atMost)
}
