package expression_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

func newEnv(t testing.TB) *expression.Env {
	t.Helper()
	env, err := expression.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// values are what the expressions of the tests read.
func values() expression.Values {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	return expression.Values{
		Inputs: map[string]json.RawMessage{
			"language": raw(`"Go"`), "count": raw(`3`), "ratio": raw(`0.5`), "big": raw(`18446744073709551615`), "huge": raw(`1e300`),
			"long": raw(`"` + strings.Repeat("ab ", 20_000) + `"`), "odd name": raw(`true`), "beyond": raw(`1e999`),
			"object": raw(`{"b": 2, "a": {"z": [1, 2.5, "x", null, true], "y": "<&>\u2028"}, "c": ""}`),
		},
		Steps: map[string]expression.Result{
			"test":      {Output: raw(`{"passed": true, "failures": [], "summary": "fine", "score": 40, "items": [{"n": 1}, {"n": 2}, {"n": 3}]}`), Status: sdk.StepCompleted},
			"unit-test": {Output: raw(`"ok"`), Status: sdk.StepCompleted},
			"broken":    {Status: sdk.StepFailed},
			"left":      {Status: sdk.StepSkipped},
		},
	}
}

// failure is the code and message of an error, "" for none.
func failure(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok {
		t.Fatalf("%T %v, want an *sdk.Error", err, err)
	}
	if len(e.Message) > 1000 || strings.Contains(e.Message, "\n") {
		t.Errorf("the message is no line for people: %q", e.Message)
	}
	return string(e.Code) + ": " + e.Message
}

func TestConditions(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for source, want := range map[string]string{
		`steps.test.output.passed == true`:                                                                        "true",
		`steps.test.output.passed`:                                                                                "true",
		`steps.broken.status == "failed" && steps.left.status == 'skipped'`:                                       "true",
		`steps.broken.output == null`:                                                                             "true",
		`steps["unit-test"].output == "ok"`:                                                                       "true",
		`.steps.test.output.score >= 40`:                                                                          "true",
		`has(steps.test.output.passed) && !has(steps.test.output.reason)`:                                         "true",
		`has(steps.broken.output.passed)`:                                                                         "false",
		`has(inputs.nothing)`:                                                                                     "false",
		`inputs["odd name"]`:                                                                                      "true",
		`inputs.count == 3.0 && inputs.count > 2.5 && inputs.ratio < 1`:                                           "true",
		`type(inputs.count) == int && type(inputs.ratio) == double`:                                               "true",
		`type(inputs.big) == uint && inputs.big > 1`:                                                              "true",
		`inputs.object == {"c": "", "b": 2.0, "a": inputs.object.a}`:                                              "true",
		`inputs.object.a.z == [1, 2.5, "x", null, true]`:                                                          "true",
		`{"a": [1, 2]} == {"a": [1, 3]}`:                                                                          "false",
		`inputs.object.map(k, k) == ["a", "b", "c"]`:                                                              "true",
		`{"c": 1, "a": 2, "b": 3}.map(k, k) == ["a", "b", "c"]`:                                                   "true",
		`{2: "", -1: "", "x": "", true: ""}.map(k, k) == [true, -1, 2, "x"]`:                                      "true",
		`steps.test.output.items.filter(i, i.n > 1).map(i, i.n) == [2, 3]`:                                        "true",
		`steps.test.output.items.exists(i, i.n == 2)`:                                                             "true",
		`"b" in inputs.object && !("d" in inputs.object) && 2 in [1, 2.0]`:                                        "true",
		`inputs.language.lowerAscii() + "!" == "go!"`:                                                             "true",
		`"a,b".split(",") == ["a", "b"] && ["a", "b"].join("-") == "a-b"`:                                         "true",
		`"%s is %d".format([inputs.language, inputs.count]) == "Go is 3"`:                                         "true",
		`"aXbX".replace("X", "") == "ab" && "abc".indexOf("c") == 2`:                                              "true",
		`"v1.20".matches("^v[0-9]+\\.[0-9]+$")`:                                                                   "true",
		`"ж".matches("(?i)[А-Я]") && "2026-01-02".matches(r"^\d{4}-\d{2}-\d{2}$") && "x".matches("^(.){1,200}$")`: "true",
		`timestamp("2026-01-02T03:04:05Z").getHours("+02:00") == 5`:                                               "true",
		`timestamp("2026-01-02T03:04:05Z").getHours("UTC") == 3`:                                                  "true",
		`[1, 2] + [3] == [1, 2, 3] && [[1]].map(l, l + l)[0] == [1, 1]`:                                           "true",
		`inputs.object != {} && inputs != {} && size(inputs.object) == 3`:                                         "true",
		`double(1) + 0.5 == 1.5`:                                                                                  "true",
		`false && steps.test.output.nothing`:                                                                      "false",
		"// says why\nsteps.test.output.passed":                                                                   "true",
		`inputs.count + inputs.ratio == 3.5`:                                                                      "expression_failed: the condition has no value: it has an operation that is not there for the types it is given, such as 1 + 0.5: convert them with int(), double() or string()",
		`steps.test.output.nothing`:                                                                               "expression_failed: the condition has no value: no such key: nothing; has() asks whether a field is there",
		`steps.test.output.summary`:                                                                               "expression_failed: the condition is of type string; it must be true or false",
		`steps.broken.output`:                                                                                     "expression_failed: the condition is null; it must be true or false",
		`steps.broken.output.passed`:                                                                              "expression_failed: the condition has no value: no such key: passed; has() asks whether a field is there",
		`steps.test.output.items[3].n == 1`:                                                                       "expression_failed: the condition has no value: index out of bounds: 3; size() asks how long a list is",
		`inputs.beyond > 1`:                                                                                       "expression_failed: the condition has no value: the input beyond can not be read: it has a number that is larger than any that can be computed with",
		`inputs == {"a": 1} || inputs == inputs`:                                                                  "expression_failed: the condition has no value: the input beyond can not be read: it has a number that is larger than any that can be computed with",
		`1 / (inputs.count - 3) == 1`:                                                                             "expression_failed: the condition has no value: division by zero",
		`inputs.count * 9223372036854775807 > 0`:                                                                  "expression_failed: the condition has no value: integer overflow",
		`inputs[inputs.language] == 1`:                                                                            "expression_failed: the condition has no value: no such key: Go; has() asks whether a field is there",
		`{inputs.object: 1} == {}`:                                                                                "expression_failed: the condition has no value: a key of type map can not be in a map: write a text, a whole number, true or false",
		`"x".replace("", inputs.long).replace("", inputs.long) == ""`:                                             "expression_failed: the condition has no value: " + costly,
		`inputs.long.matches("(a|b| )" + "{1000}")`:                                                               "expression_failed: the condition has no value: it has a pattern of 3002 instructions, which is too large: the largest has 1000",
		`timestamp(inputs.language) == timestamp("2026-01-02T03:04:05Z")`:                                         "expression_failed: the condition has no value: invalid RFC 3339 timestamp",
		`inputs.long.map(c, c) == []`:                                                                             "expression_failed: the condition has no value: it goes through what is neither a list nor an object",
		`[1, 2].all(x, inputs.object[x] == 1)`:                                                                    "expression_failed: the condition has no value: no such key: 1; has() asks whether a field is there",
		`inputs.object.all(k, inputs.object[k] == 1) || inputs.count == 3`:                                        "true",
	} {
		condition, err := env.Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		ok, err := condition.Eval(values(), expression.NewBudget(expression.NewPurse()))
		got := failure(t, err)
		if err == nil {
			got = map[bool]string{true: "true", false: "false"}[ok]
		}
		if !strings.HasPrefix(got, want) || want == "true" && got != want {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
}

const costly = "the expressions cost more than 200000 units together: compute less, or leave it to the step's agent"

func TestConditionFaults(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	const whole = `reads steps without the id of one and what of it: write steps.<id>.output or steps.<id>.status, steps["<id>"].output for an id with a hyphen`
	for source, want := range map[string]string{
		"":                                     "is empty: write a CEL expression, such as steps.test.output.passed == true",
		" \n":                                  "is empty: write a CEL expression, such as steps.test.output.passed == true",
		"a\xff":                                "is not valid UTF-8",
		"1 +":                                  "is no CEL expression: column 4: Syntax error",
		"\n1 +":                                "is no CEL expression: column 4: Syntax error",
		"1 +\n)":                               "is no CEL expression: line 2, column 1: Syntax error",
		`"` + strings.Repeat("x", 4<<10) + `"`: "is larger than 4096 bytes",
		strings.Repeat("(", 101) + "1" + strings.Repeat(")", 101): "is no CEL expression: ",
		strings.Repeat("[", 500) + strings.Repeat("]", 500):       "is no CEL expression: ",
		`1 + 2`:                   "must be true or false, and this is of type int",
		`"yes"`:                   "must be true or false, and this is of type string",
		`step.test.output.passed`: "is no CEL expression: column 1: undeclared reference to 'step'",
		`now() > timestamp("2026-01-02T03:04:05Z")`:                        "is no CEL expression: column 4: undeclared reference to 'now'",
		`timestamp("yesterday") == timestamp("2026-01-02T03:04:05Z")`:      "is no CEL expression: column 11: invalid timestamp",
		`matches("x", "(ab){600}")`:                                        "has a pattern of 2402 instructions, which is too large: the largest has 1000",
		`"x".matches("` + strings.Repeat("x", 1001) + `")`:                 "has a pattern of 1001 bytes, which is too large: the largest has 1000",
		`"x".matches(r"(?i)[a-\x{1e942}]")`:                                "has a pattern that ignores case and has a range with characters behind U+05FF, which is too large",
		`"x".matches("(?si:[a-ꟊ])")`:                                       "has a pattern that ignores case and has a range with characters behind U+05FF, which is too large",
		`"x".matches(r"[\pL\pL\pL\pL\PL\pN]")`:                             "has a pattern with 6 classes of Unicode, which is too large: the largest has 5",
		`"x".matches("(")`:                                                 "has a pattern that is none: missing closing ): `(`",
		`"%d".format(["x"])`:                                               "is no CEL expression: column 14: error during formatting: decimal clause",
		`steps == {}`:                                                      whole,
		`steps.test == {}`:                                                 whole,
		`steps.test.result == 1`:                                           whole,
		`steps["test"] != null`:                                            whole,
		`steps[inputs.which].output`:                                       whole,
		`steps.map(s, s)[0] == "x"`:                                        whole,
		`size(steps) > 1`:                                                  whole,
		`has(steps.test)`:                                                  whole,
		`"test" in steps`:                                                  whole,
		`steps.unit-test.output`:                                           whole,
		`steps.exists(s, steps[s].output.passed)`:                          whole,
		`[steps].map(s, s.a.output)[0]`:                                    whole,
		`{"a": steps}.a.b.output`:                                          whole,
		`has(steps.test.output)`:                                           "asks has(steps.test.output), which is always so: ask whether steps.test.output is null, or has() for a field of it",
		`[1].all(steps, steps == 1)`:                                       "names a variable steps: give it another name",
		`[1].all(inputs, inputs == 1)`:                                     "names a variable inputs: give it another name",
		`timestamp("2026-01-02T03:04:05Z").getHours("Europe/Berlin") == 3`: `asks getHours for a zone by name, which changes with the machine: write its offset, such as "+02:00"`,
		`timestamp("2026-01-02T03:04:05Z").getHours(inputs.zone) == 3`:     `asks getHours for a zone by name, which changes with the machine: write its offset, such as "+02:00"`,
		`google.protobuf.Struct{fields: {"a": null}} == {}`:                `makes a message of type google.protobuf.Struct: write an object, such as {"name": 1}`,
	} {
		condition, err := env.Condition(source)
		if err == nil {
			t.Errorf("%s is taken, and reads %v", sdk.Cut(source, 80), condition.Reads())
			continue
		}
		if !strings.HasPrefix(err.Error(), want) || len(err.Error()) > 1200 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n got %v\nwant %s", sdk.Cut(source, 80), err, want)
		}
	}
}

func TestConditionReads(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for source, want := range map[string][3][]string{
		`true`: {},
		`steps.b.output.x == steps["a-1"].output && steps.b.status == "failed"`:                   {{"a-1", "b"}, {"b"}},
		`has(steps.a.output.x) ? steps.c.status == "completed" : [1].all(x, steps.d.output == x)`: {{"a", "c", "d"}, {"c"}},
		`inputs.a == inputs["b c"] || inputs[steps.x.output] == 1`:                                {{"x"}, nil, {"a", "b c"}},
		`has(inputs.a) && inputs.a == inputs.b`:                                                   {nil, nil, {"b"}},
		`inputs.all(k, k != "")`:                                                                  {},
	} {
		condition, err := env.Condition(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got := [3][]string{condition.Reads(), condition.ReadsStatus(), condition.ReadsInputs()}
		if diff := cmp.Diff(want, got, cmp.Transformer("", func(l []string) string { return strings.Join(l, " ") })); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}
