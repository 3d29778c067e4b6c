package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// manyNumbers is a list of so many numbers.
func manyNumbers(n int) json.RawMessage {
	return json.RawMessage("[" + strings.Repeat("1,", n-1) + "1]")
}

// TestRunawaysOfAPlan: what the conditions and inputs of all steps cost together is bounded; the outputs have a budget of their own.
func TestRunawaysOfAPlan(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{
		MaxSteps: sdk.MaxPlanSteps, OnFailure: sdk.FailureContinue,
		Inputs:  map[string]json.RawMessage{"numbers": manyNumbers(5000), "language": json.RawMessage(`"Go"`)},
		Outputs: map[string]json.RawMessage{"language": json.RawMessage(`"${{ inputs.language }}"`)},
	}
	for i := range sdk.MaxPlanSteps {
		s := stepOf(fmt.Sprintf("s%d", i))
		if runaway := "inputs.numbers.all(a, inputs.numbers.all(b, a + b > 0))"; i%2 == 0 {
			s.When = runaway
		} else {
			s.Input = json.RawMessage(`{"a": "${{ ` + runaway + ` }}"}`)
		}
		r.Steps = append(r.Steps, s)
	}
	tr := newTrial(t, r)
	if tr.reading != nil {
		t.Error("what was read is kept until something happens")
	}
	p := tr.finish()
	if tr.reading != nil {
		t.Error("what the outputs have read is kept after the end")
	}
	alone, together := 0, 0
	for _, s := range p.Steps {
		switch {
		case s.Status != sdk.StepFailed || s.Error.Code != sdk.CodeExpressionFailed:
			t.Errorf("%s is %s: %v", s.ID, s.Status, s.Error)
		case strings.Contains(s.Error.Message, "of all steps"):
			together++
		default:
			alone++
		}
	}
	if alone < 5 || alone > 10 || together != len(p.Steps)-alone {
		t.Errorf("%d have cost more than one may, %d more than all may", alone, together)
	}
	if string(p.Outputs["language"]) != `"Go"` {
		t.Errorf("the outputs are %s", p.Outputs)
	}
}

// TestPlanRunner_ForgetsWhileBehind: a run that leaves tasks to the next workflow task keeps nothing of what was read until then.
func TestPlanRunner_ForgetsWhileBehind(t *testing.T) {
	t.Parallel()
	first, second := stepOf("first"), stepOf("second", "first")
	second.When = "inputs.numbers.size() == 5"
	tr := newTrial(t, sdk.PlanRequest{Inputs: map[string]json.RawMessage{"numbers": manyNumbers(5)}, Steps: []sdk.PlanStep{first, second}})
	record := endedTask(tr.open["first"], agentAnswer{})
	tr.ended(noon(), record.ID, &record)
	if tr.reading == nil || tr.step("second").Status != sdk.StepReady {
		t.Fatalf("nothing was read: %+v", tr.step("second"))
	}
	run := &planRunner{course: tr.planCourse, asked: maxAsked}
	run.proceed(nil) // which asks Temporal for nothing
	if !run.behind || tr.reading != nil {
		t.Errorf("what was read is kept; behind: %t", run.behind)
	}
}

// TestReworksCost: a step that is sent back pays for its expressions again.
func TestReworksCost(t *testing.T) {
	t.Parallel()
	write, review := stepOf("write"), gated(stepOf("review", "write"), "write")
	write.Input = json.RawMessage(`{"n": "${{ inputs.numbers.map(n, n + 1).size() }}"}`)
	review.Input = write.Input
	most := 10
	review.Gate.MaxReworks = &most
	tr := newTrial(t, sdk.PlanRequest{Inputs: map[string]json.RawMessage{"numbers": manyNumbers(10_000)}, Steps: []sdk.PlanStep{write, review}})
	rounds := 0
	for ; !tr.over() && rounds < most; rounds++ {
		tr.end("write", agentAnswer{Output: json.RawMessage(`{}`)})
		if !tr.over() {
			tr.end("review", missed(`{}`))
		}
	}
	p := tr.finish()
	if p.Status != sdk.StatusFailed || !strings.Contains(p.Error.Message, "of all steps") || rounds < 3 {
		t.Errorf("after %d rounds it is %s: %v", rounds, p.Status, p.Error)
	}
}

// TestPartialOutputsCost: the outputs of a plan that failed share one budget, also those that have no value.
func TestPartialOutputsCost(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{
		Inputs:  map[string]json.RawMessage{"numbers": manyNumbers(5000)},
		Outputs: map[string]json.RawMessage{"a": json.RawMessage(`"${{ 1 + 1 }}"`), "z": json.RawMessage(`"${{ 1 + 1 }}"`), "zz": json.RawMessage(`2`)},
		Steps:   []sdk.PlanStep{stepOf("one")},
	}
	for i := range 100 {
		r.Outputs[fmt.Sprintf("b%d", i)] = json.RawMessage(`"${{ inputs.numbers.filter(n, n == 1)[0] / 0 }}"`)
	}
	tr := newTrial(t, r)
	tr.end("one", agentAnswer{Fail: sdk.CodeAgentFailed})
	p := tr.finish()
	if got, _ := json.Marshal(p.Outputs); string(got) != `{"a":2,"zz":2}` {
		t.Errorf("the outputs are %s", got)
	}
}
