package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestCancelTask(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	e := newTestEngine(t, o, Config{})
	if _, accepted, err := e.CancelTask(t.Context(), "p", "a", "enough"); !accepted || err != nil {
		t.Fatalf("accepted %v, %v", accepted, err)
	}
	if diff := cmp.Diff([]string{"cancel-requested"}, o.signals); diff != "" || o.cancels != 1 {
		t.Errorf("%s, %d cancels", diff, o.cancels)
	}
	o.run.WorkflowExtendedInfo = &workflowpb.WorkflowExecutionExtendedInfo{CancelRequested: true}
	if _, accepted, err := e.CancelTask(t.Context(), "p", "a", "again"); !accepted || err != nil || o.cancels != 1 || len(o.signals) != 1 {
		t.Errorf("again: accepted %v, %v, %d cancels", accepted, err, o.cancels)
	}
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
	task, accepted, err := e.CancelTask(t.Context(), "p", "a", "late")
	if accepted || err != nil || task.Status != sdk.StatusCompleted || o.cancels != 1 {
		t.Errorf("ended: accepted %v, %v, %s", accepted, err, task.Status)
	}
	if _, _, err := e.CancelTask(t.Context(), "p", "b", ""); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestCancelOfATaskThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.answer = serviceerror.NewNotFound("workflow execution already completed")
	task, accepted, err := newTestEngine(t, o, Config{}).CancelTask(t.Context(), "p", "a", "")
	if accepted || err != nil || task.ID != "a" || o.cancels != 0 {
		t.Errorf("accepted %v, %v, %d cancels", accepted, err, o.cancels)
	}
}

func TestProvideInput(t *testing.T) {
	t.Parallel()
	faults := []sdk.Fault{{Path: "$.answer", Message: "does not fit"}}
	tests := []struct {
		name   string
		answer error
		ended  bool
		code   sdk.Code
		faults []sdk.Fault
	}{
		{name: "taken"},
		{name: "does not fit", answer: temporal.NewNonRetryableApplicationError("invalid_input: no", "invalid_input", nil, faults), code: sdk.CodeInvalidInput, faults: faults},
		{name: "nothing asked", answer: temporal.NewNonRetryableApplicationError("conflict: nothing is asked", "conflict", nil, []sdk.Fault(nil)), code: sdk.CodeConflict},
		{name: "ended before", ended: true, code: sdk.CodeConflict},
		{name: "ended meanwhile", answer: serviceerror.NewNotFound("workflow execution already completed"), code: sdk.CodeConflict},
		{name: "nobody runs it", answer: client.NewWorkflowUpdateServiceTimeoutOrCanceledError(context.DeadlineExceeded), code: sdk.CodeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input())
			o.answer = tt.answer
			if tt.ended {
				o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
			}
			_, err := newTestEngine(t, o, Config{}).ProvideInput(t.Context(), "p", "a", workflows.ProvideInputInput{RequestID: "q", Answer: []byte(`1`)})
			if tt.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *sdk.Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Fatalf("%v, want %s", err, tt.code)
			}
			if diff := cmp.Diff(tt.faults, e.Faults); diff != "" {
				t.Error(diff)
			}
			if tt.name == "nothing asked" && e.Message != "nothing is asked" {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

// TestAnAnswerToAQuestionThatIsNotRecordedYet: the log tells of a question before its run has recorded it, and the worker that asked may die then.
func TestAnAnswerToAQuestionThatIsNotRecordedYet(t *testing.T) {
	t.Parallel()
	conflict := func() error {
		return temporal.NewNonRetryableApplicationError("conflict: nothing is asked", "conflict", nil, []sdk.Fault(nil))
	}
	ended := sdk.Attempt{Attempt: 1, EndedAt: ptr(at(2))}
	for name, tc := range map[string]struct {
		requestID string
		state     workflows.TaskState
		first     []error
		last      error
		updates   int
	}{
		"the first attempt's":      {"input-0-1", workflows.TaskState{}, []error{conflict()}, nil, 2},
		"the next attempt's":       {"input-0-2", workflows.TaskState{Attempt: 1, Attempts: []sdk.Attempt{ended}}, []error{conflict(), conflict()}, nil, 3},
		"the next stage's":         {"input-1-1", workflows.TaskState{Attempt: 1, Attempts: []sdk.Attempt{ended}}, []error{conflict()}, nil, 2},
		"it does not come":         {"input-0-1", workflows.TaskState{}, nil, conflict(), 3},
		"of an attempt that ended": {"input-0-1", workflows.TaskState{Attempt: 1, Attempts: []sdk.Attempt{ended}}, nil, conflict(), 1},
		"of a far one":             {"input-0-3", workflows.TaskState{Attempt: 1}, nil, conflict(), 1},
		"it is open": {"input-0-1", workflows.TaskState{Status: sdk.StatusInputRequired, Attempt: 1, InputRequest: &sdk.InputRequest{ID: "input-0-1"}},
			nil, conflict(), 1},
		"it was answered": {"input-0-1", workflows.TaskState{Attempt: 1, Answers: []sdk.Answer{{RequestID: "input-0-1"}}}, nil, conflict(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input())
			o.setState(t, tc.state)
			o.answers, o.answer = tc.first, tc.last
			_, err := newTestEngine(t, o, Config{}).ProvideInput(t.Context(), "p", "a", workflows.ProvideInputInput{RequestID: tc.requestID, Answer: []byte(`1`)})
			if (err == nil) != (tc.last == nil) || err != nil && !errors.Is(err, sdk.ErrConflict) || o.updates != tc.updates {
				t.Errorf("%v after %d updates, want %d", err, o.updates, tc.updates)
			}
		})
	}
}

func TestListProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		live := sdk.Progress{Percentage: 50, At: at(9), Overall: 50, Attempt: 1}
		o.setAttempt(t, 0, 1, started, &activities.AttemptReport{StartedAt: ptr(at(3)), Progress: &live})
		e := newEngine(o, Config{})
		defer e.Close()
		recorded := []sdk.Progress{{Percentage: 10, At: at(4), Attempt: 1, Overall: 10}}
		o.progress = func(context.Context) ([]sdk.Progress, error) { return recorded, nil }
		items, stale, err := e.ListProgress(t.Context(), "p", "a")
		if diff := cmp.Diff(append(recorded, live), items); diff != "" || stale || err != nil {
			t.Errorf("%s stale %v, %v", diff, stale, err)
		}
		pass(e.cfg.DescribeTTL)
		o.progress = func(context.Context) ([]sdk.Progress, error) { return []sdk.Progress{live}, nil }
		if items, _, _ := e.ListProgress(t.Context(), "p", "a"); len(items) != 1 {
			t.Errorf("the live one is there %d times", len(items))
		}
		pass(e.cfg.DescribeTTL)
		o.progress = func(ctx context.Context) ([]sdk.Progress, error) {
			<-ctx.Done() // as without a control worker
			return nil, ctx.Err()
		}
		asked := time.Now()
		items, stale, err = e.ListProgress(t.Context(), "p", "a")
		if diff := cmp.Diff([]sdk.Progress{live}, items); diff != "" || !stale || err != nil || time.Since(asked) != time.Second {
			t.Errorf("%s stale %v, %v after %v", diff, stale, err, time.Since(asked))
		}
	})
}

// TestCreateTaskAsksOnce: what is answered is what every later reader gets, and nothing is asked for it.
func TestCreateTaskAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		o.fresh = true
		e := newEngine(o, Config{})
		defer e.Close()
		created, replayed, err := e.CreateTask(t.Context(), input(), "d1")
		if err != nil || replayed || created.CreatedAt != time.Now().UTC().Round(0) {
			t.Fatalf("created at %v: %v, replayed %v", created.CreatedAt, err, replayed)
		}
		cached, err := e.GetTask(t.Context(), "p", "a")
		if diff := cmp.Diff(created, cached); diff != "" || err != nil {
			t.Errorf("read at once: %v\n%s", err, diff)
		}
		if describes, _, _, _, _ := o.counts(); describes != 0 {
			t.Errorf("%d describes", describes)
		}
		memo := o.begun.Memo[workflows.MemoTask].(workflows.TaskMemo)
		if !o.input.CreatedAt.Equal(created.CreatedAt) || !memo.Task.CreatedAt.Equal(created.CreatedAt) {
			t.Errorf("the run's input says %v, its memo %v", o.input.CreatedAt, memo.Task.CreatedAt)
		}
		o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoTask] = payload(t, memo)
		pass(e.cfg.DescribeTTL)
		later, err := e.GetTask(t.Context(), "p", "a")
		if diff := cmp.Diff(created, later); diff != "" || err != nil {
			t.Errorf("read later: %v\n%s", err, diff)
		}
	})
}

// TestACreationDoesNotSetReadersBack: whoever read the task before its creator was answered has read something newer.
func TestACreationDoesNotSetReadersBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		o.fresh = true
		o.setAttempt(t, 0, 1, started, nil)
		e := newEngine(o, Config{})
		defer e.Close()
		if seen, err := e.GetTask(t.Context(), "p", "a"); err != nil || seen.Status != sdk.StatusRunning {
			t.Fatal(seen.Status, err)
		}
		if _, _, err := e.CreateTask(t.Context(), input(), "d1"); err != nil {
			t.Fatal(err)
		}
		if seen, err := e.GetTask(t.Context(), "p", "a"); err != nil || seen.Status != sdk.StatusRunning {
			t.Errorf("after its creation it is %s: %v", seen.Status, err)
		}
	})
}

func TestCreateTaskAgain(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.run.WorkflowExecutionInfo.Memo.Fields[workflows.MemoDigest] = payload(t, "same")
	e := newTestEngine(t, o, Config{})
	if task, replayed, err := e.CreateTask(t.Context(), input(), "same"); !replayed || err != nil || task.ID != "a" {
		t.Errorf("the same request: replayed %v, %v", replayed, err)
	}
	if _, replayed, err := e.CreateTask(t.Context(), input(), "other"); replayed || !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("another request: replayed %v, %v", replayed, err)
	}
	if _, _, err := e.CreateTask(t.Context(), input(), ""); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("no key: %v", err)
	}
}

func TestStartOptions(t *testing.T) {
	t.Parallel()
	in := input(func(r *sdk.TaskRequest) { r.Priority, r.AgentID, r.FairnessKey = "urgent", "ann", "team" })
	opts := StartOptions(in, workflows.NewTask(in, at(0)), "d1")
	if opts.ID != "task:p:a" || opts.TaskQueue != "rolecall" || opts.WorkflowExecutionTimeout != 0 || !opts.WorkflowExecutionErrorWhenAlreadyStarted ||
		opts.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE || opts.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL ||
		opts.Priority != (temporal.Priority{PriorityKey: 1, FairnessKey: "team"}) || opts.StaticSummary != "code.write · t" || opts.Memo[workflows.MemoDigest] != "d1" {
		t.Errorf("%+v", opts)
	}
	if agent, _ := opts.TypedSearchAttributes.GetKeyword(workflows.AttrAgent); agent != "ann" {
		t.Errorf("agent attribute %q", agent)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want sdk.Code
	}{
		{serviceerror.NewNotFound("x"), sdk.CodeNotFound},
		{fmt.Errorf("wrapped: %w", serviceerror.NewUnavailable("x")), sdk.CodeUnavailable},
		{serviceerror.NewDeadlineExceeded("x"), sdk.CodeUnavailable},
		{serviceerror.NewNamespaceNotFound("x"), sdk.CodeUnavailable},
		{serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "x"), sdk.CodeUnavailable},
		{serviceerror.NewWorkflowNotReady("x"), sdk.CodeUnavailable},
		{status.Error(codes.Unavailable, "x"), sdk.CodeUnavailable},
		{context.DeadlineExceeded, sdk.CodeUnavailable},
		{serviceerror.NewInvalidArgument("x"), sdk.CodeInternal},
		{errors.New("x"), sdk.CodeInternal},
		{sdk.Errorf(sdk.CodeConflict, "x"), sdk.CodeConflict},
	} {
		got := fault(tt.err)
		if got.Code != tt.want || (tt.want == sdk.CodeUnavailable) != (got.RetryAfter > 0) {
			t.Errorf("%v: %+v, want %s", tt.err, got, tt.want)
		}
	}
}
