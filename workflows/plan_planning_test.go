package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlanningText_HasAPlanThatRuns: the example that a coordinator is given is what it says.
func TestPlanningText_HasAPlanThatRuns(t *testing.T) {
	t.Parallel()
	text := planningText()
	_, rest, _ := strings.Cut(text, "this is a good answer:\n")
	example, _, ok := strings.Cut(rest, "\n}\n")
	if !ok || len(text) > sdk.MaxDescription {
		t.Fatalf("there is no example in %d bytes", len(text))
	}
	for _, answer := range []any{json.RawMessage(example + "\n}"), map[string]string{"text": "Here it is:\n```json\n" + example + "\n}\n```\n"}} {
		raw, err := encode(answer)
		if err != nil {
			t.Fatal(err)
		}
		plan, faults := readPlanned(raw)
		if len(faults) > 0 || len(plan.Steps) != 4 {
			t.Fatalf("%d steps, %v", len(plan.Steps), faults)
		}
		r := sdk.PlanRequest{Title: "x", Goal: "x", Steps: plan.Steps, Outputs: plan.Outputs, Inputs: map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)}}
		if err := CheckPlan(r); err != nil {
			t.Error(err)
		}
	}
}

func TestReadPlanned(t *testing.T) {
	t.Parallel()
	const good = `{"steps": [{"id": "a", "type": "code.write", "title": "A"}]}`
	quote := func(text string) string {
		raw, err := encode(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for name, tc := range map[string]struct {
		answer string
		faults []string // where, and the beginning of what
	}{
		"an object":           {good, nil},
		"a string":            {quote(" " + good + "\n"), nil},
		"a block":             {quote("Look:\n```json\n" + good + "\n```\nand ```go\nx\n```"), nil},
		"fences within":       {quote("```json\n" + `{"steps": [{"id": "a", "type": "code.write", "title": "A", "description": "` + "```go\\nx\\n```" + `"}]}` + "\n```"), nil},
		"a text in an object": {`{"text": ` + quote(good) + `, "model": "m"}`, nil},
		"nothing":             {``, []string{"$ the answer is no plan"}},
		"null":                {`null`, []string{"$ the answer is no plan"}},
		"a list":              {`[]`, []string{"$ the answer is no plan"}},
		"an empty object":     {`{}`, []string{"$ the answer has no steps"}},
		"words":               {`"I would rather not"`, []string{"$ the answer is a text with 0 blocks"}},
		"two blocks":          {quote("```json\n" + good + "\n```\n```json\n" + good + "\n```\n"), []string{"$ the answer is a text with 2 blocks"}},
		"broken JSON":         {quote("{steps"), []string{"$ invalid character"}},
		"two plans":           {quote(good + good), []string{"$ something follows"}},
		"a caller's fields":   {`{"title": "T", "goal": 7, "maxParallel": null, ` + good[1:], nil},
		"other fields":        {`{"why": "", "steps": [], "Title": ""}`, []string{`$ unknown field "Title"`, `$ unknown field "why"`}},
		"other names":         {`{"steps": [{"ID": "a", "id": "b", "Type": "x"}]}`, []string{`$.steps[0] unknown field "ID"`, `$.steps[0] unknown field "Type"`}},
		"no list":             {`{"steps": {}, "outputs": []}`, []string{"$.steps must be a list", "$.outputs must be an object"}},
		"wrong steps": {`{"steps": [{"id": 1}, {"id": "a", "dependsOn": []}, {"needs": "a"}, 7]}`, []string{
			"$.steps[0].id must be a string", `$.steps[1] unknown field "dependsOn"`, "$.steps[2].needs must be a list", "$.steps[3] must be an object",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, faults := readPlanned(json.RawMessage(tc.answer))
			if len(faults) != len(tc.faults) || len(tc.faults) == 0 && len(answer.Steps) != 1 {
				t.Fatalf("%d steps, %v", len(answer.Steps), faults)
			}
			for i, f := range faults {
				if said := f.Path + " " + f.Message; !strings.HasPrefix(said, tc.faults[i]) {
					t.Errorf("%q, want %q", said, tc.faults[i])
				}
			}
		})
	}
}

func planningOf(t *testing.T, in TaskInput) (given planningInput) {
	t.Helper()
	if err := json.Unmarshal(in.Request.Input, &given); err != nil {
		t.Fatal(err)
	}
	return given
}

// TestPlanCourse_AsksTheCoordinator: what it is given, first and after faults.
func TestPlanCourse_AsksTheCoordinator(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{
		Goal: "A parser", Inputs: map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)}, MaxSteps: 2, Priority: sdk.PriorityHigh,
		Outputs: map[string]json.RawMessage{"code": json.RawMessage(`"${{ steps.write.output }}"`)},
	})
	in := tr.open[""]
	if err := in.Request.Validate(); err != nil || in.Request.Type != sdk.TypePlanFeature || in.Request.Role != sdk.RoleCoordinator ||
		in.Request.Priority != sdk.PriorityHigh || in.PlanID != "p1" || in.ID != PlanTaskID("p1", "", 0) || in.Request.Description != planningText() {
		t.Errorf("%+v, %v", in, err)
	}
	given := planningOf(t, in)
	want := planningInput{
		Goal: "A parser", Inputs: tr.in.Request.Inputs, Outputs: tr.in.Request.Outputs, MaxSteps: 2, Roles: sdk.BuiltinRoles(), Types: plannableTypes(),
	}
	if d := cmp.Diff(want, given); d != "" {
		t.Error(d)
	}
	faulty := `{"steps":[{"id":"design","type":"plan.architecture","title":"Design it","needs":["idea"]}]}`
	tr.end("", agentAnswer{Output: json.RawMessage(faulty)})
	given = planningOf(t, tr.open[""])
	want.Previous, want.Faults = json.RawMessage(faulty), []sdk.Fault{
		{Path: "$.steps[0].needs[0]", Message: `"idea" is no step of this plan`},
		{Path: "$.outputs.code", Message: `reads the step "write", which is not in this plan`},
	}
	if d := cmp.Diff(want, given); d != "" {
		t.Error(d)
	}
	if p := tr.record(); len(p.PlanningTaskIDs) != 2 || p.PlanningTaskIDs[1] != PlanTaskID("p1", "", 1) || len(p.Steps) != 0 || tr.over() {
		t.Errorf("%+v", p)
	}
	tr.end("", agentAnswer{Output: json.RawMessage(`{"steps":[{"id":"write","type":"code.write","title":"Write it"}]}`)})
	state := tr.state()
	if len(state.Planned) != 1 || state.Planned[0].ID != "write" || state.Planned[0].Status != sdk.StepPending || len(state.Steps) != 1 {
		t.Errorf("%+v", state)
	}
	tr.end("write", agentAnswer{Output: json.RawMessage(`"done"`)})
	if p := tr.finish(); p.Status != sdk.StatusCompleted || string(p.Outputs["code"]) != `"done"` {
		t.Errorf("%s %v %s", p.Status, p.Error, p.Outputs["code"])
	}
}

// TestPlanCourse_PlanningIsBounded: what the coordinator is given is no larger than any task's input.
func TestPlanCourse_PlanningIsBounded(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{
		Goal: strings.Repeat("g", sdk.MaxPlanGoal), Inputs: map[string]json.RawMessage{"b": textOf(200 << 10), "a": textOf(200 << 10)},
	})
	if given := planningOf(t, tr.open[""]); len(given.Inputs) != 2 || given.InputsOmitted != nil {
		t.Errorf("%d inputs, %v", len(given.Inputs), given.InputsOmitted)
	}
	tr.end("", agentAnswer{Output: textOf(100 << 10)})
	given := planningOf(t, tr.open[""])
	if len(given.Inputs) != 2 || !given.PreviousOmitted || given.Previous != nil || len(given.Faults) == 0 {
		t.Errorf("%+v", given)
	}
	tr = newTrial(t, sdk.PlanRequest{
		Goal: strings.Repeat("g", sdk.MaxPlanGoal), Inputs: map[string]json.RawMessage{"b": textOf(250 << 10), "a": textOf(250 << 10)},
	})
	if given := planningOf(t, tr.open[""]); len(given.Inputs) != 0 || !cmp.Equal(given.InputsOmitted, []string{"a", "b"}) {
		t.Errorf("%d inputs, %v", len(given.Inputs), given.InputsOmitted)
	}
}

// TestPlanCourse_RolesDoNotDecide: a run begins whatever its coordinator can be given, and that leaves room for the roles and types of later
// releases.
func TestPlanCourse_RolesDoNotDecide(t *testing.T) {
	t.Parallel()
	listed, err := EncodedSize(planningInput{Roles: sdk.BuiltinRoles(), Types: plannableTypes()})
	if err != nil || listed > planningShare/2 {
		t.Errorf("the lists have %d bytes of %d, %v", listed, planningShare, err)
	}
	of := func(size int) sdk.PlanRequest {
		return sdk.PlanRequest{Title: "t", Goal: "g", Outputs: map[string]json.RawMessage{"a": textOf(size)}}
	}
	tr := newTrial(t, of(sdk.MaxInput-planningShare-200))
	if given := tr.open[""].Request.Input; len(given) > sdk.MaxInput-planningShare/2 {
		t.Errorf("it is given %d bytes", len(given))
	}
	tr = newTrial(t, of(sdk.MaxInput-planningShare))
	if p := tr.finish(); p.Error == nil || p.Error.Code != sdk.CodePayloadTooLarge || len(p.PlanningTaskIDs) != 0 {
		t.Errorf("%+v", p)
	}
}

// TestPlanCourse_SaysHowManyMoreFaults: the coordinator, and who asked for the plan, are told how many faults are not named.
func TestPlanCourse_SaysHowManyMoreFaults(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"of a plan":   `{"steps": [{"id": "a", "type": "code.write", "title": "A", "input": [` + strings.Repeat(`"${{",`, 149) + `"${{"]}]}`,
		"of its JSON": `{"steps": [` + strings.Repeat(`1,`, 149) + `1]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, sdk.PlanRequest{Goal: "A parser"})
			for range sdk.MaxPlannings {
				if given := planningOf(t, tr.open[""]); len(tr.plan.PlanningTaskIDs) > 1 && (len(given.Faults) != 100 || given.Faults[99].Message != "has 51 more faults") {
					t.Errorf("%d faults, the last is %v", len(given.Faults), given.Faults[len(given.Faults)-1])
				}
				tr.end("", agentAnswer{Output: json.RawMessage(answer)})
			}
			if failure := tr.failure; failure == nil || !strings.HasSuffix(failure.Message, "has 51 more faults") {
				t.Errorf("%v", failure)
			}
		})
	}
}

// TestPlanCourse_PlanningIsNoDeeperThanAnInput: a coordinator that answers what nests deep is asked again all the same.
func TestPlanCourse_PlanningIsNoDeeperThanAnInput(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{Goal: "A parser", Inputs: map[string]json.RawMessage{"a": json.RawMessage(nested(sdk.MaxJSONDepth - 2))}})
	tr.end("", agentAnswer{Output: json.RawMessage(nested(sdk.MaxJSONDepth))})
	r := tr.open[""].Request
	if given := planningOf(t, tr.open[""]); r.Validate() != nil || !given.PreviousOmitted || len(given.Inputs) != 1 {
		t.Errorf("%v: %+v", r.Validate(), given)
	}
	tr = newTrial(t, sdk.PlanRequest{Goal: "A parser", Inputs: map[string]json.RawMessage{"a": json.RawMessage(nested(sdk.MaxJSONDepth))}})
	if r = tr.open[""].Request; r.Validate() != nil || !cmp.Equal(planningOf(t, tr.open[""]).InputsOmitted, []string{"a"}) {
		t.Errorf("%v", r.Validate())
	}
}

// TestPlanCourse_StateOfTheLargestAnswer: the memo has room for the steps of an answer that is as large as an output can be, and for what
// becomes of each, which TestPlanCourse_TellsOfLargePlans bounds.
func TestPlanCourse_StateOfTheLargestAnswer(t *testing.T) {
	t.Parallel()
	id := func(i int) string { return fmt.Sprintf("s%0*d", sdk.MaxStepID-1, i) }
	var steps []sdk.PlanStep
	for i := range sdk.MaxPlanSteps {
		s := sdk.PlanStep{ID: id(i), Type: sdk.TypeCodeWrite, Title: strings.Repeat("t", sdk.MaxTitle)}
		for j := max(0, i-25); j < i; j++ {
			s.Needs = append(s.Needs, id(j))
		}
		steps = append(steps, s)
	}
	answer, err := encode(map[string]any{"steps": steps})
	if err != nil || len(answer) > sdk.MaxOutput || len(answer) < sdk.MaxOutput*9/10 {
		t.Fatalf("the answer has %d bytes, %v", len(answer), err)
	}
	tr := newTrial(t, sdk.PlanRequest{Goal: "A parser", MaxSteps: sdk.MaxPlanSteps})
	tr.end("", agentAnswer{Output: answer})
	state := tr.state()
	if size, err := EncodedSize(state); err != nil || len(state.Planned) != sdk.MaxPlanSteps || size > maxRecord-400<<10 {
		t.Errorf("the state of %d steps has %d bytes, %v", len(state.Planned), size, err)
	}
}

// TestPlanCourse_CancelledWhilePlanning: the task is stopped, and what it answers all the same begins nothing.
func TestPlanCourse_CancelledWhilePlanning(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{Goal: "A parser"})
	if !tr.cancel(noon(), "") {
		t.Error("it can not be cancelled")
	}
	if id, _, ok := tr.stop(); !ok || id != tr.open[""].ID {
		t.Errorf("%s is stopped", id)
	}
	tr.end("", agentAnswer{Output: json.RawMessage(`{"steps":[{"id":"write","type":"code.write","title":"Write it"}]}`)})
	if p := tr.finish(); p.Status != sdk.StatusCancelled || len(p.Steps) != 0 || p.Error.Code != sdk.CodeCancelled || p.Error.Message == "" {
		t.Errorf("%+v", p)
	}
}
