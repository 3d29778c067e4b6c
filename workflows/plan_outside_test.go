package workflows_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestPlan_TakesATaskWithoutARecord: its run was ended from outside, or it is another one's.
func TestPlan_TakesATaskWithoutARecord(t *testing.T) {
	t.Parallel()
	o := newOuting(t, nil)
	o.env.RegisterWorkflowWithOptions(func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }, workflow.RegisterOptions{Name: "stranger"})
	o.env.ExecuteWorkflow(func(ctx workflow.Context) (sdk.Plan, error) {
		stranger := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflows.TaskWorkflowID("default", planTask("b", 0))})
		if err := workflow.ExecuteChildWorkflow(stranger, "stranger").GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return sdk.Plan{}, err
		}
		return workflows.Plan(ctx, planInput(sdk.PlanRequest{
			OnFailure: sdk.FailureContinue, Steps: []sdk.PlanStep{step("a"), step("b"), step("c", needs("b"))},
		}))
	})
	plan := planOf(t, o.env.GetWorkflowResult)
	if d := cmp.Diff([]string{"a completed", "b failed terminated", "c skipped"}, stands(plan)); d != "" || plan.Error.Code != sdk.CodeStepFailed {
		t.Errorf("%v: %s", plan.Error, d)
	}
}

// TestPlan_TellsLater: what the log does not take until the end is given to runs of their own, in parts.
func TestPlan_TellsLater(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{MaxSteps: sdk.MaxPlanSteps, Steps: []sdk.PlanStep{
		step("does"), step("not", needs("does"), func(s *sdk.PlanStep) { s.When = "false" }),
	}}
	for len(r.Steps) < sdk.MaxPlanSteps {
		r.Steps = append(r.Steps, step(fmt.Sprintf("s%d", len(r.Steps)), needs("not")))
	}
	o := newOuting(t, nil)
	o.away.Store(true)
	var publishers []string
	o.env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		if strings.HasPrefix(info.WorkflowExecution.ID, "plan-events:") {
			publishers = append(publishers, info.WorkflowExecution.ID)
			o.away.Store(false)
		}
	})
	plan := o.carryOut(r)
	if plan.Status != sdk.StatusCompleted || plan.Steps[0].Status != sdk.StepCompleted {
		t.Errorf("the log costs the result: %v", plan.Error)
	}
	if d := cmp.Diff([]string{workflows.PlanEventsPartID("default", "p1", 1), workflows.PlanEventsWorkflowID("default", "p1")}, publishers); d != "" {
		t.Error(d)
	}
	told := o.told(activities.StoryPlan, "p1")
	if len(told) != 3+3+sdk.MaxPlanSteps-1 || told[len(told)-1] != string(sdk.EventPlanCompleted) {
		t.Errorf("%d events", len(told))
	}
}

// TestPlan_LeavesRoomInItsHistory: nothing begins where the end of it would have none.
func TestPlan_LeavesRoomInItsHistory(t *testing.T) {
	t.Parallel()
	o := newOuting(t, nil)
	o.env.SetCurrentHistorySize(41 << 20)
	plan := o.carryOut(sdk.PlanRequest{Steps: []sdk.PlanStep{step("a"), step("b", needs("a")), step("c", needs("b")), step("d", needs("c"))}})
	if plan.Error == nil || plan.Error.Code != sdk.CodeStepFailed || len(o.given) == 0 || len(o.given) == 4 {
		t.Errorf("%v, %d tasks: %q", plan.Error, len(o.given), stands(plan))
	}
	for _, s := range plan.Steps {
		if s.Status == sdk.StepFailed && s.Error.Code != sdk.CodePayloadTooLarge {
			t.Errorf("%s: %v", s.ID, s.Error)
		}
	}
}

// TestPlan_AsksForNoMoreThanAMessageHolds: large tasks are asked for by one workflow task after the other, and all of them are.
func TestPlan_AsksForNoMoreThanAMessageHolds(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{Title: "Large", MaxParallel: 20, Inputs: map[string]json.RawMessage{"text": json.RawMessage(`"` + strings.Repeat("x", 400<<10) + `"`)}}
	const tasks = 8
	for i := range tasks {
		r.Steps = append(r.Steps, step(fmt.Sprintf("s%d", i), gives(`"${{ inputs.text }}"`)))
	}
	s := newPlanServer(t, planInput(r))
	s.sticks = true
	for turns := 0; len(s.children) < tasks; turns++ {
		if turns > tasks {
			t.Fatalf("%d were asked for", len(s.children))
		}
		before := len(s.children)
		for _, c := range s.running() {
			if c.started == 0 {
				s.begins(c, true)
			}
		}
		s.turn(false)
		if n := len(s.children) - before; n > 4 {
			t.Errorf("%d at once", n)
		}
	}
}

// TestPlan_WritesItsMemoNowAndThen: a large one takes its time, and what it says is right in the end, also while a task goes on for long.
func TestPlan_WritesItsMemoNowAndThen(t *testing.T) {
	t.Parallel()
	const steps = 200
	r := sdk.PlanRequest{Title: "Large", MaxParallel: sdk.MaxMaxParallel, MaxSteps: steps}
	for i := range steps {
		r.Steps = append(r.Steps, step(fmt.Sprintf("s%d", i)))
	}
	s := newPlanServer(t, planInput(r))
	s.sticks = true
	const left = 4
	for s.turn(false); len(s.running()) > left; s.turn(false) {
		s.at = s.at.Add(time.Second)
		ended := 0
		for _, c := range s.running() {
			if c.started == 0 {
				s.begins(c, true)
			} else if ended < 6 && len(s.running()) > left {
				ended++
				s.completes(c)
			}
		}
		s.answer()
	}
	for n := left; n > 0; n-- {
		for len(s.openings) > 0 { // nothing else comes
			s.answer()
			s.turn(false)
		}
		_, _, state := s.memos()
		open := slices.DeleteFunc(state.Steps, func(s workflows.StepState) bool { return s.Status == sdk.StepCompleted })
		if len(open) != n || state.Status != sdk.StatusRunning {
			t.Errorf("while %d run: %s, %d steps are not completed", n, state.Status, len(open))
		}
		s.completes(s.running()[0])
		s.turn(false)
	}
	memos, bytes, state := s.memos()
	if memos < 10 || memos > 45 || bytes > 2<<20 {
		t.Errorf("%d memos, %d bytes", memos, bytes)
	}
	if s.end == nil || state.Status != sdk.StatusCompleted {
		t.Errorf("the last memo: %s", state.Status)
	}
	t.Logf("%d events, %d memos of %d bytes", len(s.events), memos, bytes)
}

// TestPlan_WritesInItsMemoWhatNeverBegan: a step that fails before it has a task is in the memo at once, whatever else goes on.
func TestPlan_WritesInItsMemoWhatNeverBegan(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{OnFailure: sdk.FailureContinue, Inputs: map[string]json.RawMessage{"text": json.RawMessage(`"` + strings.Repeat("x", 400<<10) + `"`)}}
	for i := range 3 { // which is as much as a workflow task asks for
		r.Steps = append(r.Steps, step(fmt.Sprintf("s%d", i), gives(`"${{ inputs.text }}"`)))
	}
	r.Steps = append(r.Steps, step("none", gives(`"${{ inputs.text.nothing }}"`)))
	s := newPlanServer(t, planInput(r))
	s.turn(false)
	s.begins(s.children[0], true)
	s.turn(false)
	if _, _, state := s.memos(); state.Steps[3].Status != sdk.StepFailed || len(s.running()) != 3 {
		t.Errorf("%+v", state.Steps)
	}
}

// TestPlan_TellsSoon: what was not told at once is told though nothing else comes.
func TestPlan_TellsSoon(t *testing.T) {
	t.Parallel()
	s := newPlanServer(t, planInput(sdk.PlanRequest{Steps: []sdk.PlanStep{step("a"), step("b"), step("c")}}))
	s.turn(false)
	for _, c := range s.running() {
		s.begins(c, true)
	}
	s.turn(false)
	s.completes(s.children[0])
	s.completes(s.children[1])
	s.turn(false)
	before := len(s.story)
	s.answer()
	s.turn(false)
	if !strings.Contains(s.story[before-1], `"step":"a","taskId"`) || len(s.story) != before+1 || !strings.Contains(s.story[before], `"step":"b","taskId"`) {
		t.Errorf("after %d events:\n%s", before, strings.Join(s.story, "\n"))
	}
}
