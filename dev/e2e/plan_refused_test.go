package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestPlansThatAreRefused: what is wrong with a plan is said before any of it begins, all of it at once and where it is.
func TestPlansThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	const write = `{"id":"write","type":"code.write","title":"Write"}`
	steps := func(list ...string) string { return `{"title":"A plan","steps":[` + strings.Join(list, ",") + `]}` }
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"s%d","type":"code.write","title":"One of many"}`, i)
	}
	for name, test := range map[string]struct {
		body string
		want [][2]string // of each fault, the beginning of its path and a part of what it says
	}{
		"a cycle": {
			steps(`{"id":"write","type":"code.write","title":"Write","needs":["test"]}`,
				`{"id":"review","type":"code.review","title":"Review","needs":["write"]}`,
				`{"id":"test","type":"code.test","title":"Test","needs":["review"]}`),
			[][2]string{{"$.steps", "each needs the next"}},
		},
		"a step that needs itself": {
			steps(`{"id":"write","type":"code.write","title":"Write","needs":["write"]}`), [][2]string{{"$.steps[0].needs", "write"}},
		},
		"an unknown step that is needed": {
			steps(write, `{"id":"test","type":"code.test","title":"Test","needs":["write","nobody"]}`), [][2]string{{"$.steps[1].needs[1]", "nobody"}},
		},
		"an unknown step that is read": {
			steps(write, `{"id":"test","type":"code.test","title":"Test","needs":["write"],"input":{"a":["${{ steps.nobody.output }}"]}}`),
			[][2]string{{"$.steps[1].input.a[0]", "nobody"}},
		},
		"a step that is read and not needed": {
			steps(write, `{"id":"test","type":"code.test","title":"Test","when":"steps.write.output.good"}`), [][2]string{{"$.steps[1].when", "write"}},
		},
		"several": {
			`{"title":"A plan","steps":[` + write + `,
				{"id":"test","type":"code.test","title":"Test","needs":["nobody"],"when":"1 +"},
				{"id":"review","type":"code.review","title":"Review","input":{"x":"${{ nothing }}"},"gate":{"rework":"write"}}],
				"outputs":{"x":"${{ steps.gone.output }}"},"maxParallel":99}`,
			[][2]string{
				{"$.steps[1].needs[0]", "nobody"}, {"$.steps[1].when", ""}, {"$.steps[2].input.x", "nothing"}, {"$.steps[2].gate", "write"},
				{"$.outputs.x", "gone"}, {"$.maxParallel", "50"},
			},
		},
		"51 steps":            {steps(many...), [][2]string{{"$.steps", "50"}}},
		"no steps, no goal":   {`{"title":"A plan"}`, [][2]string{{"$", "goal"}}},
		"a budget":            {`{"title":"A plan","steps":[` + write + `],"budget":{"usd":1}}`, [][2]string{{"$.budget", ""}}},
		"two of one id":       {steps(write, write), [][2]string{{"$.steps[1].id", "write"}}},
		"too much to run":     {reworkedTooOften(), [][2]string{{"$.steps", "500"}}},
		"feedback of its own": {steps(`{"id":"write","type":"code.write","title":"Write","input":{"feedback":1}}`, `{"id":"review","type":"code.review","title":"Review","needs":["write"],"gate":{"rework":"write"}}`), [][2]string{{"$.steps[0].input", "feedback"}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post("/v1/plans", test.body)
			if a.status != http.StatusUnprocessableEntity || a.problem.Code != sdk.CodeInvalidInput || len(a.problem.Errors) != len(test.want) {
				t.Fatalf("answered %d %+v, want %d faults", a.status, a.problem, len(test.want))
			}
			for _, want := range test.want {
				found := false
				for _, f := range a.problem.Errors {
					found = found || strings.HasPrefix(f.Path, want[0]) && strings.Contains(f.Message, want[1])
				}
				if !found {
					t.Errorf("no fault at %s says %q: %+v", want[0], want[1], a.problem.Errors)
				}
			}
			if name == "a cycle" && !strings.Contains(a.problem.Errors[0].Message, "write → test → review → write") {
				t.Errorf("the cycle is %q", a.problem.Errors[0].Message)
			}
		})
	}
	page, err := s.client.ListPlans(t.Context(), sdk.PlanFilter{}, "")
	if s.do(err); len(page.Items) > 0 {
		t.Errorf("there are plans: %+v", page.Items)
	}
}

// reworkedTooOften is a plan of 46 steps that can all be sent back ten times: 506 tasks.
func reworkedTooOften() string {
	list := []string{`{"id":"s0","type":"code.write","title":"First"}`}
	for i := 1; i < 45; i++ {
		list = append(list, fmt.Sprintf(`{"id":"s%d","type":"code.write","title":"Between","needs":["s0"]}`, i))
	}
	list = append(list, `{"id":"gate","type":"code.review","title":"Review","needs":["s1"],"gate":{"rework":"s0","maxReworks":10}}`)
	return `{"title":"A plan","steps":[` + strings.Join(list, ",") + `]}`
}

// TestARunawayExpressionFailsItsStep: an expression that would go on for hours ends with its budget, and holds up nothing.
func TestARunawayExpressionFailsItsStep(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.inProcess("coder-1", 2, byTitle{})
	numbers := strings.TrimSuffix(strings.Repeat("7,", 200), ",")
	const runaway = `inputs.n.all(a, inputs.n.all(b, inputs.n.all(c, inputs.n.all(d, inputs.n.all(e, a + b + c + d + e > 0)))))`
	inInput, inWhen := coding("input", "first"), coding("when", "first")
	inInput.Input, inWhen.When = json.RawMessage(`{"x":"${{ `+runaway+` }}"}`), runaway
	p := s.plans(sdk.PlanRequest{
		Title: t.Name(), OnFailure: sdk.FailureContinue, Inputs: rawJSON(map[string]string{"n": "[" + numbers + "]"}),
		Steps: []sdk.PlanStep{coding("first"), inInput, inWhen, coding("last", "first")},
	})
	plan := p.outcome()
	p.wantStands(plan, sdk.StatusFailed, "first completed", "input failed", "when failed", "last completed")
	for _, step := range []string{"input", "when"} {
		if s := plan.Step(step); s.Error == nil || s.Error.Code != sdk.CodeExpressionFailed || s.TaskID != "" {
			t.Errorf("the step %+v, error %v", s, s.Error)
		}
	}
	if took := plan.CompletedAt.Sub(plan.CreatedAt); took > busy(10*time.Second) {
		t.Errorf("the plan took %s", took)
	}
	p.neverStalled()
}

// neverStalled checks that no workflow task of the plan's run failed or ran out of time.
func (p *planned) neverStalled() {
	p.t.Helper()
	h, err := historyOf(p.t.Context(), p.stack.Temporal(), workflows.PlanWorkflowID(p.project, p.id))
	p.do(err)
	for _, e := range h.GetEvents() {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			p.t.Errorf("event %d of the run is a %s", e.GetEventId(), e.GetEventType())
		default: // as it should be
		}
	}
}

// TestPlansWithLargeOutputs: what is larger than a plan holds of one step fails that step, and its task has it; what is larger than a result may be fails
// the task; and an answer has as many outputs as go into a mebibyte.
func TestPlansWithLargeOutputs(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	ofSize := func(n int) func(context.Context) (*sdk.Result, error) {
		return func(context.Context) (*sdk.Result, error) { return answers(strings.Repeat("x", n-2)) }
	}
	work := byTitle{"over": ofSize(300 << 10), "far-over": ofSize(5 << 20), "whole": ofSize(sdk.MaxStepOutput)}
	steps := []sdk.PlanStep{coding("over"), coding("far-over"), coding("whole")}
	want := []string{"over failed", "far-over failed", "whole completed"}
	for i := range 5 {
		id := fmt.Sprintf("large-%d", i)
		work[id] = ofSize(200 << 10)
		steps, want = append(steps, coding(id)), append(want, id+" completed")
	}
	s.inProcess("coder-1", 8, work)
	p := s.plans(sdk.PlanRequest{
		Title: t.Name(), OnFailure: sdk.FailureContinue, Steps: steps, Outputs: rawJSON(map[string]string{"size": `"${{ size(steps.whole.output) }}"`}),
	})
	plan := p.outcome()
	p.wantStands(plan, sdk.StatusFailed, want...)
	if string(plan.Outputs["size"]) != fmt.Sprint(sdk.MaxStepOutput-2) {
		t.Errorf("the outputs are %s", plan.Outputs)
	}
	for step, status := range map[string]sdk.Status{"over": sdk.StatusCompleted, "far-over": sdk.StatusFailed} {
		s := plan.Step(step)
		if s.Error == nil || s.Error.Code != sdk.CodePayloadTooLarge || len(s.Output) > 0 {
			t.Errorf("the step %s failed with %v, and %d bytes of output", step, s.Error, len(s.Output))
		}
		task, err := p.client.GetTask(t.Context(), s.TaskID)
		if p.do(err); task.Status != status || step == "over" && len(task.Result.Output) != 300<<10 {
			t.Errorf("the task of %s is %s, with %d bytes of output", step, task.Status, len(task.Result.Output))
		}
	}
	all, omitted := 0, 0
	for _, s := range plan.Steps {
		all += len(s.Output)
		if s.OutputOmitted {
			omitted++
			task, err := p.client.GetTask(t.Context(), s.TaskID)
			if p.do(err); len(task.Result.Output) != 200<<10 || len(s.Output) > 0 {
				t.Errorf("the output of %s is left out, its task has %d bytes", s.ID, len(task.Result.Output))
			}
		}
	}
	if omitted != 2 || all > 1<<20 { // 256 KiB and three times 200 KiB are there
		t.Errorf("%d outputs are left out, and %d bytes are there", omitted, all)
	}
	p.neverStalled()
}
