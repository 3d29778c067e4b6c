package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planStory is what the log has of the plan a: "seq type", and the last one.
func planStory(t *testing.T, l *eventlog.Log) (list []string, last sdk.Event) {
	t.Helper()
	of := eventlog.Story{Kind: eventlog.KindPlan, ID: "a"}
	page, err := l.Read(t.Context(), "p", eventlog.Query{Filter: eventlog.Filter{Story: &of}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Records {
		if last, err = r.Event(); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %s", last.Seq, last.Type))
	}
	return list, last
}

// TestATerminatedPlansStoryIsEnded: by a sweep, though nobody reads the plan, or by a reader, and once by all servers together.
func TestATerminatedPlansStoryIsEnded(t *testing.T) {
	t.Parallel()
	for name, told := range map[string][]sdk.EventType{
		"swept": {sdk.EventPlanCreated, sdk.EventPlanStarted}, "swept, of which nothing was told": nil, "read": {sdk.EventPlanCreated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, l := newHeldPlan(t), openLog(t)
			h.ask = func() (sdk.Plan, error) {
				return answered(sdk.StatusRunning, sdk.StepCompleted, sdk.StepRunning), nil
			}
			if len(told) > 0 {
				tellPlan(t, l, told...)
			}
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
			h.oneRun.ended.above = [][2]string{{"plan:not ours", "x"}, {workflows.PlanWorkflowID("p", "a"), "run-1"}}
			interval := 5 * time.Millisecond
			if name == "read" {
				interval = time.Hour
			}
			for range 2 {
				e := newPlanEngine(t, h, Config{Events: l, SweepInterval: interval, Logger: slog.New(slog.DiscardHandler)})
				if name != "read" {
					continue
				}
				if _, err := e.GetPlan(t.Context(), "p", "a"); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the story's end", func() bool { list, _ := planStory(t, l); return len(list) > len(told) })
			if name != "read" {
				h.swept(t, 4)
			}
			list, last := planStory(t, l)
			var end sdk.PlanEnded
			if err := json.Unmarshal(last.Data, &end); err != nil || len(list) != len(told)+1 || last.Type != sdk.EventPlanFailed || last.Plan != "a" ||
				last.Organization != "o" || !last.Time.Equal(at(60)) || end.Status != sdk.StatusFailed || end.Error == nil || end.Error.Code != sdk.CodeTerminated ||
				end.Completed != 1 || end.Cancelled != 1 || end.DurationMs != 61_000 {
				t.Errorf("%q, %+v %+v %v", list, last, end, err)
			}
		})
	}
}

// TestTheLostEndOfAPlanIsTold: where a plan ended by itself, and the log has its beginning alone, its record is what its story ends with; not
// while its own side may tell it, and not twice.
func TestTheLostEndOfAPlanIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		closed time.Time
		rest   enumspb.WorkflowExecutionStatus // of the run that publishes what was left
		part   int                             // of it
		told   []sdk.EventType
		want   int
		later  bool
	}{
		"lost":                             {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 0, []sdk.EventType{sdk.EventPlanCreated}, 2, false},
		"a part of it lost":                {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 1, []sdk.EventType{sdk.EventPlanCreated}, 2, false},
		"its own side goes on":             {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, 0, []sdk.EventType{sdk.EventPlanCreated}, 1, true},
		"its own side may not be there":    {time.Now(), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 0, []sdk.EventType{sdk.EventPlanCreated}, 1, true},
		"it is told":                       {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 0, []sdk.EventType{sdk.EventPlanCreated, sdk.EventPlanCancelled}, 2, false},
		"it was not told, by an older log": {at(60), enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 0, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, l := newHeldPlan(t), openLog(t)
			if len(tc.told) > 0 {
				tellPlan(t, l, tc.told...)
			}
			h.end(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, closedWith(t, answered(sdk.StatusCompleted, sdk.StepCompleted, sdk.StepSkipped)))
			h.run.WorkflowExecutionInfo.CloseTime = timestamppb.New(tc.closed)
			publisher := workflows.PlanEventsWorkflowID("p", "a")
			if tc.part > 0 {
				publisher = workflows.PlanEventsPartID("p", "a", tc.part)
			}
			h.child = &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
				Execution: &commonpb.WorkflowExecution{WorkflowId: publisher}, Status: tc.rest,
			}}
			e := newPlanEngine(t, h, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
			c, ok := runOfPublisher(h.child.WorkflowExecutionInfo)
			if diff := cmp.Diff([]any{eventlog.KindPlan, "p", "a", tc.part}, []any{c.kind, c.project, c.id, c.part}); diff != "" || !ok {
				t.Fatalf("the run of a publisher is not known: %s", diff)
			}
			for range 2 {
				if later, err := e.endStory(c); err != nil || later != tc.later {
					t.Fatalf("later %t, %v", later, err)
				}
			}
			list, last := planStory(t, l)
			if len(list) != tc.want {
				t.Fatalf("the story is %q", list)
			}
			if tc.want != 2 || len(tc.told) == 2 {
				return
			}
			var end sdk.PlanEnded
			if err := json.Unmarshal(last.Data, &end); err != nil || last.Type != sdk.EventPlanCompleted || !last.Time.Equal(at(59)) || end.Completed != 1 || end.Skipped != 1 ||
				string(end.Outputs["code"]) != `"x"` {
				t.Errorf("%+v %+v %v", last, end, err)
			}
		})
	}
}

// TestAStoryThatIsOverCostsItsRunNothing: the log is asked first.
func TestAStoryThatIsOverCostsItsRunNothing(t *testing.T) {
	t.Parallel()
	h, l := newHeldPlan(t), openLog(t)
	tellPlan(t, l, sdk.EventPlanCreated, sdk.EventPlanFailed)
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	e := newPlanEngine(t, h, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	for _, runID := range []string{"", "run-1"} {
		if later, err := e.endStory(closedRun{kind: eventlog.KindPlan, project: "p", id: "a", runID: runID}); later || err != nil {
			t.Errorf("later %t, %v", later, err)
		}
	}
	_, over := e.stories.over.get("run-1")
	_, nobody := e.stories.over.get("")
	if describes, _, _, reads, firsts := h.counts(); describes+reads+firsts+h.asked > 0 || !over || nobody {
		t.Errorf("%d describes, %d close events, %d first events, asked %d times; it is known %t, and of no run %t", describes, reads, firsts, h.asked, over, nobody)
	}
}

// TestASweepWaitsForOneSilentRun: where nobody answers for a plan, the next one is told from its memo at once, until the next sweep.
func TestASweepWaitsForOneSilentRun(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.ask = func() (sdk.Plan, error) { return sdk.Plan{}, serviceerror.NewDeadlineExceeded("nobody answers") }
	h.shows(halfway())
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	e := newPlanEngine(t, h, Config{Events: openLog(t), SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	seen, err := e.describePlan(t.Context(), "p", "a")
	if err != nil {
		t.Fatal(err)
	}
	for asked := range 2 {
		for range 3 {
			rest, err := e.planEnd(t.Context(), seen)
			if err != nil {
				t.Fatal(err)
			}
			var end sdk.PlanEnded
			if list := rest(eventlog.LastEvent{Seq: 1}); len(list) != 1 || json.Unmarshal(list[0].Data, &end) != nil || end.Completed != 1 || end.Cancelled != 1 {
				t.Errorf("%+v", list)
			}
		}
		if h.asked != asked+1 {
			t.Errorf("asked %d times in sweep %d", h.asked, asked+1)
		}
		e.sweep()
	}
}

// TestManyTasksDoNotHideAPlanFromTheSweep: more of them were terminated than one sweep looks at.
func TestManyTasksDoNotHideAPlanFromTheSweep(t *testing.T) {
	t.Parallel()
	h, l := newHeldPlan(t), openLog(t)
	tellPlan(t, l, sdk.EventPlanCreated)
	h.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
	plan := [2]string{workflows.PlanWorkflowID("p", "a"), "run-1"}
	h.oneRun.ended.above = [][2]string{plan}
	for range sweepPages { // of one, here
		h.oneRun.ended.tasks = append(h.oneRun.ended.tasks, [2]string{"task:not ours", "x"})
	}
	h.oneRun.ended.tasks = append(h.oneRun.ended.tasks, plan)
	h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
	newPlanEngine(t, h, Config{Events: l, SweepInterval: time.Hour, Logger: slog.New(slog.DiscardHandler)}).sweep()
	if list, _ := planStory(t, l); len(list) != 2 {
		t.Errorf("the story is %q", list)
	}
}
