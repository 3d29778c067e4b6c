package planfile_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/cmd/planfile"
	"github.com/rolecall-dev/rolecall/sdk"
)

// whole uses what YAML has to offer to write a plan.
const whole = `# a comment
---
title: Write a parser
inputs: {language: Go, n: 3, half: 0.5, none: null, yes: true, "odd name": 'it''s'}
maxParallel: 2
onFailure: continue
steps:
  - id: write
    type: code.write
    title: "Write\tit"
    description: |
      Two
      lines
    input: ["${{ inputs.language }}", {deep: [1, -2, 1.5e3, <b>]}]
    retry: {maxAttempts: 2, backoffCoefficient: 1}
    timeouts:
      queueMs: 90000
    fallback:
      - role: debugger
  - {id: review, type: code.review, title: 🙂 Review, needs: [write], when: steps.write.output.n > 1, gate: {rework: write, maxReworks: 0}}
outputs:
  code: ${{ steps.write.output }}
`

const wholeJSON = `{
	"title": "Write a parser",
	"inputs": {"language": "Go", "n": 3, "half": 0.5, "none": null, "yes": true, "odd name": "it's"},
	"maxParallel": 2,
	"onFailure": "continue",
	"steps": [
		{"id": "write", "type": "code.write", "title": "Write\tit", "description": "Two\nlines\n",
		 "input": ["${{ inputs.language }}", {"deep": [1, -2, 1.5e3, "<b>"]}],
		 "retry": {"maxAttempts": 2, "backoffCoefficient": 1}, "timeouts": {"queueMs": 90000}, "fallback": [{"role": "debugger"}]},
		{"id": "review", "type": "code.review", "title": "\ud83d\ude42 Review", "needs": ["write"], "when": "steps.write.output.n > 1",
		 "gate": {"rework": "write", "maxReworks": 0}}
	],
	"outputs": {"code": "${{ steps.write.output }}"}
}`

// TestRead: YAML and JSON say the same.
func TestRead(t *testing.T) {
	t.Parallel()
	want := sdk.PlanRequest{
		Title: "Write a parser", MaxParallel: 2, OnFailure: sdk.FailureContinue,
		Inputs: map[string]json.RawMessage{
			"language": raw(`"Go"`), "n": raw(`3`), "half": raw(`0.5`), "none": raw(`null`), "yes": raw(`true`), "odd name": raw(`"it's"`),
		},
		Steps: []sdk.PlanStep{
			{
				ID: "write", Type: "code.write", Title: "Write\tit", Description: "Two\nlines\n", Input: raw(`["${{ inputs.language }}",{"deep":[1,-2,1.5e3,"<b>"]}]`),
				Retry: &sdk.Retry{MaxAttempts: 2, BackoffCoefficient: 1}, Timeouts: &sdk.Timeouts{QueueMs: 90000}, Fallback: []sdk.Stage{{Role: "debugger"}},
			},
			{
				ID: "review", Type: "code.review", Title: "🙂 Review", Needs: []string{"write"}, When: "steps.write.output.n > 1",
				Gate: &sdk.Gate{Rework: "write", MaxReworks: new(0)},
			},
		},
		Outputs: map[string]json.RawMessage{"code": raw(`"${{ steps.write.output }}"`)},
	}
	for name, text := range map[string]string{"plan.yaml": whole, "plan.json": wholeJSON, "with a byte order mark": "\ufeff" + whole} {
		f, err := planfile.Read(name, strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, f.Request); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestNumbers: a number is as it is written, and a text in quotes is none.
func TestNumbers(t *testing.T) {
	t.Parallel()
	const list = `[0, -0, 7, -7.50, 1e3, -1E+3, 99999999999999999999, 0.10, "1e3", "7"]`
	for _, text := range []string{"title: t\ngoal: g\ninputs: {n: " + list + "}\n", `{"title": "t", "goal": "g", "inputs": {"n": ` + list + `}}`} {
		f, err := planfile.Read("p", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(f.Request.Inputs["n"]); got != strings.ReplaceAll(list, " ", "") {
			t.Error(got)
		}
	}
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// TestFaults: every fault is named, with its path and its place.
func TestFaults(t *testing.T) {
	t.Parallel()
	const ok = "title: t\nsteps:\n- {id: a, type: code.write, title: t}\n"
	for name, tc := range map[string]struct {
		text string
		want []string // the message where there are no faults, else each fault
	}{
		"fields that there are not": {
			"titel: t\nsteps:\n  - id: a\n    nedds: [b]\n    gate: {reworks: 1}\n\"odd name\": 1\n",
			[]string{
				`$["odd name"] is no field of it; there are title, goal, steps, inputs, outputs, maxParallel, onFailure, maxSteps, priority, budget (p:6:1)`,
				"$.steps[0].gate.reworks is no field of it; there are rework, maxReworks (p:5:12)",
				"$.steps[0].nedds is no field of it; there are id, type, role, title, description, needs, when, input, gate, priority, retry, timeouts, fallback (p:4:5)",
				"$.titel is no field of it; there are title, goal, steps, inputs, outputs, maxParallel, onFailure, maxSteps, priority, budget (p:1:1)",
			},
		},
		"types": {
			"title: 2026\nmaxParallel: two\nmaxSteps: 1.5\nsteps:\n- 7\n- {id: a, needs: b, when: true, retry: {maxAttempts: 99999999999999999999, backoffCoefficient: x}, gate: [], description: }\ninputs: []\n",
			[]string{
				"$.inputs must be an object (p:7:1)", "$.maxParallel must be a whole number (p:2:1)", "$.maxSteps must be a whole number (p:3:1)",
				"$.steps[0] must be an object (p:5:3)", "$.steps[1].description has no value: leave it out, or give a text; put it in quotes (p:6:",
				"$.steps[1].gate must be an object (p:6:", "$.steps[1].needs must be a list (p:6:11)", "$.steps[1].retry.backoffCoefficient must be a number (p:6:",
				"$.steps[1].retry.maxAttempts must be a whole number (p:6:", "$.steps[1].when must be a text; put it in quotes (p:6:21)",
				"$.title must be a text; put it in quotes (p:1:1)",
			},
		},
		"in JSON":         {"{\"title\": 1,\n \"steps\": [{\"nope\": 2}]}", []string{"$.steps[0].nope is no field of it; there are id, type", "$.title must be a text; put it in quotes (p:1:2)"}},
		"not an object":   {"[1]", []string{"$ must be an object"}},
		"only words":      {"hello", []string{"$ must be an object"}},
		"nothing":         {"\n\n", []string{"p is empty"}},
		"only a comment":  {"# soon\n", []string{"p is empty"}},
		"two":             {ok + "---\n" + ok, []string{"p holds more than one document"}},
		"no YAML":         {"title: t\n  goal: g\n", []string{"p:1:8: mapping value is not allowed"}},
		"a name twice":    {ok + "title: u\n", []string{`p:4:1: mapping key "title" already defined at [1:1]`}},
		"an open bracket": {"title: [\n", []string{"p:1:8: "}},
		"a name twice in JSON": {
			"{\"title\": \"é\", \"inputs\": {\"n\": 1, \"\\u006e\": 2}, \"maxSteps\": 0.5,\n \"steps\": [1, {\"id\": [],\n\t\"id\": 2}], \"title\": \"\\ud83d\\ude42\"}",
			[]string{"$.inputs.n is there twice (p:1:35)", "$.steps[1].id is there twice (p:3:2)", "$.title is there twice (p:3:13)"},
		},
		"numbers that JSON does not have": {
			ok + "inputs: {a: 010, b: 0x1F, c: 1_000, d: 08, e: +1, f: .5, g: 1., h: 0b1, i: 0o7, j: -08, k: '010', l: 1.2.3, m: 2026-01-02}\n",
			[]string{
				"$.inputs.a is 010, which is no number in JSON: write it as one, or quote it (p:4:10)", "$.inputs.b is 0x1F, which", "$.inputs.c is 1_000, which", "$.inputs.d is 08, which",
				"$.inputs.e is +1, which", "$.inputs.f is .5, which", "$.inputs.g is 1., which", "$.inputs.h is 0b1, which", "$.inputs.i is 0o7, which", "$.inputs.j is -08, which",
			},
		},
		"aliases":              {"title: &t x\ngoal: *t\n", []string{"$.title is an anchor or an alias, which", "$.goal is an anchor or an alias, which"}},
		"a tag":                {"title: !!str 5\n", []string{"$.title has a tag, which"}},
		"a number that is not": {ok + "inputs: {a: .nan, b: -.inf}\n", []string{"$.inputs.a is a number that JSON does not have (p:4:10)", "$.inputs.b is a number that JSON does not have (p:4:19)"}},
		"deep":                 {"inputs: {a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n", []string{"nests deeper than 64"}},
		"deeper":               {strings.Repeat("[", 1<<19), []string{"p holds no plan: it opens 524288 brackets"}},
		"much":                 {strings.Repeat("#", sdk.MaxBody+1), []string{"p is larger than the"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := planfile.Read("p", strings.NewReader(tc.text))
			e, ok := errors.AsType[*sdk.Error](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			got := []string{e.Message}
			if len(e.Faults) > 0 {
				got = nil
				for _, f := range e.Faults {
					got = append(got, f.Path+" "+f.Message)
				}
			}
			for i := range max(len(got), len(tc.want)) {
				if i >= len(got) || i >= len(tc.want) || !strings.Contains(got[i], tc.want[i]) {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
				}
			}
		})
	}
}

// TestManyFaults: not more are told than anybody reads.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	_, err := planfile.Read("p", strings.NewReader("steps: ["+strings.Repeat("7,", 1000)+"]"))
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || len(e.Faults) != 101 || e.Faults[100].Message != "has more faults" {
		t.Errorf("%v", err)
	}
}

// TestExplain: faults that others find are found in the file; one that is missing where it should be.
func TestExplain(t *testing.T) {
	t.Parallel()
	f, err := planfile.Read("p", strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	told := f.Explain(&sdk.Error{Code: sdk.CodeInvalidInput, Message: "no", Status: 422, Faults: []sdk.Fault{
		{Path: "$.steps[0].input[1].deep[2]", Message: "a"}, {Path: "$.steps[1].needs[0]", Message: "b"}, {Path: "$.steps[0].gate.rework", Message: "c"},
		{Path: `$.inputs["odd name"]`, Message: "d"}, {Path: `$.inputs["language"]`, Message: "e"}, {Path: "$.goal", Message: "f"}, {Path: "$", Message: "g"},
		{Path: "header.Idempotency-Key", Message: "h"}, {Path: "$.steps[7]", Message: "i"},
	}})
	e, ok := errors.AsType[*sdk.Error](told)
	if !ok || e.Status != 422 || e.Message != "no" {
		t.Fatalf("%v", told)
	}
	var got []string
	for _, f := range e.Faults {
		got = append(got, f.Message)
	}
	want := []string{"a (p:14:54)", "b (p:20:62)", "c (p:8:5)", "d (p:4:64)", "e (p:4:10)", "f", "g", "h", "i (p:7:1)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	other := errors.New("other")
	if !errors.Is(f.Explain(other), other) || f.Explain(nil) != nil {
		t.Error("another error did not stay as it is")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add(wholeJSON)
	f.Add("a: &b [*b]\n? c\n: !!x d\n<<: {}\n--- |\n x")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := planfile.Read("p", strings.NewReader(text))
		if (file == nil) == (err == nil) {
			t.Errorf("%v, %v", file, err)
		}
	})
}
