package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestCreatePlan(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
	e := newPlanEngine(t, h, Config{UIURL: "http://ui"})
	p, replayed, err := e.CreatePlan(t.Context(), planInput(), "digest")
	if err != nil || replayed || inShort(p) != "queued, write pending, test pending" || p.ID != "a" || p.Outputs == nil || p.CreatedAt != h.created.CreatedAt {
		t.Errorf("%+v %t %v", p, replayed, err)
	}
	if want := (sdk.Links{Self: "/v1/plans/a", UI: "http://ui/namespaces/default/workflows/plan:p:a/run-1/history"}); p.Links != want {
		t.Errorf("%+v", p.Links)
	}
	opts := h.options
	if opts.ID != "plan:p:a" || opts.TaskQueue != "rolecall" || opts.WorkflowExecutionTimeout != 0 || !opts.WorkflowExecutionErrorWhenAlreadyStarted ||
		opts.WorkflowIDReusePolicy != enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE || opts.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL ||
		opts.Memo[workflows.MemoDigest] != "digest" || opts.StaticSummary == "" || opts.Priority != (temporal.Priority{PriorityKey: 2, FairnessKey: "key"}) {
		t.Errorf("%+v", opts)
	}
	if plan, _ := opts.TypedSearchAttributes.GetKeyword(workflows.AttrPlan); plan != "a" {
		t.Errorf("plan attribute %q", plan)
	}
	if time.Since(h.created.CreatedAt) > time.Minute {
		t.Errorf("created at %s", h.created.CreatedAt)
	}
	h.taken = true
	for digest, want := range map[string]error{"digest": nil, "other": sdk.ErrIdempotencyMismatch, "": sdk.ErrConflict} {
		p, replayed, err := e.CreatePlan(t.Context(), planInput(), digest)
		if !errors.Is(err, want) || replayed != (want == nil) || replayed && p.Status != sdk.StatusRunning {
			t.Errorf("%q again: %+v %t %v", digest, p, replayed, err)
		}
	}
}

// TestAPlanThatTemporalWouldNotTake is refused before it starts.
func TestAPlanThatTemporalWouldNotTake(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	in := planInput()
	in.Request.Steps[0].Description = strings.Repeat("\xff", 400<<10) // six bytes each, once it is written
	if _, _, err := newPlanEngine(t, h, Config{}).CreatePlan(t.Context(), in, ""); !errors.Is(err, sdk.ErrPayloadTooLarge) || h.options != nil {
		t.Errorf("%v, started %t", err, h.options != nil)
	}
}

// TestGetPlan: what is said of a plan, by its run, or by what that has left behind.
func TestGetPlan(t *testing.T) {
	t.Parallel()
	failure := answered(sdk.StatusFailed, sdk.StepCompleted, sdk.StepFailed)
	failure.Error = &sdk.TaskError{Code: sdk.CodeStepFailed, Message: "test failed"}
	stopped := answered(sdk.StatusCancelled, sdk.StepCompleted, sdk.StepCancelled)
	closesAs := func(status enumspb.WorkflowExecutionStatus, event *historypb.HistoryEvent) func(*heldPlan) {
		return func(h *heldPlan) { h.shows(halfway()); h.end(status, event) }
	}
	broke := failureOf(temporal.NewApplicationError("it broke", string(sdk.CodeExpressionFailed)))
	says := func(p sdk.Plan) func() (sdk.Plan, error) { return func() (sdk.Plan, error) { return p, nil } }
	for name, tc := range map[string]struct {
		ask  func() (sdk.Plan, error)
		set  func(*heldPlan)
		want string
	}{
		"it runs": {says(answered(sdk.StatusRunning, sdk.StepCompleted, sdk.StepReady)), nil, "running, write completed with output, test ready"},
		"it runs, and nobody answers": {nil, func(h *heldPlan) {
			h.ask = func() (sdk.Plan, error) { return sdk.Plan{}, serviceerror.NewUnavailable("no worker") }
			h.shows(halfway())
		}, "running, write completed, test running, stale"},
		"its steps are a coordinator's, and nobody answers": {nil, func(h *heldPlan) {
			in := planInput()
			in.Request.Goal, in.Request.Steps = "ship it", nil
			h.run.WorkflowExecutionInfo = planInfo(t, in, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING)
			s := halfway()
			s.Planned = []sdk.Step{{ID: "one", Status: sdk.StepPending}, {ID: "two", Status: sdk.StepPending}}
			h.shows(s)
		}, "running, one completed, two running, stale"},
		"it is about to end": {says(answered(sdk.StatusCompleted, sdk.StepCompleted, sdk.StepCompleted)), nil,
			"running, write completed with output, test completed with output"},
		"it was started by somebody else": {says(answered(sdk.StatusRunning, sdk.StepReady)), func(h *heldPlan) {
			delete(h.run.WorkflowExecutionInfo.Memo.Fields, workflows.MemoPlan)
		}, "running, write ready, test pending"},
		"by somebody else, and nobody answers": {nil, func(h *heldPlan) {
			delete(h.run.WorkflowExecutionInfo.Memo.Fields, workflows.MemoPlan)
		}, "queued, write pending, test pending, stale"},
		"completed": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted, sdk.StepCompleted))),
			"completed, write completed with output, test completed with output, output code"},
		"failed": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(failureOf(temporal.NewApplicationErrorWithOptions(
			"test failed", string(sdk.CodeStepFailed), temporal.ApplicationErrorOptions{Details: []any{failure}})))),
			"failed, write completed with output, test failed, step_failed"},
		"cancelled": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t, stopped)), "cancelled, write completed with output, test cancelled"},
		"terminated": {says(answered(sdk.StatusRunning, sdk.StepCompleted, sdk.StepRunning)), closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil),
			"failed, write completed with output, test cancelled, terminated"},
		"terminated, and nobody answers": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil),
			"failed, write completed, test cancelled, terminated, stale"},
		"terminated before its first step": {func() (sdk.Plan, error) { return sdk.Plan{}, serviceerror.NewWorkflowNotReady("closed before") },
			func(h *heldPlan) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil) }, "failed, write cancelled, test cancelled, terminated"},
		"terminated, and it can not answer": {func() (sdk.Plan, error) { return sdk.Plan{}, serviceerror.NewWorkflowNotReady("its last step failed") },
			closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil), "failed, write completed, test cancelled, terminated, stale"},
		"timed out": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, nil), "failed, write completed, test cancelled, engine_timeout, stale"},
		"failed without a record": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, failed(broke)),
			"failed, write completed, test cancelled, expression_failed, stale"},
		"cancelled without a record": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t)),
			"cancelled, write completed, test cancelled, cancelled, stale"},
		"completed without a record": {nil, closesAs(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, sdk.Plan{})),
			"failed, write completed, test cancelled, internal, stale"},
		"none":   {nil, func(h *heldPlan) { h.run = nil }, string(sdk.CodeNotFound)},
		"a task": {nil, func(h *heldPlan) { h.run.WorkflowExecutionInfo.Type.Name = workflows.TaskWorkflow }, string(sdk.CodeNotFound)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeldPlan(t)
				if h.ask = tc.ask; tc.set != nil {
					tc.set(h)
				}
				e := newEngine(h, Config{})
				defer e.Close()
				p, err := e.GetPlan(t.Context(), "p", "a")
				got := inShort(p)
				if e, ok := errors.AsType[*sdk.Error](err); ok {
					got = string(e.Code)
				}
				if got != tc.want {
					t.Errorf("%s\nwant %s", got, tc.want)
				}
				ended := p.Status.Terminal()
				if err == nil && (p.ID != "a" || p.Links.Self != "/v1/plans/a" || p.Outputs == nil || (p.CompletedAt != nil) != ended || p.CreatedAt.IsZero() ||
					p.Steps[0].Needs == nil || !ended && p.Error != nil) {
					t.Errorf("%+v", p)
				}
				for _, s := range p.Steps {
					if ended && p.Error != nil && s.Status == sdk.StepCancelled && s.CompletedAt == nil {
						t.Errorf("%s was cancelled and has not ended", s.ID)
					}
				}
			})
		})
	}
}

// closedWith is the close event of a run that completed with a plan.
func closedWith(t testing.TB, p sdk.Plan) *historypb.HistoryEvent {
	t.Helper()
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(t, p)}}}
}

// TestReadersOfAPlanShare one look while it runs, and its record when it has ended.
func TestReadersOfAPlanShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
		e := newEngine(h, Config{})
		defer e.Close()
		read := func(times int) (sdk.Plan, error) {
			for range times - 1 {
				if _, err := e.GetPlan(t.Context(), "p", "a"); err != nil {
					t.Fatal(err)
				}
			}
			return e.GetPlan(t.Context(), "p", "a")
		}
		if _, err := read(20); err != nil || h.asked != 1 {
			t.Errorf("asked %d times: %v", h.asked, err)
		}
		pass(e.cfg.DescribeTTL)
		if _, err := read(20); err != nil || h.asked != 2 {
			t.Errorf("asked %d times: %v", h.asked, err)
		}
		pass(e.cfg.DescribeTTL)
		h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted)))
		p, err := read(20)
		pass(10 * time.Second)
		later, again := read(20)
		if diff := cmp.Diff(p, later); diff != "" || err != nil || again != nil {
			t.Errorf("%v %v\n%s", err, again, diff)
		}
		if describes, _, _, reads, _ := h.counts(); describes != 3 || reads != 1 || h.asked != 2 {
			t.Errorf("%d describes, %d close events, asked %d times", describes, reads, h.asked)
		}
	})
}

// TestGlanceAtPlan: what a stream has to know of a plan is known without a word of its run.
func TestGlanceAtPlan(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		set    func(*heldPlan)
		want   string
		closed *time.Time
		err    error
	}{
		"new":     {func(*heldPlan) {}, "queued, write pending, test pending", nil, nil},
		"it runs": {func(h *heldPlan) { h.shows(halfway()) }, "running, write completed, test running", nil, nil},
		"it is about to end": {func(h *heldPlan) {
			h.shows(workflows.PlanState{Status: sdk.StatusFailed, CompletedAt: ptr(at(50)), Error: &sdk.TaskError{Code: sdk.CodeStepFailed}})
		}, "running, write pending, test pending", nil, nil},
		"completed": {func(h *heldPlan) {
			h.shows(workflows.PlanState{Status: sdk.StatusCompleted, CompletedAt: ptr(at(50))})
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, nil)
		}, "completed, write pending, test pending", ptr(at(50)), nil},
		"cancelled": {func(h *heldPlan) {
			h.shows(workflows.PlanState{Status: sdk.StatusCancelled, CompletedAt: ptr(at(50)), Steps: []workflows.StepState{{Status: sdk.StepSkipped}, {Status: sdk.StepSkipped}}})
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, nil)
		}, "cancelled, write skipped, test skipped", ptr(at(50)), nil},
		"cancelled without a last word": {func(h *heldPlan) {
			h.shows(halfway())
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, nil)
		}, "cancelled, write completed, test cancelled, cancelled, stale", ptr(at(60)), nil},
		"failed without a last word": {func(h *heldPlan) {
			h.shows(halfway())
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, nil)
		}, "failed, write completed, test cancelled, internal, stale", ptr(at(60)), nil},
		"terminated": {func(h *heldPlan) { h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil) },
			"failed, write cancelled, test cancelled, terminated, stale", ptr(at(60)), nil},
		"none": {func(h *heldPlan) { h.run = nil }, "", nil, sdk.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeldPlan(t)
			tc.set(h)
			p, err := newPlanEngine(t, h, Config{}).GlanceAtPlan(t.Context(), "p", "a")
			if !errors.Is(err, tc.err) || inShort(p) != tc.want || h.asked > 0 {
				t.Errorf("%s %v, asked %d times", inShort(p), err, h.asked)
			}
			if diff := cmp.Diff(tc.closed, p.CompletedAt); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReadersShareThatNobodyAnswers: it takes a second to know, and is kept like any other answer.
func TestReadersShareThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		e := newEngine(h, Config{})
		defer e.Close()
		for range 3 {
			if p, err := e.GetPlan(t.Context(), "p", "a"); err != nil || !p.Stale {
				t.Errorf("%s %v", inShort(p), err)
			}
		}
		pass(e.cfg.DescribeTTL)
		if p, err := e.GetPlan(t.Context(), "p", "a"); err != nil || !p.Stale || h.asked != 2 {
			t.Errorf("%s %v, asked %d times", inShort(p), err, h.asked)
		}
	})
}
