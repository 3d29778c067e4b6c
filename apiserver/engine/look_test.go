package engine

import (
	"testing"
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
