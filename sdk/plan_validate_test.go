package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// step is a good one.
func step(id string, needs ...string) sdk.PlanStep {
	return sdk.PlanStep{ID: id, Type: "code.write", Title: "Do " + id, Needs: needs}
}

func plan(steps ...sdk.PlanStep) sdk.PlanRequest {
	return sdk.PlanRequest{Title: "a plan", Steps: steps, MaxSteps: sdk.MaxPlanSteps}
}

// faultsOf is every fault of a refusal as a line.
func faultsOf(t testing.TB, err error) (lines []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeInvalidInput {
		t.Fatalf("%T %v, want an *Error of code invalid_input", err, err)
	}
	for _, f := range e.Faults {
		lines = append(lines, f.Path+" "+f.Message)
	}
	return lines
}

// chain is as many steps, each of which needs the one before it.
func chain(n int) []sdk.PlanStep {
	steps := []sdk.PlanStep{step("s0")}
	for i := 1; i < n; i++ {
		steps = append(steps, step(fmt.Sprintf("s%d", i), fmt.Sprintf("s%d", i-1)))
	}
	return steps
}

// many is as many steps that need nothing.
func many(n int) (steps []sdk.PlanStep, ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("s%d", i))
		steps = append(steps, step(ids[i]))
	}
	return steps, ids
}

// TestPlanBounds has every bound of a size at its last good and its first bad value.
func TestPlanBounds(t *testing.T) {
	t.Parallel()
	of := func(set func(*sdk.PlanRequest, int)) func(int) error {
		return func(n int) error {
			r := plan(step("a"))
			set(&r, n)
			return r.Validate()
		}
	}
	one := func(set func(*sdk.PlanStep, int)) func(int) error {
		return of(func(r *sdk.PlanRequest, n int) { set(&r.Steps[0], n) })
	}
	quoted := func(n int) json.RawMessage { return json.RawMessage(`"` + text(n-2) + `"`) }
	for _, tc := range []struct {
		path     string
		low, top int
		validate func(int) error
	}{
		{"$.title", 1, 200, of(func(r *sdk.PlanRequest, n int) { r.Title = strings.Repeat("ä", n) })},
		{"$.goal", 0, 65536, of(func(r *sdk.PlanRequest, n int) { r.Goal = text(n) })},
		{"$.maxParallel", 0, 50, of(func(r *sdk.PlanRequest, n int) { r.MaxParallel = n })},
		{"$.maxSteps", 0, 500, of(func(r *sdk.PlanRequest, n int) { r.MaxSteps = n })},
		{"$.steps", 1, 50, of(func(r *sdk.PlanRequest, n int) { r.MaxSteps = 0; r.Steps, _ = many(n) })},
		{"$.steps", 1, 500, of(func(r *sdk.PlanRequest, n int) { r.Steps, _ = many(n) })},
		{"$.steps", 1, 3, of(func(r *sdk.PlanRequest, n int) { r.MaxSteps = 3; r.Steps, _ = many(n) })},
		{"$.inputs", 3, 524288, of(func(r *sdk.PlanRequest, n int) { r.Inputs = map[string]json.RawMessage{"a": quoted(n - 1)} })},
		{"$.steps[0].id", 1, 63, one(func(s *sdk.PlanStep, n int) { s.ID = text(n) })},
		{"$.steps[0].title", 1, 200, one(func(s *sdk.PlanStep, n int) { s.Title = text(n) })},
		{"$.steps[0].description", 0, 65536, one(func(s *sdk.PlanStep, n int) { s.Description = text(n) })},
		{"$.steps[0].input", 2, 524288, one(func(s *sdk.PlanStep, n int) { s.Input = quoted(n) })},
		{"$.steps[0].when", 0, 4096, one(func(s *sdk.PlanStep, n int) { s.When = text(n) })},
		{"$.steps[0].retry.maxAttempts", 0, 100, one(func(s *sdk.PlanStep, n int) { s.Retry = &sdk.Retry{MaxAttempts: n} })},
		{"$.steps[0].timeouts.queueMs", 1000, 2592000000, one(func(s *sdk.PlanStep, n int) { s.Timeouts = &sdk.Timeouts{QueueMs: int64(n)} })},
		{"$.steps[0].fallback", 0, 5, one(func(s *sdk.PlanStep, n int) { s.Fallback = make([]sdk.Stage, n) })},
		{"$.steps[60].needs", 0, 50, of(func(r *sdk.PlanRequest, n int) {
			steps, ids := many(60)
			r.Steps = slices.Concat(steps, []sdk.PlanStep{step("last", ids[:n]...)})
		})},
		{"$.steps[1].gate.maxReworks", 0, 10, of(func(r *sdk.PlanRequest, n int) {
			r.Steps = chain(2)
			r.Steps[1].Gate = &sdk.Gate{Rework: "s0", MaxReworks: new(n)}
		})},
		{"query.limit", 0, 200, func(n int) error { return sdk.PlanFilter{Limit: n}.Validate() }},
	} {
		for n, want := range map[int][]string{tc.low: nil, tc.top: nil, tc.top + 1: {tc.path}} {
			if diff := cmp.Diff(want, pathsOf(t, tc.validate(n))); diff != "" {
				t.Errorf("%s at %d: %s", tc.path, n, diff)
			}
		}
	}
	for _, n := range []int{-1, 11} {
		r := plan(chain(2)...)
		r.Steps[1].Gate = &sdk.Gate{Rework: "s0", MaxReworks: &n}
		if got := pathsOf(t, r.Validate()); !slices.Equal(got, []string{"$.steps[1].gate.maxReworks"}) {
			t.Errorf("%d reworks: %v", n, got)
		}
	}
}

// TestPlanFaults names everything that is wrong with a plan at once.
func TestPlanFaults(t *testing.T) {
	t.Parallel()
	gate := func(s sdk.PlanStep, rework string, times ...int) sdk.PlanStep {
		s.Gate = &sdk.Gate{Rework: rework}
		if len(times) > 0 {
			s.Gate.MaxReworks = &times[0]
		}
		return s
	}
	input := func(s sdk.PlanStep, raw string) sdk.PlanStep { s.Input = json.RawMessage(raw); return s }
	large := plan(chain(100)...)
	large.Steps[99] = gate(large.Steps[99], "s0", 4)
	larger := plan(chain(100)...)
	larger.Steps[99], larger.Steps[50] = gate(larger.Steps[99], "s0", 4), gate(larger.Steps[50], "s50", 0)
	larger.Steps[50] = gate(larger.Steps[50], "s49", 1)
	ring := chain(4)
	ring[0].Needs = []string{"s3"}
	for name, test := range map[string]struct {
		plan sdk.PlanRequest
		want []string
	}{
		"the smallest":                  {plan(step("a")), nil},
		"a goal":                        {sdk.PlanRequest{Title: "t", Goal: "g"}, nil},
		"nothing":                       {sdk.PlanRequest{}, []string{"$.title is required", "$.steps or goal is required: the steps, or what a coordinator is asked to make steps of"}},
		"any order":                     {plan(step("c", "b", "a"), step("b", "a"), step("a")), nil},
		"a gate":                        {plan(step("a"), step("b", "a"), gate(input(step("c", "b"), `[1]`), "a")), nil},
		"a gate that may not send back": {plan(input(step("a"), `[1]`), gate(step("b", "a"), "a", 0)), nil},
		"500 tasks":                     {large, nil},
		"more than 500 tasks": {larger, []string{
			"$.steps can have 551 tasks, every possible rework counted, and may have 500: lower maxReworks, or send back a step that fewer need",
		}},
		"values that are none": {
			sdk.PlanRequest{
				Title: "two\nlines", MaxParallel: -1, MaxSteps: 501, OnFailure: "ask", Priority: "asap", Budget: json.RawMessage(`{}`),
				Inputs:  map[string]json.RawMessage{"b": json.RawMessage("{"), "a b": json.RawMessage("1 2"), "c": json.RawMessage("1")},
				Outputs: map[string]json.RawMessage{"o": json.RawMessage("\"\xff\"")},
				Steps:   []sdk.PlanStep{{ID: "1st", Type: "Write", Title: " ", Priority: "now"}, {Type: "art.paint", Title: "t", Input: json.RawMessage(`{"a"}`), Fallback: []sdk.Stage{{Role: "?"}}}},
			},
			[]string{
				"$.title must be one line without control characters",
				`$.inputs["a b"] is not valid JSON`, "$.inputs.b is not valid JSON", "$.outputs.o is not valid UTF-8",
				"$.maxParallel must be from 1 to 50", "$.onFailure must be stop or continue",
				"$.priority must be low, medium (or normal), high or critical (or urgent)", "$.budget is reserved: leave it out", "$.maxSteps must be from 1 to 500",
				"$.steps[0].id must start with a letter and hold at most 63 of A-Z, a-z, 0-9, _ and -",
				"$.steps[0].type must be a dotted lower-case name of at most 128 characters, such as code.write", "$.steps[0].title is required",
				"$.steps[0].priority must be low, medium (or normal), high or critical (or urgent)",
				"$.steps[1].id is required", `$.steps[1].role is required: "art.paint" is not a built-in type and has no default role`,
				"$.steps[1].input is not valid JSON", "$.steps[1].fallback[0].role must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -",
			},
		},
		"51 steps":  {func() sdk.PlanRequest { r := plan(chain(51)...); r.MaxSteps = 0; return r }(), []string{"$.steps has 51 steps, and maxSteps is 50; it can be 500 at most"}},
		"501 steps": {plan(chain(501)...), []string{"$.steps has 501 steps, and maxSteps is 500; it can be 500 at most"}},
		"ids":       {plan(step("a"), step("b"), step("a"), step("a"), step("A")), []string{`$.steps[2].id "a" is the id of steps[0] and steps[2] and steps[3]: give each its own`}},
		"needs": {plan(step("a", "a"), step("b", "c", "a", "a", "")), []string{
			"$.steps[0].needs[0] is the step itself: a → a", `$.steps[1].needs[0] "c" is no step of this plan`, `$.steps[1].needs[2] "a" is there twice`, `$.steps[1].needs[3] "" is no step of this plan`,
		}},
		"two that need each other":    {plan(step("write", "review"), step("review", "write")), []string{"$.steps[0].needs is a cycle, each needs the next: write → review → write"}},
		"a ring and what hangs on it": {plan(append(ring, step("x", "s1"))...), []string{"$.steps[0].needs is a cycle, each needs the next: s0 → s3 → s2 → s1 → s0"}},
		"two rings": {plan(step("x"), step("a", "b"), step("b", "a", "x"), step("c", "d", "a"), step("d", "c")), []string{
			"$.steps[1].needs is a cycle, each needs the next: a → b → a", "$.steps[3].needs is a cycle, each needs the next: c → d → c",
		}},
		"gates": {
			plan(input(step("a"), `"x"`), gate(step("b", "a"), ""), gate(step("c", "a"), "z"), gate(step("d", "a"), "d"), gate(step("e", "a"), "b"), gate(step("f", "a"), "a"), gate(step("g", "f"), "a", 1),
				gate(step("h", "i"), "i"), input(step("i"), ` {"feedback": 1}`)),
			[]string{
				"$.steps[1].gate.rework is required: the step that is sent back", `$.steps[2].gate.rework "z" is no step of this plan`,
				"$.steps[3].gate.rework is the step itself: name one that it needs", `$.steps[4].gate.rework "b" is a step that this one does not need, directly or through others`,
				"$.steps[0].input must be an object, or left out: the gate of f sends this step back, with a field feedback in its input",
				"$.steps[8].input.feedback must have another name: the gate of h sends this step back, with a field feedback in its input",
			},
		},
	} {
		if diff := cmp.Diff(test.want, faultsOf(t, test.plan.Validate())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if (test.plan.Resolve().Validate() == nil) != (test.want == nil) {
			t.Errorf("%s: resolved, it is %v", name, test.plan.Resolve().Validate())
		}
	}
	for status, good := range map[sdk.Status]bool{"": true, "open": true, "queued": true, "running": true, "completed": true, "failed": true, "cancelled": true, "input_required": false, "skipped": false} {
		if got := pathsOf(t, sdk.PlanFilter{Status: status}.Validate()); (got == nil) != good {
			t.Errorf("status %q: %v", status, got)
		}
	}
}

// TestPlanDefaults states the reference's defaults in figures.
func TestPlanDefaults(t *testing.T) {
	t.Parallel()
	given := sdk.PlanRequest{
		Title: "t", Priority: "urgent", Inputs: map[string]json.RawMessage{"a": json.RawMessage("1")},
		Steps: []sdk.PlanStep{
			{ID: "a", Type: "code.write", Title: "t", Input: json.RawMessage(`{}`), Retry: &sdk.Retry{MaxAttempts: 1}, Fallback: []sdk.Stage{{Retry: &sdk.Retry{}}}},
			{ID: "b", Type: "art.paint", Role: "painter", Title: "t", Needs: []string{"a"}, Priority: "normal", Gate: &sdk.Gate{Rework: "a"}},
		},
	}
	got := given.Resolve()
	want := sdk.PlanRequest{
		Title: "t", Priority: "critical", Inputs: map[string]json.RawMessage{"a": json.RawMessage("1")}, MaxParallel: 8, OnFailure: "stop", MaxSteps: 50,
		Steps: []sdk.PlanStep{
			{ID: "a", Type: "code.write", Role: "coder", Title: "t", Input: json.RawMessage(`{}`), Priority: "critical", Retry: &sdk.Retry{MaxAttempts: 1}, Fallback: []sdk.Stage{{Retry: &sdk.Retry{}}}},
			{ID: "b", Type: "art.paint", Role: "painter", Title: "t", Needs: []string{"a"}, Priority: "medium", Gate: &sdk.Gate{Rework: "a", MaxReworks: new(2)}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, got.Resolve()); diff != "" {
		t.Errorf("resolved twice: %s", diff)
	}
	got.Steps[0].Input[0], got.Inputs["a"][0], got.Steps[1].Needs[0], got.Steps[0].Retry.MaxAttempts, got.Steps[1].Gate.Rework = 'x', 'x', "x", 9, "x"
	got.Steps[0].Fallback[0].Retry.MaxAttempts, got.Steps[0].Title, got.Inputs["b"] = 9, "x", nil
	if diff := cmp.Diff(want, given.Resolve()); diff != "" {
		t.Errorf("what was resolved is shared: %s", diff)
	}
	if plain := (sdk.PlanRequest{}).Resolve(); plain.Priority != "medium" || plain.Steps != nil {
		t.Errorf("%+v", plain)
	}
}

func TestAllNeeds(t *testing.T) {
	t.Parallel()
	r := plan(step("d", "c", "x"), step("a"), step("c", "b", "a"), step("b", "a"), step("p", "q"), step("q", "p"))
	want := [][]string{{"a", "c", "b"}, nil, {"a", "b"}, {"a"}, {"p", "q"}, {"p", "q"}}
	if diff := cmp.Diff(want, r.AllNeeds()); diff != "" {
		t.Error(diff)
	}
}

// FuzzPlanGraph compares what is said of a graph with what it is: steps that reach themselves are those of which a cycle is named, every named
// cycle is one, and the same plan has the same faults.
func FuzzPlanGraph(f *testing.F) {
	f.Add([]byte{3, 0, 1, 1, 2, 2, 0})
	f.Add([]byte{9, 0, 1, 1, 0, 3, 4, 4, 5, 5, 3, 5, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 {
			return
		}
		n := int(data[0])%12 + 1
		steps, ids := many(n)
		for i := 1; i+1 < len(data) && i < 80; i += 2 {
			from, to := int(data[i])%n, ids[int(data[i+1])%n]
			if !slices.Contains(steps[from].Needs, to) {
				steps[from].Needs = append(steps[from].Needs, to)
			}
		}
		r := plan(steps...)
		cyclic := false
		for i, all := range r.AllNeeds() {
			if slices.Contains(all, ids[i]) {
				cyclic = true
			}
			for _, id := range steps[i].Needs {
				if !slices.Contains(all, id) {
					t.Errorf("%s does not need %s, of %v", ids[i], id, all)
				}
				for _, above := range r.AllNeeds()[slices.Index(ids, id)] {
					if !slices.Contains(all, above) {
						t.Errorf("%s needs %s, and not what that needs, %s", ids[i], id, above)
					}
				}
			}
		}
		err := r.Validate()
		if (err != nil) != cyclic {
			t.Errorf("cyclic %v, and %v", cyclic, err)
		}
		if err != nil && err.Error() != r.Validate().Error() {
			t.Errorf("%v, then %v", err, r.Validate())
		}
		for _, line := range faultsOf(t, err) {
			_, around, _ := strings.Cut(line, ": ")
			path := strings.Split(around, " → ")
			for i := range path[1:] {
				if at := slices.Index(ids, path[i]); at < 0 || !slices.Contains(steps[at].Needs, path[i+1]) {
					t.Errorf("%s is no cycle", line)
				}
			}
		}
	})
}
