package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

func done(t testing.TB) sdk.Task {
	t.Helper()
	return sdk.Task{ID: "a", Status: sdk.StatusCompleted, Result: &sdk.Result{Status: sdk.StatusCompleted}}
}

// waitAll lets n callers wait and answers how they were answered, and when.
func waitAll(ctx context.Context, e *Engine, n int, wait time.Duration) <-chan sdk.Task {
	answers := make(chan sdk.Task, n)
	for range n {
		go func() {
			task, err := e.WaitTask(ctx, "p", "a", wait)
			if err != nil {
				task.Status = sdk.Status(err.Error())
			}
			answers <- task
		}()
	}
	return answers
}

func TestWaitersShareOnePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newEngine(o, Config{})
		answers := waitAll(t.Context(), e, 500, time.Minute)
		synctest.Wait()
		pass(10 * time.Second)
		if describes, polls, open, _, _ := o.counts(); polls != 1 || open != 1 || describes > 1+5 {
			t.Errorf("500 waiters in 10 s: %d long polls, %d open, %d describes", polls, open, describes)
		}
		pass(time.Second) // between two looks
		ended := time.Now()
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
		for range 500 {
			if task := <-answers; task.Status != sdk.StatusCompleted {
				t.Fatalf("answered %s", task.Status)
			}
		}
		if took := time.Since(ended); took > 100*time.Millisecond {
			t.Errorf("the last one was answered %v after the end", took)
		}
		if _, polls, open, reads, _ := o.counts(); polls != 1 || open != 0 || reads != 0 {
			t.Errorf("in all %d long polls, %d open, %d close events read beside what the poll brought", polls, open, reads)
		}
		e.Close()
	})
}

// TestAWaitedForTaskIsAsARead: what a waiter is answered out of the close event that its poll brought is what a reader is answered
// who looks at the run afresh.
func TestAWaitedForTaskIsAsARead(t *testing.T) {
	t.Parallel()
	failure := &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: "no"}
	stopped := sdk.Task{Status: sdk.StatusCancelled, Result: &sdk.Result{Status: sdk.StatusCancelled}}
	wrong := sdk.Task{Status: sdk.StatusFailed, Result: &sdk.Result{Status: sdk.StatusFailed, Error: failure}}
	for name, tc := range map[string]struct {
		status enumspb.WorkflowExecutionStatus
		event  func(t *testing.T) *historypb.HistoryEvent
		want   sdk.Status
		looks  int // beside the first
	}{
		"completed": {enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, func(t *testing.T) *historypb.HistoryEvent { return completed(t, done(t)) }, sdk.StatusCompleted, 0},
		"failed": {enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, func(*testing.T) *historypb.HistoryEvent {
			return failed(failureOf(temporal.NewApplicationErrorWithOptions("no", string(failure.Code), temporal.ApplicationErrorOptions{Details: []any{wrong}})))
		}, sdk.StatusFailed, 0},
		"cancelled":  {enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, func(t *testing.T) *historypb.HistoryEvent { return canceled(t, stopped) }, sdk.StatusCancelled, 0},
		"terminated": {enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, func(*testing.T) *historypb.HistoryEvent { return &historypb.HistoryEvent{} }, sdk.StatusFailed, 1},
		"no record":  {enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, func(t *testing.T) *historypb.HistoryEvent { return completed(t, sdk.Task{}) }, sdk.StatusFailed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOneRun(t, input())
				e, other := newEngine(o, Config{UIURL: "http://ui"}), newEngine(o, Config{UIURL: "http://ui"})
				answers := waitAll(t.Context(), e, 1, time.Minute)
				synctest.Wait()
				before, _, _, _, _ := o.counts()
				event := tc.event(t)
				event.EventTime = timestamppb.New(at(60))
				o.end(tc.status, event)
				waited := <-answers
				if after, _, _, _, _ := o.counts(); waited.Status != tc.want || after-before != tc.looks {
					t.Errorf("answered %s after %d looks more, want %s after %d", waited.Status, after-before, tc.want, tc.looks)
				}
				read, err := other.GetTask(t.Context(), "p", "a")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(read, waited); diff != "" {
					t.Errorf("a reader and a waiter differ:\n%s", diff)
				}
				e.Close()
				other.Close()
			})
		})
	}
}

func TestWaitSurvivesAMissedWakeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		o.missed = true
		e := newEngine(o, Config{})
		answers := waitAll(t.Context(), e, 3, time.Minute)
		synctest.Wait()
		ended := time.Now()
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
		for range 3 {
			if task := <-answers; task.Status != sdk.StatusCompleted {
				t.Errorf("answered %s", task.Status)
			}
		}
		if took := time.Since(ended); took > 2*time.Second {
			t.Errorf("answered after %v", took)
		}
		e.Close()
	})
}

// TestWaitGoesOnInTheRunThatTakesTheTasksPlace: the poll for the old run is used up by an event without a record, and another one wakes
// the waiters when the new run ends.
func TestWaitGoesOnInTheRunThatTakesTheTasksPlace(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]time.Duration{"at once": 100 * time.Millisecond, "later": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOneRun(t, input())
				e, other := newEngine(o, Config{UIURL: "http://ui"}), newEngine(o, Config{UIURL: "http://ui"})
				answers := waitAll(t.Context(), e, 3, time.Hour)
				pass(before)
				o.reset("run-2", at(30))
				pass(4 * time.Second)
				pass(time.Second) // between two looks
				if _, polls, open, _, _ := o.counts(); polls != 2 || open != 1 {
					t.Errorf("after the reset: %d long polls in all, %d open", polls, open)
				}
				ended := time.Now()
				event := completed(t, done(t))
				event.EventTime = timestamppb.New(at(60))
				o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, event)
				read, err := other.GetTask(t.Context(), "p", "a")
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if diff := cmp.Diff(read, <-answers); diff != "" {
						t.Errorf("a reader and a waiter differ:\n%s", diff)
					}
				}
				if took := time.Since(ended); took > 100*time.Millisecond {
					t.Errorf("answered %v after the end", took)
				}
				e.Close()
				other.Close()
			})
		})
	}
}

// TestAPollThatBringsNothingAgainAndAgainIsBounded: whatever close events come while the task is open, a poll begins once in a while only.
func TestAPollThatBringsNothingAgainAndAgainIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		o.close = &historypb.HistoryEvent{}
		close(o.closed)
		e := newEngine(o, Config{})
		answers := waitAll(t.Context(), e, 1, time.Minute)
		if task := <-answers; task.Status != sdk.StatusQueued {
			t.Errorf("answered %s", task.Status)
		}
		if describes, polls, _, _, _ := o.counts(); polls > 31 || describes > 2*32 {
			t.Errorf("in a minute %d long polls, %d describes", polls, describes)
		}
		e.Close()
	})
}

func TestWaitInSlicesKeepsThePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newEngine(o, Config{Linger: 15 * time.Second})
		for range 5 {
			if task := <-waitAll(t.Context(), e, 1, time.Second); task.Status != sdk.StatusQueued {
				t.Errorf("answered %s", task.Status)
			}
			pass(10 * time.Second)
		}
		if _, polls, open, _, _ := o.counts(); polls != 1 || open != 1 {
			t.Errorf("5 slices: %d long polls, %d open", polls, open)
		}
		describes, _, _, _, _ := o.counts()
		pass(20 * time.Second)
		e.mu.Lock()
		watches, polling := len(e.watches), e.polls
		e.mu.Unlock()
		if after, _, open, _, _ := o.counts(); open != 0 || after != describes || watches != 0 || polling != 0 {
			t.Errorf("long after the last waiter: %d open polls, %d describes more, %d watches", open, after-describes, watches)
		}
		e.Close()
	})
}

func TestWaitersBeyondTheBoundAreAnsweredToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newEngine(o, Config{MaxPolls: -1})
		answers := waitAll(t.Context(), e, 2, time.Minute)
		synctest.Wait()
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
		for range 2 {
			if task := <-answers; task.Status != sdk.StatusCompleted {
				t.Errorf("answered %s", task.Status)
			}
		}
		if _, polls, _, _, _ := o.counts(); polls != 0 {
			t.Errorf("%d long polls", polls)
		}
		e.Close()
	})
}

func TestWaitEndsWithItsContextAndWithTheEngine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newEngine(o, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		answers := waitAll(ctx, e, 1, time.Minute)
		others := waitAll(t.Context(), e, 1, time.Minute)
		synctest.Wait()
		cancel()
		if task := <-answers; task.Status != sdk.StatusQueued {
			t.Errorf("a wait that was cut short is answered %s", task.Status)
		}
		e.Close() // returns only when its goroutines have ended
		if task := <-others; task.Status != sdk.StatusQueued {
			t.Errorf("a wait on a closed engine is answered %s", task.Status)
		}
		if _, _, open, _, _ := o.counts(); open != 0 {
			t.Errorf("%d polls are open", open)
		}
	})
}

func TestWaitOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		e := newEngine(o, Config{})
		answers := waitAll(t.Context(), e, 1, time.Minute)
		synctest.Wait()
		o.mu.Lock()
		o.failure = serviceerror.NewUnavailable("away")
		o.mu.Unlock()
		pass(10 * time.Second)
		o.mu.Lock()
		o.failure = nil
		o.mu.Unlock()
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, completed(t, done(t)))
		if task := <-answers; task.Status != sdk.StatusCompleted {
			t.Errorf("answered %s", task.Status)
		}
		e.Close()
	})
}

// pass lets d go by on the clock of the bubble.
func pass(d time.Duration) { <-time.After(d) }
