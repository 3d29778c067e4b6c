package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestCancelPlan(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
	e := newPlanEngine(t, h, Config{})
	p, accepted, err := e.CancelPlan(t.Context(), "p", "a", "enough")
	if !accepted || err != nil || p.Status != sdk.StatusRunning {
		t.Fatalf("accepted %v, %+v %v", accepted, p, err)
	}
	if diff := cmp.Diff([]string{"cancel-requested"}, h.signals); diff != "" || h.cancels != 1 {
		t.Errorf("%s, %d cancels", diff, h.cancels)
	}
	h.run.WorkflowExtendedInfo = &workflowpb.WorkflowExecutionExtendedInfo{CancelRequested: true}
	if _, accepted, err := e.CancelPlan(t.Context(), "p", "a", "again"); !accepted || err != nil || h.cancels != 1 || len(h.signals) != 1 {
		t.Errorf("again: accepted %v, %v, %d cancels", accepted, err, h.cancels)
	}
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted)))
	p, accepted, err = e.CancelPlan(t.Context(), "p", "a", "late")
	if accepted || err != nil || p.Status != sdk.StatusCompleted || h.cancels != 1 {
		t.Errorf("ended: accepted %v, %v, %s", accepted, err, p.Status)
	}
	if _, _, err := e.CancelPlan(t.Context(), "p", "b", ""); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestCancelOfAPlanThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
	h.answer = serviceerror.NewNotFound("workflow execution already completed")
	p, accepted, err := newPlanEngine(t, h, Config{}).CancelPlan(t.Context(), "p", "a", "")
	if accepted || err != nil || p.ID != "a" || h.cancels != 0 {
		t.Errorf("accepted %v, %v, %d cancels", accepted, err, h.cancels)
	}
}

func TestListPlans(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	e := newPlanEngine(t, h, Config{})
	for i, status := range []enumspb.WorkflowExecutionStatus{
		enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	} {
		in := planInput()
		in.ID = []string{"a", "b", "c"}[i]
		info := planInfo(t, in, status)
		info.Memo.Fields[workflows.MemoPlanState] = payload(t, halfway())
		h.listed = append(h.listed, info)
	}
	h.listed[2].Memo = nil
	another := planInput()
	another.Project = "q"
	h.listed = append(h.listed, planInfo(t, another, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING))
	page, err := e.ListPlans(t.Context(), "p", sdk.PlanFilter{}, "")
	if err != nil || len(page.Items) != 2 || page.NextCursor == "" {
		t.Fatalf("%+v %v", page, err)
	}
	if a, b := page.Items[0], page.Items[1]; inShort(a) != "running, write completed, test running, stale" || a.Title != "Ship it" || a.Links.Self != "/v1/plans/a" ||
		inShort(b) != "failed, write completed, test cancelled, terminated, stale" || b.CompletedAt == nil {
		t.Errorf("%s and %s", inShort(a), inShort(b))
	}
	if _, err := e.ListPlans(t.Context(), "p", sdk.PlanFilter{Status: sdk.StatusOpen}, page.NextCursor); !errors.Is(err, sdk.ErrInvalidInput) {
		t.Errorf("a cursor of another filter: %v", err)
	}
	page, err = e.ListPlans(t.Context(), "p", sdk.PlanFilter{}, page.NextCursor)
	if err != nil || len(page.Items) != 1 || page.NextCursor != "" || inShort(page.Items[0]) != "completed" || page.Items[0].ID != "c" || page.Items[0].Steps == nil {
		t.Errorf("%+v %v", page, err)
	}
	if h.asked > 0 {
		t.Errorf("runs were asked %d times", h.asked)
	}
}

func TestPlanQuery(t *testing.T) {
	t.Parallel()
	const of = "WorkflowType = 'Plan' AND RolecallProject = 'p'"
	for status, want := range map[sdk.Status]string{
		"":                  of,
		sdk.StatusOpen:      of + " AND " + openTerm,
		sdk.StatusQueued:    of + " AND " + openTerm + " AND RolecallStatus = 'queued'",
		sdk.StatusRunning:   of + " AND " + openTerm + " AND RolecallStatus = 'running'",
		sdk.StatusCompleted: of + " AND ExecutionStatus = 'Completed'",
		sdk.StatusFailed:    of + " AND ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut')",
		sdk.StatusCancelled: of + " AND ExecutionStatus = 'Canceled'",
	} {
		if got := PlanQuery("p", sdk.PlanFilter{Status: status}); got != want {
			t.Errorf("%q: %s", status, got)
		}
	}
}

// TestListsOfPlansAskForFewAtFirst: each may be large, which is not known before.
func TestListsOfPlansAskForFewAtFirst(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		runs, goal, limit int
		largest           int  // runs of one message
		away              bool // after the first answer
		asked             []int
		want              int
	}{
		"small ones":                      {200, 10, 100, 0, false, []int{20, 80}, 100},
		"as many as there are":            {30, 10, 100, 0, false, []int{20, 80}, 30},
		"no more than the first":          {20, 10, 100, 0, false, []int{20}, 20},
		"a small page":                    {200, 10, 7, 0, false, []int{7}, 7},
		"large ones":                      {60, 100 << 10, 200, 0, false, []int{20, 10}, 30},
		"larger ones":                     {60, 1 << 20, 200, 0, false, []int{20, 2}, 2},
		"messages larger than gRPC takes": {200, 10, 100, 20, false, []int{20, 80, 40, 20}, 40},
		"Temporal goes away":              {200, 10, 100, 0, true, []int{20, 80}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &visibility{largest: tc.largest, answers: 1}
			for range tc.runs {
				in := planInput()
				in.Request.Goal = strings.Repeat("x", tc.goal)
				v.runs = append(v.runs, planInfo(t, in, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING))
			}
			if tc.away {
				v.failure = serviceerror.NewUnavailable("no")
			}
			page, err := listEngine(t, v).ListPlans(t.Context(), "p", sdk.PlanFilter{Limit: tc.limit}, "")
			if err != nil || len(page.Items) != tc.want || (page.NextCursor != "") != (tc.want < tc.runs) {
				t.Errorf("%d plans, next %q: %v", len(page.Items), page.NextCursor, err)
			}
			if diff := cmp.Diff(tc.asked, v.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}
