package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planFaults is every fault of a plan as a line.
func planFaults(t testing.TB, r sdk.PlanRequest) (lines []string) {
	t.Helper()
	err := CheckPlan(r)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeInvalidInput {
		t.Fatalf("%T %v, want an *sdk.Error of code invalid_input", err, err)
	}
	for _, f := range e.Faults {
		lines = append(lines, f.Path+" "+f.Message)
	}
	return lines
}

func planOf(t testing.TB, text string) (r sdk.PlanRequest) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCheckPlan: of a plan everything is said at once, what is wrong with its fields, its graph and its expressions.
func TestCheckPlan(t *testing.T) {
	t.Parallel()
	const documented = `{
		"title": "Write a parser, reviewed and tested", "inputs": {"language": "Go"},
		"steps": [
			{"id": "write", "type": "code.write", "title": "Write the parser", "input": {"language": "${{ inputs.language }}"}},
			{"id": "review", "type": "code.review", "title": "Review the parser", "needs": ["write"], "input": {"code": "${{ steps.write.output }}"}, "gate": {"rework": "write", "maxReworks": 1}},
			{"id": "test", "type": "code.test", "title": "Test the parser", "needs": ["write"], "input": {"code": "${{ steps.write.output }}"}},
			{"id": "document", "type": "code.document", "title": "Document the parser", "needs": ["review", "test"], "when": "steps.test.output.passed == true",
			 "input": {"code": "${{ steps.write.output }}", "notes": "Reviewed: ${{ steps.review.output.summary }}"}}
		],
		"outputs": {"parser": "${{ steps.write.output }}", "docs": "${{ steps.document.output }}"}}`
	for name, test := range map[string]struct {
		plan string
		want []string
	}{
		"the documented one":                           {documented, nil},
		"a goal and outputs of steps that are to come": {`{"title": "t", "goal": "g", "outputs": {"a": "${{ steps.later.output }}"}}`, nil},
		"everything": {
			`{"title": "", "inputs": {"a": 1},
			"steps": [
				{"id": "a", "type": "code.write", "title": "t", "needs": ["z"], "when": "steps.b.output == 1 ||", "input": "${{ inputs.a + inputs.b }}"},
				{"id": "b", "type": "code.write", "title": "t", "needs": ["c"], "when": "steps.a.status == 'failed' && steps.c.output == null", "input": {"x": ["${{ steps.b.output }} ${{ steps.q.output }}", "${{ has(inputs.c) ? inputs.c : 1 }}"]}},
				{"id": "c", "type": "code.write", "title": "t", "needs": ["b"], "when": "steps.size() > 1"}
			],
			"outputs": {"o": {"x": "${{ steps.q.status }}"}, "l": ["${{ inputs['b c'] }}", "${{"], "a b": "${{ 1 + }}"}}`,
			[]string{
				"$.title is required", `$.steps[0].needs[0] "z" is no step of this plan`, "$.steps[1].needs is a cycle, each needs the next: b → c → b",
				"$.steps[0].when is no CEL expression: column 23: Syntax error: mismatched input",
				"$.steps[0].input reads inputs.b, which the plan does not have: add it to inputs, or ask with has(inputs.b)",
				`$.steps[1].when reads the step "a", which this step does not need: add it to needs, so that it has ended`,
				"$.steps[1].input.x[0] reads the step itself, which has not ended then",
				`$.steps[1].input.x[0] reads the step "q", which is not in this plan`,
				"$.steps[2].when reads steps without the id of one and what of it: write steps.<id>.output or steps.<id>.status",
				`$.outputs["a b"] is no CEL expression: column 4: Syntax error: mismatched input`,
				"$.outputs.l[1] has a ${{ without its }}: close it, or write $${{ where no expression is meant",
				`$.outputs.l[0] reads inputs.b c, which the plan does not have: add it to inputs, or ask with has(inputs.b c)`,
				`$.outputs.o.x reads the step "q", which is not in this plan`,
			},
		},
		"through others": {
			`{"title": "t", "steps": [{"id": "a", "type": "code.write", "title": "t"}, {"id": "b", "type": "code.write", "title": "t", "needs": ["a"]},
			{"id": "c", "type": "code.write", "title": "t", "needs": ["b"], "input": "${{ steps.a.output }}", "when": "steps[\"a\"].status == \"completed\""}]}`, nil,
		},
	} {
		got := planFaults(t, planOf(t, test.plan))
		if len(got) != len(test.want) {
			t.Errorf("%s: %s", name, cmp.Diff(test.want, got))
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], test.want[i]) {
				t.Errorf("%s:\n got %s\nwant %s", name, got[i], test.want[i])
			}
		}
	}
	wrong := planOf(t, documented)
	wrong.Steps[0].Input, wrong.Steps[1].When = json.RawMessage(`{`), strings.Repeat("x", 5000)
	if diff := cmp.Diff([]string{"$.steps[0].input is not valid JSON", "$.steps[1].when is larger than 4096 bytes"}, planFaults(t, wrong)); diff != "" {
		t.Errorf("what two find is said once: %s", diff)
	}
}

// TestPlanFaultsAreBounded: who sends a thousand faults is told some, and how many more there are.
func TestPlanFaultsAreBounded(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{Title: "t", Steps: []sdk.PlanStep{{ID: "a", Type: "code.write", Title: "t", Input: json.RawMessage("[" + strings.Repeat(`"${{",`, 5000) + "1]")}}}
	got := planFaults(t, r)
	if len(got) != 100 || got[99] != "$ has 4901 more faults" {
		t.Errorf("%d faults, the last is %s", len(got), got[len(got)-1])
	}
	r.Steps[0].Input = json.RawMessage("[" + strings.Repeat(`"${{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}",`, 3000) + "1]") // 48 bytes each
	got = planFaults(t, r)
	if len(got) != 100 || got[0] != "$.steps[0].input[2048] is more than there may be: the expressions of a plan have at most 131072 bytes together, each at least 64" {
		t.Errorf("%d faults, the first is %s", len(got), got[0])
	}
}

// TestPlansThatCanNotBePlanned: a plan without steps is refused where no coordinator can be given it, though each of its fields is allowed.
func TestPlansThatCanNotBePlanned(t *testing.T) {
	t.Parallel()
	one := func(name, raw string) map[string]json.RawMessage {
		return map[string]json.RawMessage{name: json.RawMessage(raw)}
	}
	goal, large := strings.Repeat("g", sdk.MaxPlanGoal), string(textOf(sdk.MaxPlanInputs-100))
	for name, tc := range map[string]struct {
		request sdk.PlanRequest
		refused string
	}{
		"deep outputs":                  {sdk.PlanRequest{Goal: "g", Outputs: one("a", nested(sdk.MaxJSONDepth-1))}, "nests deeper"},
		"outputs that are not too deep": {sdk.PlanRequest{Goal: "g", Outputs: one("a", nested(sdk.MaxJSONDepth-2))}, ""},
		"large outputs":                 {sdk.PlanRequest{Goal: goal, Outputs: one("a", large)}, "more than the"},
		"large inputs":                  {sdk.PlanRequest{Goal: goal, Inputs: one("a", large)}, ""},
		"names of inputs":               {sdk.PlanRequest{Goal: goal, Inputs: one(strings.Repeat("n", sdk.MaxPlanInputs-100), "1")}, "more than the"},
		"outputs that leave no share":   {sdk.PlanRequest{Goal: "g", Outputs: one("a", string(textOf(sdk.MaxInput-planningShare)))}, "more than the"},
		"outputs that leave it":         {sdk.PlanRequest{Goal: "g", Outputs: one("a", string(textOf(sdk.MaxInput-planningShare-200)))}, ""},
		"large outputs of steps":        {sdk.PlanRequest{Goal: goal, Outputs: one("a", large), Steps: []sdk.PlanStep{stepOf("a")}}, ""},
	} {
		tc.request.Title = "t"
		got := planFaults(t, tc.request)
		if tc.refused == "" && len(got) > 0 || tc.refused != "" && (len(got) != 1 || !strings.HasPrefix(got[0], "$ what the coordinator would be given") || !strings.Contains(got[0], tc.refused)) {
			t.Errorf("%s: %.300q", name, got)
		}
	}
}

func TestCompilePlan(t *testing.T) {
	t.Parallel()
	code, faults := compilePlan(planOf(t, `{"title": "t", "steps": [
		{"id": "a", "type": "code.write", "title": "t"},
		{"id": "b", "type": "code.write", "title": "t", "needs": ["a"], "when": "steps.a.status == 'failed'", "input": "${{ steps.a.output }}"}],
		"outputs": {"o": "${{ steps.b.output }}"}}`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if code.steps[0].when != nil || code.steps[0].input != nil {
		t.Error("a step without expressions has code")
	}
	got := fmt.Sprint(code.steps[1].when.ReadsStatus(), code.steps[1].input.Reads(), code.outputs["o"].Reads())
	if got != "[a] [a] [b]" {
		t.Error(got)
	}
}

// BenchmarkCheckPlan checks the largest plan: 500 steps of 50 needs, a condition and an input each.
func BenchmarkCheckPlan(b *testing.B) {
	r := sdk.PlanRequest{Title: "t", MaxSteps: sdk.MaxPlanSteps}
	for i := range sdk.MaxPlanSteps {
		s := sdk.PlanStep{ID: fmt.Sprintf("s%d", i), Type: "code.write", Title: "t"}
		for j := max(0, i-sdk.MaxStepNeeds); j < i; j++ {
			s.Needs = append(s.Needs, fmt.Sprintf("s%d", j))
		}
		if i > 0 {
			s.When = fmt.Sprintf("steps.s%d.output.passed == true", i-1)
			s.Input = json.RawMessage(fmt.Sprintf(`{"code": "${{ steps.s%d.output }}", "first": "See ${{ steps.s0.output.summary }}"}`, i-1))
		}
		r.Steps = append(r.Steps, s)
	}
	for b.Loop() {
		if err := CheckPlan(r); err != nil {
			b.Fatal(err)
		}
	}
}
