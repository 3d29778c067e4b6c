package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestOpenAttempt: the last entry of a task's chain is open exactly while an agent has that attempt, and says since when, which the
// keys of attempts go by.
func TestOpenAttempt(t *testing.T) {
	t.Parallel()
	const (
		stopping = enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
		pausing  = enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	)
	past := workflows.TaskState{Attempt: 1, Attempts: []sdk.Attempt{{Attempt: 1, StartedAt: at(1), EndedAt: ptr(at(1))}}}
	for name, tc := range map[string]struct {
		state  enumspb.PendingActivityState
		report *activities.AttemptReport
		open   bool
	}{
		"nobody has it":            {scheduled, nil, false},
		"an operator holds it":     {paused, nil, false},
		"taken, and not a word":    {started, nil, true},
		"waiting for a slot":       {started, &activities.AttemptReport{AgentID: "a"}, true},
		"at work":                  {started, &activities.AttemptReport{AgentID: "a", StartedAt: ptr(at(9))}, true},
		"given time to stop":       {stopping, &activities.AttemptReport{AgentID: "a", StartedAt: ptr(at(9))}, true},
		"to be held when it fails": {pausing, nil, true},
	} {
		o := newOneRun(t, input())
		o.setState(t, past)
		o.setAttempt(t, 0, 2, tc.state, tc.report)
		task, err := newTestEngine(t, o, Config{}).GetTask(t.Context(), "p", "a")
		if err != nil {
			t.Fatal(err)
		}
		last := task.Attempts[len(task.Attempts)-1]
		if open := last.EndedAt == nil; open != tc.open {
			t.Errorf("%s: open is %v: %+v", name, open, last)
		}
		if tc.open && (last.Attempt != 2 || !last.StartedAt.Equal(at(2))) {
			t.Errorf("%s: %+v, want attempt 2 since %s", name, last, at(2))
		}
	}
}

func TestLookTask(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	e := newTestEngine(t, o, Config{DescribeTTL: time.Hour})
	attempts := func(read func() (sdk.Task, error)) int {
		task, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return len(task.Attempts)
	}
	get := func() (sdk.Task, error) { return e.GetTask(t.Context(), "p", "a") }
	look := func() (sdk.Task, error) { return e.LookTask(t.Context(), "p", "a") }
	if got := attempts(get); got != 0 {
		t.Errorf("%d attempts before the first", got)
	}
	o.mu.Lock()
	o.setAttempt(t, 0, 1, started, nil)
	o.mu.Unlock()
	if cached, seen, after := attempts(get), attempts(look), attempts(get); cached != 0 || seen != 1 || after != 1 {
		t.Errorf("read again %d, looked at %d, read after that %d; want 0, 1, 1", cached, seen, after)
	}
}

// TestLooksAreSpaced: however many look at a task, Temporal is asked once each 200 ms, and every answer is newer than its question.
func TestLooksAreSpaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newTestEngine(t, o, Config{})
		looks := func() {
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if task, err := e.LookTask(t.Context(), "p", "a"); err != nil || len(task.Attempts) != 1 {
						t.Errorf("%d attempts, %v", len(task.Attempts), err)
					}
				})
			}
			all.Wait()
		}
		began := time.Now()
		if task, err := e.LookTask(t.Context(), "p", "a"); err != nil || len(task.Attempts) != 0 || time.Since(began) != 0 {
			t.Errorf("the first: %d attempts after %s, %v", len(task.Attempts), time.Since(began), err)
		}
		o.mu.Lock()
		o.setAttempt(t, 0, 1, started, nil)
		o.mu.Unlock()
		looks()
		looks()
		if describes, _, _, _, _ := o.counts(); describes != 3 || time.Since(began) != 2*lookPause {
			t.Errorf("%d describes in %s, want 3 in %s", describes, time.Since(began), 2*lookPause)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.LookTask(gone, "p", "a"); err == nil {
			t.Error("a caller that is gone is answered")
		}
		synctest.Wait()
	})
}
