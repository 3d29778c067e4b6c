package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestControl_ThinksOfLargePlansInTime: what a plan can ask for between two events of its run is done before the worker takes the run for
// stuck. The race detector makes that five to ten times slower.
func TestControl_ThinksOfLargePlansInTime(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]sdk.PlanRequest{"conditions": costly(60), "needs": entangled(450), "reads": reading(400)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestWorkflowEnvironment()
			env.SetTestTimeout(time.Minute)
			env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: 4 * ControlConfig{}.options(nil).DeadlockDetectionTimeout})
			env.SetDataConverter(workflows.DataConverter())
			env.RegisterWorkflowWithOptions(workflows.Plan, workflow.RegisterOptions{Name: workflows.PlanWorkflow})
			env.RegisterWorkflowWithOptions(func(_ workflow.Context, in workflows.TaskInput) (sdk.Task, error) {
				task := workflows.NewTask(in, in.CreatedAt)
				task.Status, task.Result = sdk.StatusFailed, &sdk.Result{Error: &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: "no"}}
				return task, nil
			}, workflow.RegisterOptions{Name: workflows.TaskWorkflow})
			env.RegisterActivityWithOptions(func(activities.PublishEventsInput) error { return nil }, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
			r.Title, r.MaxSteps, r.OnFailure = name, sdk.MaxPlanSteps, sdk.FailureContinue
			env.ExecuteWorkflow(workflows.PlanWorkflow, workflows.PlanInput{Project: "p", ID: "p1", Request: r})
			var plan sdk.Plan
			if err := planEnd(env.GetWorkflowError(), &plan); err != nil || plan.Error == nil || plan.Error.Code != sdk.CodeStepFailed || len(plan.Steps) != len(r.Steps) {
				t.Fatalf("%v: %s %v", err, plan.Status, plan.Error)
			}
		})
	}
}

// planEnd reads the record of a run that failed.
func planEnd(err error, into *sdk.Plan) error {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Details(into)
	}
	return err
}

// costly is a plan with as many conditions, each of which costs all that it may, and has no value then.
func costly(conditions int) (r sdk.PlanRequest) {
	list := make([]int, 500)
	raw, _ := json.Marshal(list)
	r.Inputs = map[string]json.RawMessage{"list": raw}
	for i := range conditions {
		r.Steps = append(r.Steps, sdk.PlanStep{
			ID: fmt.Sprintf("s%d", i), Type: sdk.TypeCodeWrite, Title: "Costly", When: "inputs.list.all(x, inputs.list.all(y, x + y == 0))",
		})
	}
	return r
}

// reading is a plan with as many conditions, each of which reads the largest input that there can be.
func reading(conditions int) (r sdk.PlanRequest) {
	raw, _ := json.Marshal(strings.Repeat("x", sdk.MaxPlanInputs-100))
	r.Inputs = map[string]json.RawMessage{"text": raw}
	for i := range conditions {
		r.Steps = append(r.Steps, sdk.PlanStep{ID: fmt.Sprintf("s%d", i), Type: sdk.TypeCodeWrite, Title: "Reading", When: `inputs.text == ""`})
	}
	return r
}

// entangled is a plan of 49 steps that need nothing, and others, each of which needs all of those and the one that comes next.
func entangled(others int) (r sdk.PlanRequest) {
	var roots []string
	for i := range sdk.MaxStepNeeds - 1 {
		roots = append(roots, fmt.Sprintf("r%d", i))
		r.Steps = append(r.Steps, sdk.PlanStep{ID: roots[i], Type: sdk.TypeCodeWrite, Title: "Root"})
	}
	for i := range others {
		s := sdk.PlanStep{ID: fmt.Sprintf("s%d", i), Type: sdk.TypeCodeWrite, Title: "Other", Needs: slices.Clone(roots)}
		if i < others-1 {
			s.Needs = append(s.Needs, fmt.Sprintf("s%d", i+1))
		}
		r.Steps = append(r.Steps, s)
	}
	return r
}
