package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// underWay counts the requests that wait for an answer.
type underWay struct {
	http.RoundTripper
	requests atomic.Int64
}

func (u *underWay) RoundTrip(r *http.Request) (*http.Response, error) {
	u.requests.Add(1)
	defer u.requests.Add(-1)
	return u.RoundTripper.RoundTrip(r)
}

// TestCallersOutliveTheAPI kills the API while callers wait for a task, which then ends while there is no API.
func TestCallersOutliveTheAPI(t *testing.T) {
	t.Parallel()
	const callers = 20
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	s.coder("worker")
	task := s.delegate(script{"*": {"pid", "until:end", `result:{"answer":42}`}})
	s.started("0.1.pid")

	waiting := &underWay{RoundTripper: http.DefaultTransport}
	client, err := sdk.NewClient(sdk.Config{URL: s.stack.URL(), ProjectID: s.project, HTTPClient: &http.Client{Transport: waiting}})
	s.do(err)
	type answer struct {
		task *sdk.Task
		err  error
	}
	answers := make(chan answer, callers)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range callers {
		go func() {
			got, err := client.WaitForTask(ctx, task.ID)
			answers <- answer{got, err}
		}()
	}
	s.eventually("every caller waits", patience, func() error {
		if now := waiting.requests.Load(); now != callers {
			return fmt.Errorf("%d do", now)
		}
		return nil
	})
	s.do(s.stack.API.Kill())
	s.touch("end")
	var output map[string]any
	s.do(s.stack.Temporal().GetWorkflow(ctx, workflows.TaskWorkflowID(s.project, task.ID), "").Get(ctx, &output))
	s.do(s.stack.API.Restart(ctx))
	back := time.Now()
	for range callers {
		got := <-answers
		if got.err != nil {
			t.Fatalf("a caller got no answer: %v", got.err)
		}
		if got.task.Status != sdk.StatusCompleted || string(got.task.Result.Output) != `{"answer":42}` {
			t.Fatalf("a caller was answered: %s %+v", got.task.Status, got.task.Result)
		}
	}
	t.Logf("%d callers were answered within %s of the API's return", callers, time.Since(back))
}

// takenUp is how long a run may lie still after its control worker was killed: Temporal takes a step that it had handed to the dead
// one back after 10 s, and one that waits for it after 5 s.
const takenUp = 10*time.Second + slack

// TestControlWorkerKilled kills the control worker while a task runs. The agent goes on, and its result is taken when there is a
// control worker again.
func TestControlWorkerKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	s.coder("worker")
	task := s.delegate(script{"*": {"pid", "tick", "progress:10", "until:more", "progress:60", "until:end", `result:"done"`}})
	agent := s.started("0.1.pid")
	s.is("the first progress", task.ID, func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 10 })
	s.do(s.stack.Control.Kill())
	killed := time.Now()
	s.touch("more")
	s.is("progress without a control worker", task.ID, func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 60 })
	s.ticksUntil("0.1", killed.Add(2*time.Second))
	s.undisturbed(agent, "0.1")
	s.touch("end")
	s.eventually("the end of the agent", patience, agent.nothingLeft)
	s.do(s.stack.Control.Restart(t.Context()))
	back := time.Now()
	task = s.completed(task.ID, "0.1 completed")
	took := time.Since(back)
	if string(task.Result.Output) != `"done"` {
		t.Errorf("output %s", task.Result.Output)
	}
	s.endedOnce(task.ID)
	if took > busy(takenUp) {
		t.Errorf("the task ended %s after the control worker's return, more than %s", took, busy(takenUp))
	}
	t.Logf("the task ended %s after the control worker's return", took)
}

// TestTemporalKilled kills Temporal while a task runs and starts it on the same file. The agent notices nothing.
func TestTemporalKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	s.coder("worker")
	task := s.delegate(script{"*": {"pid", "tick", "progress:10", "until:end", `result:"done"`}},
		func(r *sdk.TaskRequest) { r.Timeouts.HeartbeatMs = sdk.DefaultHeartbeatMs })
	agent := s.started("0.1.pid")
	s.is("the first progress", task.ID, func(t *sdk.Task) bool { return t.Progress != nil && t.Progress.Percentage == 10 })
	s.do(s.stack.TemporalServer.Kill())
	killed := time.Now()
	s.ticksUntil("0.1", killed.Add(time.Second))
	s.do(s.stack.TemporalServer.Restart(t.Context()))
	back := time.Now()
	s.heartbeatSince(task.ID, back)
	heard := time.Since(back)
	s.undisturbed(agent, "0.1")
	s.touch("end")
	task = s.completed(task.ID, "0.1 completed")
	if string(task.Result.Output) != `"done"` {
		t.Errorf("output %s", task.Result.Output)
	}
	s.endedOnce(task.ID)
	t.Logf("Temporal was away for %s; the first heartbeat came %s after, the end of the task %s after; the longest gap between two ticks was %s",
		back.Sub(killed), heard, time.Since(back), longestGap(s.ticksOf("0.1")))
}
