package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// outing is a plan that a test carries out, with tasks as they are: its agents' answers by the title of a task, which is that of its step.
type outing struct {
	*sitting
	answers map[string][]answer // for its attempts one after the other; then it completes with {"step": title}
	given   map[string][]sdk.Assignment
}

func newOuting(t *testing.T, answers map[string][]answer) *outing {
	t.Helper()
	o := &outing{sitting: &sitting{}, answers: answers, given: map[string][]sdk.Assignment{}}
	o.prepare(t, o.execute)
	o.env.RegisterWorkflowWithOptions(workflows.Plan, workflow.RegisterOptions{Name: workflows.PlanWorkflow})
	return o
}

func (o *outing) execute(a sdk.Assignment) (activities.AttemptReport, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, answers := len(o.given[a.Task.Title]), o.answers[a.Task.Title]
	o.given[a.Task.Title] = append(o.given[a.Task.Title], a)
	if n < len(answers) {
		return answers[n](a)
	}
	return completes(fmt.Sprintf(`{"step":%q}`, a.Task.Title))(a)
}

// step is a step whose title is its id.
func step(id string, change ...func(*sdk.PlanStep)) sdk.PlanStep {
	s := sdk.PlanStep{ID: id, Type: sdk.TypeCodeWrite, Title: id}
	for _, f := range change {
		f(&s)
	}
	return s
}

func needs(ids ...string) func(*sdk.PlanStep) { return func(s *sdk.PlanStep) { s.Needs = ids } }

func gives(input string) func(*sdk.PlanStep) {
	return func(s *sdk.PlanStep) { s.Input = json.RawMessage(input) }
}

func planInput(r sdk.PlanRequest) workflows.PlanInput {
	if r.Title == "" {
		r.Title = "An outing"
	}
	return workflows.PlanInput{Project: "default", Organization: "acme", ID: "p1", Request: r}
}

// carryOut runs the plan to its end.
func (o *outing) carryOut(r sdk.PlanRequest) sdk.Plan {
	o.t.Helper()
	o.env.ExecuteWorkflow(workflows.PlanWorkflow, planInput(r))
	return planOf(o.t, o.env.GetWorkflowResult)
}

// planOf is the record that a run has left, however it ended.
func planOf(t *testing.T, result func(any) error) (plan sdk.Plan) {
	t.Helper()
	err := result(&plan)
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		if err = app.Details(&plan); err == nil && (plan.Status != sdk.StatusFailed || app.Type() != string(plan.Error.Code)) {
			t.Errorf("the run failed with %s, the plan is %s, %v", app.Type(), plan.Status, plan.Error)
		}
	} else if cancelled, ok := errors.AsType[*temporal.CanceledError](err); ok {
		if err = cancelled.Details(&plan); err == nil && plan.Status != sdk.StatusCancelled {
			t.Errorf("the run was cancelled, the plan is %s", plan.Status)
		}
	}
	if err != nil {
		t.Fatalf("a run without a record: %v", err)
	}
	return plan
}

// stands is how the steps of a plan stand.
func stands(p sdk.Plan) (steps []string) {
	for _, s := range p.Steps {
		line := s.ID + " " + string(s.Status)
		if s.Error != nil {
			line += " " + string(s.Error.Code)
		}
		steps = append(steps, line)
	}
	return steps
}

// planTask is the id of the n-th task of a step.
func planTask(step string, n int) string { return workflows.PlanTaskID("p1", step, n) }

func TestPlan_HasItsTasksDone(t *testing.T) {
	t.Parallel()
	o := newOuting(t, map[string][]answer{"write": {working(time.Minute), completes(`{"code":"x"}`)}})
	plan := o.carryOut(sdk.PlanRequest{
		Inputs: map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)}, Priority: sdk.PriorityHigh,
		Steps: []sdk.PlanStep{
			step("write", gives(`{"language":"${{ inputs.language }}"}`)),
			step("test", needs("write"), gives(`{"code":"${{ steps.write.output.code }}"}`)),
		},
		Outputs: map[string]json.RawMessage{"all": json.RawMessage(`["${{ steps.write.output.code }}","${{ steps.test.output }}"]`)},
	})
	if d := cmp.Diff([]string{"write completed", "test completed"}, stands(plan)); d != "" || plan.Status != sdk.StatusCompleted || plan.Error != nil {
		t.Errorf("%s %v: %s", plan.Status, plan.Error, d)
	}
	if got := string(plan.Outputs["all"]); got != `["x",{"step":"test"}]` {
		t.Errorf("outputs %s", got)
	}
	if len(o.given["write"]) != 2 || len(o.given["test"]) != 1 {
		t.Fatalf("%d and %d attempts", len(o.given["write"]), len(o.given["test"]))
	}
	given := o.given["test"][0].Task
	if given.ID != planTask("test", 0) || given.PlanID != "p1" || given.FairnessKey != "p1" || given.Priority != sdk.PriorityHigh || string(given.Input) != `{"code":"x"}` {
		t.Errorf("%+v", given)
	}
	if got := string(o.given["write"][0].Task.Input); got != `{"language":"Go"}` {
		t.Errorf("input %s", got)
	}
	want := []string{"plan.created", "plan.started"}
	for range 6 { // ready, running, completed
		want = append(want, "plan.step")
	}
	if d := cmp.Diff(append(want, "plan.completed"), o.told(activities.StoryPlan, "p1")); d != "" {
		t.Error(d)
	}
	for _, id := range []string{planTask("write", 0), planTask("test", 0)} {
		events := o.stories[activities.StoryTask+"/"+id]
		if len(events) == 0 || slices.ContainsFunc(events, func(e sdk.Event) bool { return e.Plan != "p1" }) {
			t.Errorf("the story of %s: %+v", id, events)
		}
	}
}

// TestPlan_ReworksWhileASiblingRuns: what needs the step that is sent back is stopped, and what does not goes on.
func TestPlan_ReworksWhileASiblingRuns(t *testing.T) {
	t.Parallel()
	refused := func(sdk.Assignment) (activities.AttemptReport, error) {
		no := false
		return activities.AttemptReport{AgentID: "agent-1", Result: &sdk.Result{Output: json.RawMessage(`{"summary":"no tests"}`), QualityGatePassed: &no}}, nil
	}
	o := newOuting(t, map[string][]answer{
		"review": {working(time.Minute), refused}, "document": {working(time.Hour)}, "other": {working(2 * time.Minute)}, "write": {completes(`{"code":"x"}`)},
	})
	plan := o.carryOut(sdk.PlanRequest{Steps: []sdk.PlanStep{
		step("write"), step("other"), step("document", needs("write")),
		step("review", needs("write"), func(s *sdk.PlanStep) { s.Gate = &sdk.Gate{Rework: "write"} }),
	}})
	if d := cmp.Diff([]string{"write completed", "other completed", "document completed", "review completed"}, stands(plan)); d != "" || plan.Status != sdk.StatusCompleted {
		t.Errorf("%s: %s", plan.Status, d)
	}
	var reworks []int
	for _, s := range plan.Steps {
		reworks = append(reworks, s.Reworks)
	}
	if d := cmp.Diff([]int{1, 0, 1, 1}, reworks); d != "" {
		t.Error(d)
	}
	var again struct{ Feedback map[string]json.RawMessage }
	if err := json.Unmarshal(o.given["write"][1].Task.Input, &again); err != nil || string(again.Feedback["previous"]) != `{"code":"x"}` || string(again.Feedback["round"]) != "1" {
		t.Errorf("%v %s", err, o.given["write"][1].Task.Input)
	}
	stopped := o.stories[activities.StoryTask+"/"+planTask("document", 0)]
	var end sdk.TaskEnded
	if err := json.Unmarshal(stopped[len(stopped)-1].Data, &end); err != nil || end.Status != sdk.StatusCancelled || !strings.Contains(end.Error.Message, "review") {
		t.Errorf("%v %+v", err, end)
	}
	if len(o.given["other"]) != 2 || plan.Steps[1].TaskID != planTask("other", 0) || plan.Steps[2].TaskID != planTask("document", 1) {
		t.Errorf("%d attempts: %+v", len(o.given["other"]), plan.Steps)
	}
}

func TestPlan_Fails(t *testing.T) {
	t.Parallel()
	for policy, want := range map[sdk.FailurePolicy][]string{
		sdk.FailureStop:     {"a failed agent_failed", "b completed", "c skipped", "d skipped"},
		sdk.FailureContinue: {"a failed agent_failed", "b completed", "c skipped", "d completed"},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			o := newOuting(t, map[string][]answer{
				"a": {working(time.Minute), fails("agent_failed", false, activities.AttemptReport{AgentID: "agent-1"})}, "b": {working(time.Hour)},
			})
			plan := o.carryOut(sdk.PlanRequest{
				OnFailure: policy, Steps: []sdk.PlanStep{step("a"), step("b"), step("c", needs("a")), step("d", needs("b"))},
				Outputs: map[string]json.RawMessage{"b": json.RawMessage(`"${{ steps.b.output.step }}"`), "d": json.RawMessage(`"${{ steps.c.output }}"`)},
			})
			if d := cmp.Diff(want, stands(plan)); d != "" || plan.Error == nil || plan.Error.Code != sdk.CodeStepFailed {
				t.Errorf("%v: %s", plan.Error, d)
			}
			if d := cmp.Diff(map[string]json.RawMessage{"b": json.RawMessage(`"b"`)}, plan.Outputs); d != "" {
				t.Error(d)
			}
			told := o.told(activities.StoryPlan, "p1")
			if told[len(told)-1] != string(sdk.EventPlanFailed) {
				t.Errorf("%q", told)
			}
		})
	}
}

// TestPlan_IsCancelled: everything below it is, with the same reason.
func TestPlan_IsCancelled(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]string{"with a reason": "changed my mind", "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOuting(t, map[string][]answer{"a": {working(time.Hour)}, "b": {working(time.Hour)}})
			o.env.RegisterDelayedCallback(func() {
				if reason != "" {
					o.env.SignalWorkflow(workflows.CancelRequested.Name, workflows.CancelRequestedInput{Reason: reason})
				}
				o.env.CancelWorkflow()
			}, time.Minute)
			plan := o.carryOut(sdk.PlanRequest{Steps: []sdk.PlanStep{step("a"), step("b"), step("c", needs("a")), step("d")}, MaxParallel: 2})
			if d := cmp.Diff([]string{"a cancelled cancelled", "b cancelled cancelled", "c skipped", "d skipped"}, stands(plan)); d != "" {
				t.Error(d)
			}
			if reason == "" {
				reason = "no reason was given"
			}
			if plan.Error.Code != sdk.CodeCancelled || plan.Error.Message != reason || len(o.given) != 2 {
				t.Errorf("%v, %d tasks", plan.Error, len(o.given))
			}
			for _, s := range plan.Steps[:2] {
				if !strings.HasSuffix(s.Error.Message, strings.TrimPrefix(reason, "no reason")) {
					t.Errorf("%s: %v", s.ID, s.Error)
				}
			}
		})
	}
}

// TestPlan_AsksTheCoordinator: once more where its answer has faults.
func TestPlan_AsksTheCoordinator(t *testing.T) {
	t.Parallel()
	o := newOuting(t, map[string][]answer{"Plan: An outing": {
		completes(`{"steps":[{"id":"a","type":"code.write","title":"a","needs":["b"]}]}`),
		completes(`{"steps":[{"id":"a","type":"code.write","title":"a"}],"outputs":{"a":"${{ steps.a.output.step }}"}}`),
	}})
	plan := o.carryOut(sdk.PlanRequest{Goal: "be out"})
	if d := cmp.Diff([]string{"a completed"}, stands(plan)); d != "" || string(plan.Outputs["a"]) != `"a"` {
		t.Errorf("%s, %s", d, plan.Outputs)
	}
	if d := cmp.Diff([]string{planTask("", 0), planTask("", 1)}, plan.PlanningTaskIDs); d != "" {
		t.Error(d)
	}
	var again struct{ Faults []sdk.Fault }
	if err := json.Unmarshal(o.given["Plan: An outing"][1].Task.Input, &again); err != nil || len(again.Faults) != 1 || !strings.HasPrefix(again.Faults[0].Path, "$.steps[0].needs") {
		t.Errorf("%v %+v", err, again)
	}
}

// TestPlan_RunsManyAtOnce: as many as have room to end with the largest answers.
func TestPlan_RunsManyAtOnce(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{MaxParallel: sdk.MaxMaxParallel, MaxSteps: 60}
	answers := map[string][]answer{}
	for i := range 52 {
		id := fmt.Sprintf("s%d", i)
		r.Steps = append(r.Steps, step(id))
		answers[id] = []answer{working(time.Hour)}
	}
	o := newOuting(t, answers)
	o.env.RegisterDelayedCallback(func() {
		if len(o.given) != 25 {
			t.Errorf("%d run", len(o.given))
		}
	}, time.Minute)
	plan := o.carryOut(r)
	for _, s := range plan.Steps {
		if s.Status != sdk.StepCompleted {
			t.Errorf("%s is %s", s.ID, s.Status)
		}
	}
	if n := len(o.told(activities.StoryPlan, "p1")); n != 3+52*3 {
		t.Errorf("%d events", n)
	}
}

// TestPlan_RefusesAFaultyRequest: whoever holds a Temporal client may start one.
func TestPlan_RefusesAFaultyRequest(t *testing.T) {
	t.Parallel()
	o := newOuting(t, nil)
	plan := o.carryOut(sdk.PlanRequest{Steps: []sdk.PlanStep{step("a", needs("b")), step("b", needs("a"))}})
	if plan.Error == nil || plan.Error.Code != sdk.CodeInvalidInput || !strings.Contains(plan.Error.Message, "a → b → a") {
		t.Errorf("%+v", plan.Error)
	}
	if d := cmp.Diff([]string{"plan.created", "plan.failed"}, o.told(activities.StoryPlan, "p1")); d != "" || len(o.given) > 0 {
		t.Error(d)
	}
}

// TestPlan_ShowsItsSteps: to a query, and in the details that the Temporal UI shows.
func TestPlan_ShowsItsSteps(t *testing.T) {
	t.Parallel()
	o := newOuting(t, map[string][]answer{"b": {working(time.Hour)}})
	o.env.RegisterDelayedCallback(func() {
		var now sdk.Plan
		var shown sdkpb.WorkflowMetadata
		value, err := o.env.QueryWorkflow(workflows.DescribePlan.Name)
		if err == nil {
			err = value.Get(&now)
		}
		if d := cmp.Diff([]string{"a completed", "b running"}, stands(now)); err != nil || d != "" || string(now.Steps[0].Output) != `{"step":"a"}` {
			t.Error(err, d)
		}
		value, err = o.env.QueryWorkflow("__temporal_workflow_metadata")
		if err == nil {
			err = value.Get(&shown)
		}
		for _, line := range []string{"**running** · 1 of 2 steps ended, 1 running\n", "| a | completed | agent-1 | ", "| b | running | coder | since ", "`" + planTask("b", 0) + "`"} {
			if err != nil || !strings.Contains(shown.GetCurrentDetails(), line) {
				t.Errorf("%v: %q is not in %q", err, line, shown.GetCurrentDetails())
			}
		}
	}, time.Minute)
	o.carryOut(sdk.PlanRequest{Steps: []sdk.PlanStep{step("a"), step("b", needs("a"))}})
}
