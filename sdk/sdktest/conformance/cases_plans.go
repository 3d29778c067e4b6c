package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// plans are the cases of plans.
func plans() map[string]func(*scene) {
	return map[string]func(*scene){
		"a plan hands results on":             handsOn,
		"a gate sends work of a plan back":    sendsBack,
		"a gate has no rework left":           sendsNothingBack,
		"a plan stops at a failure":           stopsAtFailure,
		"a plan goes on after a failure":      goesOnAfterFailure,
		"a step has no value for its input":   hasNoValue,
		"a plan is cancelled":                 cancelsPlan,
		"a plan asks for its steps":           asksForSteps,
		"a plan asks for its steps in vain":   asksForStepsInVain,
		"plans that are refused":              refusesPlans,
		"the same plan again":                 replaysPlan,
		"an unknown plan, and a wait in vain": knowsNoPlan,
		"lists of plans":                      listsPlans,
		"the story of a plan":                 tellsPlan,
	}
}

// handsOn lets values go from step to step with their types, and conditions choose.
func handsOn(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", echoing())
	s.Agent(sdk.RoleReviewer, "rob", echoing())
	s.Agent(sdk.RoleDocumenter, "doc", echoing())
	plan := s.plan([]sdk.PlanStep{
		step("report", sdk.TypeCodeDocument, needing("review", "test"), when(`steps.test.status == "skipped"`),
			given(`{"review":"${{ steps.review.output.code.n }}","test":"${{ steps.test.status }}","tested":"${{ steps.test.output }}"}`)),
		step("write", sdk.TypeCodeWrite, given(`{"language":"${{ inputs.language }}","n":"${{ 1 + 2 }}","text":"in ${{ inputs.language }}: ${{ [1, 2] }}, $${{ x }}"}`)),
		step("review", sdk.TypeCodeReview, needing("write"), when("steps.write.output.n == 3"), given(`{"code":"${{ steps.write.output }}"}`)),
		step("test", sdk.TypeCodeTest, needing("write"), when("steps.write.output.n > 3")),
		step("after", sdk.TypeCodeTest, needing("test")),
	}, func(r *sdk.PlanRequest) {
		r.Inputs = s.values(`{"language":"Go"}`)
		r.Outputs = s.values(`{"language":"${{ steps.write.output.language }}","all":["${{ steps.report.output }}",1]}`)
	})
	ended := s.planEnded(plan.ID)
	s.stood(ended, sdk.StatusCompleted, "report completed", "write completed", "review completed", "test skipped", "after skipped")
	s.likePlan("hands_on", ended)
	ids := []string{ended.Step("report").TaskID, ended.Step("write").TaskID, ended.Step("review").TaskID}
	s.listed("the plan's tasks", sdk.TaskFilter{PlanID: plan.ID}, false, slices.Clone(ids)...)
	for _, id := range ids {
		task, err := s.client.GetTask(s.Context(), id)
		s.do(err)
		if task.PlanID != plan.ID || task.FairnessKey != plan.ID || task.ParentID != "" {
			s.Errorf("the task of a plan is of plan %q, with the fairness key %q and the parent %q", task.PlanID, task.FairnessKey, task.ParentID)
		}
	}
}

// reviewed is a plan whose second step judges the first, and sends it back.
func reviewed(s *scene, reworks int) *sdk.Plan {
	s.Agent(sdk.RoleCoder, "ann", echoing())
	s.Agent(sdk.RoleDevOps, "dev", echoing())
	s.Agent(sdk.RoleReviewer, "rob", answering(
		sdk.Result{Output: json.RawMessage(`{"summary":"no tests"}`), QualityGatePassed: pointer(false), QualityGate: json.RawMessage(`{"score":40}`)},
		sdk.Result{Output: json.RawMessage(`{"summary":"fine"}`), QualityGatePassed: pointer(true)},
	))
	return s.planEnded(s.plan([]sdk.PlanStep{
		step("write", sdk.TypeCodeWrite, given(`{"n":1}`)),
		step("review", sdk.TypeCodeReview, needing("write"), func(p *sdk.PlanStep) { p.Gate = &sdk.Gate{Rework: "write", MaxReworks: &reworks} }),
		step("deploy", sdk.TypeDevOpsDeploy, needing("review"), given(`{"code":"${{ steps.write.output }}"}`)),
	}).ID)
}

func sendsBack(s *scene) {
	plan := reviewed(s, 1)
	s.stood(plan, sdk.StatusCompleted, "write completed", "review completed", "deploy completed")
	s.likePlan("sends_back", plan)
	s.eventually("a task for every run of a step", func() error {
		page, err := s.client.ListTasks(s.Context(), sdk.TaskFilter{PlanID: plan.ID}, "")
		if err == nil && len(page.Items) != 5 {
			err = fmt.Errorf("there are %d", len(page.Items))
		}
		return err
	})
}

func sendsNothingBack(s *scene) {
	plan := reviewed(s, 0)
	s.stood(plan, sdk.StatusFailed, "write completed", "review failed", "deploy skipped")
	s.likePlan("sends_nothing_back", plan)
}

// failedHalf is a plan of two arms, of which one fails while the other is at work.
func failedHalf(s *scene, policy sdk.FailurePolicy) *sdk.Plan {
	gate := sdktest.NewGate()
	s.Agent(sdk.RoleCoder, "ann", failing())
	s.Agent(sdk.RoleTester, "tess", sdktest.Script(sdktest.Attempt().Until(gate).Complete("tested")))
	s.Agent(sdk.RoleDocumenter, "doc", echoing())
	plan := s.plan([]sdk.PlanStep{
		step("write", sdk.TypeCodeWrite),
		step("test", sdk.TypeCodeTest),
		step("deploy", sdk.TypeDevOpsDeploy, needing("write")),
		step("document", sdk.TypeCodeDocument, needing("test"), given(`"${{ steps.test.output }}"`)),
	}, func(r *sdk.PlanRequest) {
		r.OnFailure = policy
		r.Outputs = s.values(`{"test":"${{ steps.test.output }}","write":"${{ steps.write.output }}","how":"${{ steps.document.status }}"}`)
	})
	s.stepIs(plan.ID, "write", sdk.StepFailed)
	gate.Open()
	return s.planEnded(plan.ID)
}

func stopsAtFailure(s *scene) {
	plan := failedHalf(s, sdk.FailureStop)
	s.stood(plan, sdk.StatusFailed, "write failed", "test completed", "deploy skipped", "document skipped")
	s.likePlan("stops_at_failure", plan)
	if e, ok := errors.AsType[*sdk.TaskError](plan.Err()); !ok || e.Code != sdk.CodeStepFailed {
		s.Errorf("the plan's error is %v", plan.Err())
	}
}

func goesOnAfterFailure(s *scene) {
	plan := failedHalf(s, sdk.FailureContinue)
	s.stood(plan, sdk.StatusFailed, "write failed", "test completed", "deploy skipped", "document completed")
	s.likePlan("goes_on_after_failure", plan)
}

// hasNoValue reads a field that is not there: the step fails without a task.
func hasNoValue(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", echoing())
	plan := s.planEnded(s.plan([]sdk.PlanStep{
		step("write", sdk.TypeCodeWrite, given(`{"n":1}`)),
		step("test", sdk.TypeCodeTest, needing("write"), given(`{"m":"${{ steps.write.output.m }}"}`)),
		step("review", sdk.TypeCodeReview, needing("write"), when("steps.write.output.n")),
	}, func(r *sdk.PlanRequest) { r.OnFailure = sdk.FailureContinue }).ID)
	s.stood(plan, sdk.StatusFailed, "write completed", "test failed", "review failed")
	for _, id := range []string{"test", "review"} {
		if step := plan.Step(id); step.TaskID != "" || step.Error == nil || step.Error.Code != sdk.CodeExpressionFailed {
			s.Errorf("a step without a value is %+v, with %+v", step, step.Error)
		}
	}
}

func cancelsPlan(s *scene) {
	s.Agent(sdk.RoleCoder, "ann", sdktest.Script(sdktest.Attempt().Progress(50, "writing").UntilStopped()))
	s.Agent(sdk.RoleReviewer, "rob", echoing())
	plan := s.plan([]sdk.PlanStep{
		step("read", sdk.TypeCodeReview, given(`{"n":1}`)),
		step("write", sdk.TypeCodeWrite, needing("read")),
		step("test", sdk.TypeCodeTest, needing("write")),
	}, func(r *sdk.PlanRequest) { r.Outputs = s.values(`{"read":"${{ steps.read.output.n }}"}`) })
	s.half(s.stepIs(plan.ID, "write", sdk.StepRunning).TaskID)
	for range 2 {
		if _, err := s.client.CancelPlan(s.Context(), plan.ID, "not needed any more"); err != nil {
			s.Error(err)
		}
	}
	ended := s.planEnded(plan.ID)
	s.stood(ended, sdk.StatusCancelled, "read completed", "write cancelled", "test skipped")
	s.likePlan("cancels_plan", ended)
	if task := s.ended(ended.Step("write").TaskID); task.Status != sdk.StatusCancelled || task.Err().Error() != "cancelled: not needed any more" {
		s.Errorf("the task that ran is %s, %v", task.Status, task.Err())
	}
	again, err := s.client.CancelPlan(s.Context(), plan.ID, "once more")
	s.do(err)
	if again.Status != sdk.StatusCancelled || !again.CompletedAt.Equal(*ended.CompletedAt) || again.Error.Message != ended.Error.Message {
		s.Errorf("cancelled after its end it is %s with %+v", again.Status, again.Error)
	}
}

// asksForSteps lets a coordinator answer what is no plan, and then one in a text.
func asksForSteps(s *scene) {
	asked := make(chan sdk.Task, 10)
	answers := answering(
		sdk.Result{Output: json.RawMessage(`{"steps":[{"id":"write","type":"code.write","title":"Write it","needs":["think"]}]}`)},
		sdk.Result{Output: json.RawMessage(`{"text":"Here it is:\n` + "```json" + `\n{\"steps\":[{\"id\":\"write\",\"type\":\"code.write\",\"title\":\"Write it\",\"input\":{\"n\":\"${{ inputs.n }}\"}}],` +
			`\"outputs\":{\"code\":\"${{ steps.write.output.n }}\"}}\n` + "```" + `\n"}`)},
	)
	s.Agent(sdk.RoleCoordinator, "cora", sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		asked <- a.Task
		return answers.Handle(ctx, a, r)
	}))
	s.Agent(sdk.RoleCoder, "ann", echoing())
	plan := s.planEnded(s.plan(nil, func(r *sdk.PlanRequest) {
		r.Goal, r.Inputs, r.MaxSteps = "A parser.", s.values(`{"n":7}`), 5
	}).ID)
	s.stood(plan, sdk.StatusCompleted, "write completed")
	s.likePlan("asks_for_steps", plan)
	first, second := <-asked, <-asked
	var input struct {
		Goal     string                     `json:"goal"`
		Inputs   map[string]json.RawMessage `json:"inputs"`
		MaxSteps int                        `json:"maxSteps"`
		Roles    []struct{ Role sdk.Role }  `json:"roles"`
		Types    []struct{ Type string }    `json:"types"`
		Faults   []sdk.Fault                `json:"faults"`
		Previous json.RawMessage            `json:"previous"`
	}
	s.do(json.Unmarshal(first.Input, &input))
	if input.Goal != "A parser." || string(input.Inputs["n"]) != "7" || input.MaxSteps != 5 || len(input.Roles) == 0 || len(input.Types) == 0 || len(input.Faults) != 0 {
		s.Errorf("the coordinator was asked with %s", first.Input)
	}
	if first.Type != sdk.TypePlanFeature || first.PlanID != plan.ID || first.Description == "" || !slices.Equal(plan.PlanningTaskIDs, []string{first.ID, second.ID}) {
		s.Errorf("the planning tasks are %q, the first of them %s of plan %q", plan.PlanningTaskIDs, first.Type, first.PlanID)
	}
	s.do(json.Unmarshal(second.Input, &input))
	if len(input.Faults) != 1 || input.Faults[0].Path != "$.steps[0].needs[0]" || len(input.Previous) == 0 {
		s.Errorf("after a faulty answer it was asked with %s", second.Input)
	}
}

func asksForStepsInVain(s *scene) {
	s.Agent(sdk.RoleCoordinator, "cora", sdktest.Script(sdktest.Attempt().Complete("I do not know.")))
	plan := s.planEnded(s.plan(nil, func(r *sdk.PlanRequest) { r.Goal = "A parser." }).ID)
	s.stood(plan, sdk.StatusFailed)
	if len(plan.PlanningTaskIDs) != sdk.MaxPlannings || plan.Error == nil || plan.Error.Code != sdk.CodeInvalidPlan {
		s.Errorf("after %d answers that are no plan its error is %+v", len(plan.PlanningTaskIDs), plan.Error)
	}
}

func knowsNoPlan(s *scene) {
	const id = "unknown"
	_, err := s.client.GetPlan(s.Context(), id)
	s.code("get", err, sdk.CodeNotFound)
	_, err = s.client.CancelPlan(s.Context(), id, "")
	s.code("cancel", err, sdk.CodeNotFound)
	_, err = s.client.WaitForPlan(s.Context(), id)
	s.code("wait", err, sdk.CodeNotFound)
	for _, err := range s.client.PlanEvents(s.Context(), id) {
		s.code("events", err, sdk.CodeNotFound)
	}
	_, err = s.client.GetPlan(s.Context(), s.delegate().ID)
	s.code("the id of a task", err, sdk.CodeNotFound)

	plan := s.plan([]sdk.PlanStep{step("test", sdk.TypeCodeTest)})
	s.stepIs(plan.ID, "test", sdk.StepRunning) // its task waits for an agent
	ctx, cancel := context.WithTimeout(s.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := s.client.WaitForPlan(ctx, plan.ID); !errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("the wait ended with %v", err)
	}
	if now, err := s.client.GetPlan(s.Context(), plan.ID); err != nil || now.Status != sdk.StatusRunning {
		s.Errorf("the plan is %+v, %v", now, err)
	}
}
