package workflows_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestSession_TellsInOrder: the log is away over a task's end. Neither the next task nor the session's close overtakes that, unless the log
// stays away for longer than the task waits for it.
func TestSession_TellsInOrder(t *testing.T) {
	t.Parallel()
	const completed = string(sdk.EventTaskCompleted)
	for name, tc := range map[string]struct {
		tasks  int
		close  time.Duration // 0: it is idle
		back   time.Duration // when the log is
		before []string
		waited bool // until the log had it
	}{
		"the next task":     {tasks: 2, back: 4500 * time.Millisecond, before: []string{turnID(1) + " " + completed, turnID(2) + " " + string(sdk.EventTaskCreated)}, waited: true},
		"the close":         {tasks: 1, close: 2 * time.Second, back: 4500 * time.Millisecond, before: []string{turnID(1) + " " + completed, "s1 " + string(sdk.EventSessionClosed)}, waited: true},
		"it is back late":   {tasks: 2, back: 9 * time.Second, before: []string{turnID(1) + " " + completed, turnID(2) + " " + string(sdk.EventTaskCreated)}, waited: true},
		"it stays away":     {tasks: 1, close: 2 * time.Second, back: time.Minute},
		"and the next task": {tasks: 2, back: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *sitting
			s = newSitting(t, func(a sdk.Assignment) (activities.AttemptReport, error) {
				s.away.Store(true)
				return completes(`1`)(a)
			}, completes(`2`))
			handedOver := false
			s.env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
				if info.WorkflowExecution.ID == workflows.EventsWorkflowID("default", turnID(1)) {
					handedOver = true
				}
			})
			s.env.RegisterDelayedCallback(func() { s.away.Store(false) }, tc.back)
			for n := 1; n <= tc.tasks; n++ {
				s.after(0, n, sdk.TypeExecute, fmt.Sprint("task ", n))
			}
			if tc.close > 0 {
				s.close(tc.close)
			}
			session := s.hold(sessionInput())
			if session.CompletedTasks != tc.tasks || session.FailedTasks != 0 {
				t.Errorf("%+v", session)
			}
			if handedOver == tc.waited {
				t.Errorf("the rest of its story went to a run of its own: %t", handedOver)
			}
			if tc.close > 0 && session.ClosedAt.Sub(session.CreatedAt) > 15*time.Second {
				t.Errorf("it took from %s to %s", session.CreatedAt, session.ClosedAt)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			last := -1
			for _, e := range tc.before {
				at := slices.Index(s.order, e)
				if at <= last {
					t.Errorf("%s is out of order, or was not told: %q", e, s.order)
				}
				last = at
			}
		})
	}
}
