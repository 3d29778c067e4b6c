package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// waitForPlan lets n callers wait and answers how they were answered.
func waitForPlan(ctx context.Context, t *testing.T, e *Engine, n int, wait time.Duration) <-chan sdk.Plan {
	t.Helper()
	answers := make(chan sdk.Plan, n)
	for range n {
		go func() {
			p, err := e.WaitPlan(ctx, "p", "a", wait)
			if err != nil {
				t.Error(err)
			}
			answers <- p
		}()
	}
	return answers
}

// TestWaitersForAPlanShareOnePoll, and are answered what a reader is who looks at the run afresh.
func TestWaitersForAPlanShareOnePoll(t *testing.T) {
	t.Parallel()
	failure := answered(sdk.StatusFailed, sdk.StepCompleted, sdk.StepFailed)
	failure.Error = &sdk.TaskError{Code: sdk.CodeStepFailed, Message: "test failed"}
	for name, tc := range map[string]struct {
		status enumspb.WorkflowExecutionStatus
		event  *historypb.HistoryEvent
		want   sdk.Status
		looks  int // beside those before
	}{
		"completed": {enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted, sdk.StepCompleted)), sdk.StatusCompleted, 0},
		"failed": {enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(failureOf(temporal.NewApplicationErrorWithOptions(
			"test failed", string(sdk.CodeStepFailed), temporal.ApplicationErrorOptions{Details: []any{failure}}))), sdk.StatusFailed, 0},
		"cancelled":  {enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t, answered(sdk.StatusCancelled, sdk.StepCancelled, sdk.StepSkipped)), sdk.StatusCancelled, 0},
		"terminated": {enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, &historypb.HistoryEvent{}, sdk.StatusFailed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.event.EventTime = timestamppb.New(at(60))
			synctest.Test(t, func(t *testing.T) {
				h := newHeldPlan(t)
				h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
				e, other := newEngine(h, Config{UIURL: "http://ui"}), newEngine(h, Config{UIURL: "http://ui"})
				answers := waitForPlan(t.Context(), t, e, 100, time.Minute)
				synctest.Wait()
				pass(time.Second) // between two looks
				before, polls, open, _, _ := h.counts()
				if before != 1 || polls != 1 || open != 1 || h.asked != 0 {
					t.Errorf("100 waiters: %d describes, %d long polls, %d open, asked %d times", before, polls, open, h.asked)
				}
				h.end(tc.status, tc.event)
				var waited sdk.Plan
				for range 100 {
					if waited = <-answers; waited.Status != tc.want {
						t.Fatalf("answered %s", inShort(waited))
					}
				}
				if after, polls, open, _, _ := h.counts(); polls != 1 || open != 0 || after-before != tc.looks {
					t.Errorf("in all %d long polls, %d open, %d looks more", polls, open, after-before)
				}
				read, err := other.GetPlan(t.Context(), "p", "a")
				if diff := cmp.Diff(read, waited); diff != "" || err != nil {
					t.Errorf("a reader and a waiter differ: %v\n%s", err, diff)
				}
				e.Close()
				other.Close()
			})
		})
	}
}

// TestAWaitForAPlanThatGoesOn is answered as it stands then, with the outputs of its steps.
func TestAWaitForAPlanThatGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepCompleted, sdk.StepRunning), nil }
		e := newEngine(h, Config{})
		asked := time.Now()
		p := <-waitForPlan(t.Context(), t, e, 1, 5*time.Second)
		if got := inShort(p); got != "running, write completed with output, test running" || time.Since(asked) != 5*time.Second {
			t.Errorf("after %v: %s", time.Since(asked), got)
		}
		others := waitForPlan(t.Context(), t, e, 1, time.Minute)
		synctest.Wait()
		e.Close()
		if p := <-others; p.Status != sdk.StatusQueued || !p.Stale {
			t.Errorf("a wait on a closed engine is answered %s", inShort(p))
		}
	})
}

// TestTheLogWakesWaitsForPlans: no long poll is parked while the log is followed, and the end of a task of the same id is none of the plan's.
func TestTheLogWakesWaitsForPlans(t *testing.T) {
	t.Parallel()
	h, l := newHeldPlan(t), openLog(t)
	h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
	e := newPlanEngine(t, h, Config{Events: l, PollInterval: time.Hour, DescribeTTL: time.Hour})
	answers := waitForPlan(t.Context(), t, e, 50, patience)
	e.hears(t)
	tell(t, l, 1, sdk.EventTaskCompleted)
	eventually(t, "the look after the bell began", func() bool { describes, _, _, _, _ := h.counts(); return describes >= 2 })
	if _, polls, _, _, _ := h.counts(); polls != 0 {
		t.Errorf("%d long polls while the plan runs", polls)
	}
	tellPlan(t, l, sdk.EventPlanCreated, sdk.EventPlanCompleted)
	eventually(t, "the poll", func() bool { _, _, open, _, _ := h.counts(); return open == 1 })
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted)))
	for range 50 {
		if p := <-answers; p.Status != sdk.StatusCompleted {
			t.Fatalf("answered %s", p.Status)
		}
	}
	if _, polls, open, reads, _ := h.counts(); polls != 1 || open != 0 || reads != 0 {
		t.Errorf("%d long polls, %d open, %d close events read", polls, open, reads)
	}
}

// tellPlan begins the story of the plan a with events of these types.
func tellPlan(t *testing.T, l *eventlog.Log, types ...sdk.EventType) {
	t.Helper()
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindPlan, ID: "a"}}
	for i, typ := range types {
		part.Events = append(part.Events, workflows.PlanEvent(planInput(), 1+i, at(0), typ, nil))
	}
	if err := l.AppendStory(t.Context(), "p", part); err != nil {
		t.Fatal(err)
	}
}

// TestAWaitKnowsTheEndThatAGlanceKnows, also where a read that began before it is kept.
func TestAWaitKnowsTheEndThatAGlanceKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
		e := newEngine(h, Config{})
		defer e.Close()
		open, err := e.GetPlan(t.Context(), "p", "a")
		if err != nil {
			t.Fatal(err)
		}
		h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted)))
		if p, err := e.GlanceAtPlan(t.Context(), "p", "a"); err != nil || p.Status != sdk.StatusCompleted {
			t.Fatalf("%s %v", inShort(p), err)
		}
		e.plans.put(workflows.PlanWorkflowID("p", "a"), open, planBytes(open), time.Now())
		if p, err := e.WaitPlan(t.Context(), "p", "a", time.Minute); err != nil || p.Status != sdk.StatusCompleted {
			t.Errorf("%s %v", inShort(p), err)
		}
	})
}

// TestAReadAfterAGlanceKnowsTheEnd, as it does at the end of a stream.
func TestAReadAfterAGlanceKnowsTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
		e := newEngine(h, Config{})
		defer e.Close()
		if _, err := e.GetPlan(t.Context(), "p", "a"); err != nil {
			t.Fatal(err)
		}
		h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted)))
		for _, read := range []func(context.Context, string, string) (sdk.Plan, error){e.GlanceAtPlan, e.GetPlan} {
			if p, err := read(t.Context(), "p", "a"); err != nil || p.Status != sdk.StatusCompleted {
				t.Errorf("%s %v", inShort(p), err)
			}
		}
	})
}

// TestAPlanIsCreatedOnce: every answer has the same time of it, though the run's clock is another one.
func TestAPlanIsCreatedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		running, completed := answered(sdk.StatusRunning, sdk.StepRunning), answered(sdk.StatusCompleted, sdk.StepCompleted)
		running.CreatedAt, completed.CreatedAt = at(0), at(0)
		h.ask = func() (sdk.Plan, error) { return running, nil }
		e, other := newEngine(h, Config{}), newEngine(h, Config{})
		defer e.Close()
		defer other.Close()
		read := func(e *Engine) sdk.Plan {
			p, err := e.GetPlan(t.Context(), "p", "a")
			if err != nil {
				t.Error(err)
			}
			return p
		}
		plans := map[string]sdk.Plan{"read while it runs": read(e)}
		answers := waitForPlan(t.Context(), t, e, 1, time.Minute)
		synctest.Wait()
		h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, completed))
		plans["waited for"], plans["read after its end"] = <-answers, read(other)
		for name, p := range plans {
			if !p.CreatedAt.Equal(at(-1)) {
				t.Errorf("%s it was created at %s", name, p.CreatedAt)
			}
		}
	})
}
