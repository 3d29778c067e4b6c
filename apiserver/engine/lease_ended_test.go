package engine

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Temporal keeps what it is told while a workflow task is under way out of history until that has ended.
func TestEndingThatIsNotInHistoryYet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		digest string
		busy   time.Duration // how long the workflow task goes on
		want   error
		after  time.Duration
	}{
		"the same":              {"d1", 5 * decidingPause / 2, nil, 3 * decidingPause},
		"another":               {"d2", 5 * decidingPause / 2, sdk.ErrLeaseLost, 3 * decidingPause},
		"for longer than waits": {"d1", time.Hour, sdk.ErrUnavailable, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOneLease(t)
				first := leasing(t, o, true)
				hold := claim(t, first).Hold
				end := activities.Ending{Result: &sdk.Result{Output: json.RawMessage(`1`)}, Digest: "d1"}
				if err := first.EndAttempt(t.Context(), hold, end); err != nil {
					t.Fatal(err)
				}
				kept := o.deciding(nil, true)
				time.AfterFunc(test.busy, func() { o.deciding(kept, false) })
				began := time.Now()
				end.Digest = test.digest
				if err := leasing(t, o, true).EndAttempt(t.Context(), hold, end); !errors.Is(err, test.want) {
					t.Errorf("ended with %v, want %v", err, test.want)
				}
				if took := time.Since(began); took != test.after {
					t.Errorf("it took %s, want %s", took, test.after)
				}
			})
		})
	}
}

// deciding sets the history, and whether a workflow task is under way; it answers what the history was.
func (o *oneLease) deciding(history []*historypb.HistoryEvent, busy bool) (before []*historypb.HistoryEvent) {
	o.mu.Lock()
	before, o.history = o.history, history
	o.mu.Unlock()
	o.oneRun.mu.Lock()
	defer o.oneRun.mu.Unlock()
	o.run.PendingWorkflowTask = nil
	if busy {
		o.run.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{State: enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED}
	}
	return before
}
