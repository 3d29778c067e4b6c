package engine

import (
	"errors"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestRetryOnlyWhatHasEnded(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	e := newTestEngine(t, o, Config{})
	retry := workflows.TaskInput{Project: "p", ID: "b", RetryOf: "a"}
	if _, _, err := e.RetryTask(t.Context(), retry, ""); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("of a run that is open: %v", err)
	}
	retry.RetryOf = "gone"
	for _, digest := range []string{"", "d"} {
		if _, _, err := e.RetryTask(t.Context(), retry, digest); !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("of a task that is not there, digest %q: %v", digest, err)
		}
	}
}

// TestRetryOutlivesTheFirst repeats a keyed retry when the task it was of is kept no longer.
func TestRetryOutlivesTheFirst(t *testing.T) {
	t.Parallel()
	in := input()
	in.RetryOf = "gone"
	o := newOneRun(t, in)
	o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoDigest] = payload(t, "d")
	e := newTestEngine(t, o, Config{})
	task, replayed, err := e.RetryTask(t.Context(), workflows.TaskInput{Project: "p", ID: "a", RetryOf: "gone"}, "d")
	if err != nil || !replayed || task.ID != "a" || task.RetryOf != "gone" {
		t.Errorf("%v %v %+v", err, replayed, task)
	}
	if _, _, err := e.RetryTask(t.Context(), workflows.TaskInput{Project: "p", ID: "a", RetryOf: "gone"}, "other"); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("another retry's key: %v", err)
	}
}

func TestRetryNeedsTheFirstRequest(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	o.first.GetWorkflowExecutionStartedEventAttributes().Input = payloads(t, workflows.TaskInput{})
	_, _, err := newTestEngine(t, o, Config{}).RetryTask(t.Context(), workflows.TaskInput{Project: "p", ID: "b", RetryOf: "a"}, "")
	if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != sdk.CodeInvalidInput || len(e.Faults) != 2 {
		t.Errorf("a run of an empty request: %v", err)
	}
}
