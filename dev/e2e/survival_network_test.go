package e2e_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// outage is how long Temporal cannot be reached in the tests of a running agent; a worker keeps its task for 30 s by default.
const outage = 10 * time.Second

// TestTemporalUnreachable cuts a worker off for less than its heartbeat timeout. The agent notices nothing.
func TestTemporalUnreachable(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*dev.Proxy){"refused": (*dev.Proxy).Refuse, "dropped": (*dev.Proxy).Drop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			l := s.behindProxy(sdk.DefaultHeartbeatMs, script{"*": {"pid", "tick", "until:more", "progress:50", "until:end", `result:"unharmed"`}})
			cut(l.proxy)
			s.touch("more")
			s.ticksUntil("0.1", time.Now().Add(outage))
			l.proxy.Restore()
			restored := time.Now()
			s.heartbeatSince(l.task.ID, restored)
			back := time.Since(restored)
			s.is("the progress of meanwhile", l.task.ID, func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 50 })
			s.undisturbed(l.agent, "0.1")
			s.touch("end")
			task := s.completed(l.task.ID, "0.1 completed")
			if string(task.Result.Output) != `"unharmed"` {
				t.Errorf("output %s", task.Result.Output)
			}
			s.endedOnce(l.task.ID)
			t.Logf("cut off for %s; the first heartbeat came %s after; the longest gap between two ticks was %s", outage, back, longestGap(s.ticksOf("0.1")))
		})
	}
}

// TestResultWaitsForTemporal ends an agent while its worker is cut off. The result arrives when the worker is back.
func TestResultWaitsForTemporal(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	l := s.behindProxy(sdk.DefaultHeartbeatMs, script{"*": {"pid", "tick", "until:end", `result:"kept"`}})
	s.eventually("the attempt's start in history", patience, func() error {
		if s.history(l.task.ID)[enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] == 0 {
			return errors.New("no signal yet")
		}
		return nil
	})
	// A later exchange over the same connection: the worker has had its answer to the signal by then, and nothing else to send.
	s.heartbeatSince(l.task.ID, time.Now())
	l.proxy.Refuse()
	cut := time.Now()
	s.touch("end")
	s.eventually("the end of the agent", patience, l.agent.nothingLeft)
	s.eventually("the worker's word that its answer does not get through", patience, func() error {
		if !strings.Contains(l.worker.LogTail(100), "could not be delivered yet") {
			return errors.New("not in its log")
		}
		return nil
	})
	l.proxy.Restore()
	restored := time.Now()
	task := s.completed(l.task.ID, "0.1 completed")
	if string(task.Result.Output) != `"kept"` {
		t.Errorf("output %s", task.Result.Output)
	}
	s.endedOnce(l.task.ID)
	t.Logf("cut off for %s; the result arrived %s after", restored.Sub(cut), time.Since(restored))
}

// TestCutOffWorkerStopsItsAgent cuts a worker off for longer than its heartbeat timeout. Its agent has stopped before another
// worker begins, however little the agent and its child care about being asked to.
func TestCutOffWorkerStopsItsAgent(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"the agent obeys SIGTERM":   {"pid", "child", "tick", "hang"},
		"the agent ignores SIGTERM": {"stubborn", "pid", "child:stubborn", "tick", "hang"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			l := s.behindProxy(heartbeat.Milliseconds(), script{"0.1": steps, "0.2": {"pid", "tick", "until:end", "echo"}})
			child := s.started("0.1.child")
			s.coder("second")
			l.proxy.Drop()
			cut := time.Now()
			s.started("0.2.pid")
			if err := l.agent.nothingLeft(); err != nil {
				t.Errorf("the second attempt runs, and of the first is %v", err)
			}
			s.do(child.gone())
			s.ticking("0.2", 25)
			quiet := s.silentBefore("0.1", "0.2")
			l.proxy.Restore()
			s.touch("end")
			task := s.completed(l.task.ID, "0.1 lost", "0.2 completed")
			s.endedOnce(l.task.ID)
			ticks := s.ticksOf("0.1")
			last, began := ticks[len(ticks)-1], task.Attempts[1].StartedAt
			if !last.Before(began) {
				t.Errorf("the first agent ticked for %s after the second attempt had begun", last.Sub(began))
			}
			t.Logf("stopped %s after the cut and %s before the second attempt (%s before its agent), which began after %s",
				last.Sub(cut), began.Sub(last), quiet, began.Sub(cut))
		})
	}
}

// link is a worker that reaches Temporal through a proxy, and the task that it works on.
type link struct {
	proxy  *dev.Proxy
	worker *dev.Process
	task   *sdk.Task
	agent  agent
}

// behindProxy answers a link when Temporal has had a heartbeat of its attempt and the agent ticks.
func (s *scene) behindProxy(heartbeatMs int64, steps script) link {
	s.t.Helper()
	proxy, err := dev.NewProxy(s.stack.TemporalAddr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			s.t.Error(err)
		}
	})
	l := link{proxy: proxy}
	l.worker = s.worker("first", dev.Worker{TemporalAddr: proxy.Addr()})
	l.task = s.delegate(steps, func(r *sdk.TaskRequest) { r.Timeouts.HeartbeatMs = heartbeatMs })
	l.agent = s.started("0.1.pid")
	s.heartbeatSince(l.task.ID, time.Unix(0, 0))
	s.ticking("0.1", 5)
	return l
}
