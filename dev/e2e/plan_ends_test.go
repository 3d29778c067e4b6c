package e2e_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// runOf describes the plan's run.
func (p *planned) runOf() *workflowpb.WorkflowExecutionInfo {
	p.t.Helper()
	described, err := p.stack.Temporal().DescribeWorkflowExecution(p.t.Context(), workflows.PlanWorkflowID(p.project, p.id), "")
	p.do(err)
	return described.GetWorkflowExecutionInfo()
}

// byTitle is a handler that does each task as its title says; any other is done at once, with its title as the output.
type byTitle map[string]func(ctx context.Context) (*sdk.Result, error)

// Handle implements [sdk.Handler].
func (b byTitle) Handle(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	if do := b[a.Task.Title]; do != nil {
		return do(ctx)
	}
	return answers(a.Task.Title)
}

// coding is a step of a plan whose title is its id.
func coding(id string, needs ...string) sdk.PlanStep {
	return sdk.PlanStep{ID: id, Type: sdk.TypeCodeWrite, Title: id, Needs: needs}
}

// TestPlanFails does a plan of which a step fails, with both policies.
func TestPlanFails(t *testing.T) {
	t.Parallel()
	for policy, want := range map[sdk.FailurePolicy]struct {
		steps   []string
		outputs map[string]string
		because map[string]string
	}{
		sdk.FailureStop: {
			steps:   []string{"broken failed", "slow completed", "after skipped", "never skipped", "report skipped"},
			outputs: map[string]string{"slow": `"slow"`},
			because: map[string]string{"after": "the plan stopped: broken failed", "never": "the plan stopped: broken failed", "report": "the plan stopped: broken failed"},
		},
		sdk.FailureContinue: {
			steps:   []string{"broken failed", "slow completed", "after completed", "never skipped", "report completed"},
			outputs: map[string]string{"slow": `"slow"`, "after": `"after"`},
			because: map[string]string{"never": "broken"},
		},
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sharedStack(t))
			goOn := make(chan struct{})
			s.inProcess("coder-1", 4, byTitle{
				"broken": func(context.Context) (*sdk.Result, error) {
					return nil, sdk.Final("broken_tool", errors.New("it broke"))
				},
				"slow": func(ctx context.Context) (*sdk.Result, error) {
					select {
					case <-goOn:
						return answers("slow")
					case <-ctx.Done():
						return nil, context.Cause(ctx)
					}
				},
			})
			report := coding("report", "broken")
			report.When = `steps.broken.status == "failed"`
			p := s.plans(sdk.PlanRequest{
				Title: t.Name(), OnFailure: policy, Steps: []sdk.PlanStep{coding("broken"), coding("slow"), coding("after", "slow"), coding("never", "broken"), report},
				Outputs: rawJSON(map[string]string{
					"slow": `"${{ steps.slow.output }}"`, "after": `"${{ steps.after.output }}"`, "broken": `"${{ steps.broken.output }}"`, "both": `"${{ steps.slow.output + steps.never.output }}"`,
				}),
			})
			if now := p.reaches("broken", sdk.StepFailed); now.Status != sdk.StatusRunning {
				t.Errorf("while a step runs the plan is %s", now.Status)
			}
			close(goOn)
			plan := p.outcome()
			p.wantStands(plan, sdk.StatusFailed, want.steps...)
			if e := plan.Error; e == nil || e.Code != sdk.CodeStepFailed || !strings.Contains(e.Message, "broken") {
				t.Errorf("the plan failed with %v", e)
			}
			if e := plan.Step("broken").Error; e == nil || e.Code != "broken_tool" || e.Message != "it broke" {
				t.Errorf("the step failed with %v", e)
			}
			if diff := cmp.Diff(rawJSON(want.outputs), plan.Outputs); diff != "" {
				t.Errorf("the outputs: %s", diff)
			}
			for step, because := range want.because {
				if got := plan.Step(step).SkippedBecause; !strings.Contains(got, because) {
					t.Errorf("%s is skipped because %q, want %q", step, got, because)
				}
			}
			if got := p.runOf().GetStatus(); got != enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
				t.Errorf("the run is %s", got)
			}
		})
	}
}

// TestPlanIsCancelled cancels a plan of which steps run: their agents are stopped, what succeeds all the same stays, and nothing else begins.
func TestPlanIsCancelled(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	stops := func(ctx context.Context) (*sdk.Result, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	s.inProcess("coder-1", 4, byTitle{"one": stops, "two": stops, "nearly": func(ctx context.Context) (*sdk.Result, error) {
		<-ctx.Done()
		return answers("done all the same")
	}})
	p := s.plans(sdk.PlanRequest{
		Title: t.Name(), Steps: []sdk.PlanStep{coding("first"), coding("one", "first"), coding("two", "first"), coding("nearly", "first"), coding("after", "one", "nearly")},
		Outputs: rawJSON(map[string]string{"first": `"${{ steps.first.output }}"`, "one": `"${{ steps.one.output }}"`, "nearly": `"${{ steps.nearly.output }}"`}),
	})
	for _, step := range []string{"one", "two", "nearly"} {
		task := p.reaches(step, sdk.StepRunning).Step(step).TaskID
		p.is("the task of "+step, task, func(task *sdk.Task) bool { return task.Status == sdk.StatusRunning })
	}
	_, err := p.client.CancelPlan(t.Context(), p.id, "changed my mind")
	p.do(err)
	plan := p.outcome()
	p.wantStands(plan, sdk.StatusCancelled, "first completed", "one cancelled", "two cancelled", "nearly completed", "after skipped")
	if e := plan.Error; e == nil || e.Code != sdk.CodeCancelled || e.Message != "changed my mind" {
		t.Errorf("the plan was cancelled with %v", e)
	}
	if got := plan.Step("after").SkippedBecause; got != "the plan was cancelled" {
		t.Errorf("the last step is skipped because %q", got)
	}
	if diff := cmp.Diff(rawJSON(map[string]string{"first": `"first"`, "nearly": `"done all the same"`}), plan.Outputs); diff != "" {
		t.Errorf("the outputs: %s", diff)
	}
	for _, step := range []string{"one", "two"} {
		p.wantCancelled(plan.Step(step).TaskID, true)
	}
	if got := p.runOf().GetStatus(); got != enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED {
		t.Errorf("the run is %s", got)
	}
	if again, err := p.client.CancelPlan(t.Context(), p.id, "once more"); err != nil || again.Status != sdk.StatusCancelled || again.Error.Message != "changed my mind" {
		t.Errorf("cancelled again it is %+v, %v", again, err)
	}
}
