package expression_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for source, want := range map[string]string{
		``:                                    `null`,
		`null`:                                `null`,
		`{"b": 1.0, "a" :[ ], "b": "\u00e4"}`: `{"b": 1.0, "a" :[ ], "b": "\u00e4"}`,
		`"plain $ {{ }} ${ }"`:                `"plain $ {{ }} ${ }"`,
		`"${{ inputs.count }}"`:               `3`,
		`"${{inputs.count}}"`:                 `3`,
		`"${{ inputs.ratio }}"`:               `0.5`,
		`"${{ inputs.big }}"`:                 `18446744073709551615`,
		`"${{ inputs.huge }}"`:                `1e+300`,
		`"${{ inputs.language }}"`:            `"Go"`,
		`"${{ steps.broken.output }}"`:        `null`,
		`"${{ steps.broken.status }}"`:        `"failed"`,
		`"${{ inputs.object }}"`:              "{\"a\":{\"y\":\"<&>\u2028\",\"z\":[1,2.5,\"x\",null,true]},\"b\":2,\"c\":\"\"}",
		`" ${{ inputs.count }}"`:              `" 3"`,
		`"${{ inputs.language }} ${{ inputs.count }}, ${{ inputs.object.a.z }}: ${{ steps.left.output }}"`: `"Go 3, [1,2.5,\"x\",null,true]: null"`,
		`"${{ 'a' }}${{ 'b' }}"`:                         `"ab"`,
		`"$${{ x }}"`:                                    `"${{ x }}"`,
		`"$$${{ x }}"`:                                   `"$${{ x }}"`,
		`"$${{ ${{ 1 }} $${{"`:                           `"${{ 1 ${{"`,
		`"\u0024{{ inputs.count }}"`:                     `3`,
		`"${{ {\"a\": {\"b\": inputs.count}} }}"`:        `{"a":{"b":3}}`,
		`"${{{\"a\": 1}}}"`:                              `{"a":1}`,
		`"${{{}}}"`:                                      `{}`,
		`"${{ '}}' + \"}}\" }}!"`:                        `"}}}}!"`,
		`"${{ '\\'}}' }}"`:                               `"'}}"`,
		`"${{ r'\\' + '}}' }}"`:                          `"\\}}"`,
		`"${{ '''a'}}''' }}"`:                            `"a'}}"`,
		`"${{ 1 // }}\n + 2 }}"`:                         `3`,
		`{"${{ inputs.count }}": "${{ inputs.count }}"}`: `{"${{ inputs.count }}": 3}`,
		`["${{ inputs.count }}", {"deep": ["${{ steps.test.output.items.map(i, i.n) }}"]}, 4]`: `[3, {"deep": [[1,2,3]]}, 4]`,
		`"${{ {'z': 1, 'a': 2, 'm': [{'y': 1, 'b': 2}]} }}"`:                                   `{"a":2,"m":[{"b":2,"y":1}],"z":1}`,
		`"${{ b'\\x00\\xff' }}"`: `"AP8="`,
		`"at ${{ timestamp('2026-01-02T03:04:05.5Z') }} for ${{ duration('90m') }}"`: `"at 2026-01-02T03:04:05.5Z for 5400s"`,
		`"${{ timestamp('2026-01-02T03:04:05Z') }}"`:                                 `"2026-01-02T03:04:05Z"`,
		`"${{ '\\u0001\\t\\\"\\\\' }}"`:                                              `"\u0001\t\"\\"`,
		`"${{ 84.0 }} ${{ -0.0 }} ${{ 1e-7 }}"`:                                      `"84 -0 1e-07"`,
		`"${{ steps.test.output.nothing }}"`:                                         "expression_failed: $.in has no value: no such key: nothing; has() asks whether a field is there",
		`{"a": ["x ${{ steps.test.output.nothing }}"]}`:                              "expression_failed: $.in.a[0] has no value: ${{ steps.test.output.nothing }}: no such key: nothing; has() asks whether a field is there",
		`"${{ 0.0 / 0.0 }}"`:                                                         "expression_failed: $.in has no value: a number that is not finite is no JSON",
		`"${{ {'a': [1.0 / 0.0]} }}"`:                                                "expression_failed: $.in has no value: a number that is not finite is no JSON",
		`"${{ {1: 2} }}"`:                                                            "expression_failed: $.in has no value: an object with a name of type int is no JSON: write it as a text",
		`"${{ type(1) }}"`:                                                           "expression_failed: $.in has no value: a value of type type is no JSON",
		`"${{ inputs.long }}${{ inputs.long.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}"`:                           tooLarge,
		`"a list: ${{ ` + doubled(30) + ` }}"`:                                                                            tooLarge,
		`"${{ [inputs.long.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')] }}!"`:                                         tooLarge,
		`["x ${{ {'a': [inputs.long.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')]} }}", 1]`:                            tooLarge,
		`"${{ ` + doubled(30) + ` }}"`:                                                                                    tooLarge,
		`[[[[[[[[[[[[[[[[[[[["${{ ` + strings.Repeat("dyn([", 45) + strings.Repeat("])", 45) + ` }}"]]]]]]]]]]]]]]]]]]]]`: "expression_failed: $.in" + strings.Repeat("[0]", 20) + " has no value: it nests deeper than 64",
	} {
		template, faults := env.Template("$.in", json.RawMessage(source))
		if len(faults) > 0 {
			t.Errorf("%s: %v", source, faults)
			continue
		}
		out, err := template.Eval(values(), expression.NewBudget(expression.NewPurse()))
		got := string(out)
		if err != nil {
			got = failure(t, err)
		} else if !json.Valid(out) {
			t.Errorf("%s makes no JSON: %s", source, got)
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", source, got, want)
		}
	}
}

// doubled is an expression of a list that holds another one twice, which holds another one twice, and so on.
func doubled(times int) string {
	return "[dyn([1])]" + strings.Repeat(".map(l, dyn([l, l]))", times)
}

const tooLarge = "payload_too_large: the expressions make more than 524288 bytes of JSON; hand over less, or where it is to be found"

// TestTooLargeTakesNoMemory: once a text is larger than it may be, what else is in it is not looked at.
func TestTooLargeTakesNoMemory(t *testing.T) {
	v := values()
	v.Inputs["text"] = json.RawMessage(`"` + strings.Repeat("a", 400<<10) + `"`)
	template, faults := newEnv(t).Template("$.in", json.RawMessage(`"${{ inputs.text }}${{ inputs.text }}`+strings.Repeat("${{1}} ", 500)+`"`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := template.Eval(v, expression.NewBudget(expression.NewPurse()))
	runtime.ReadMemStats(&after)
	if failure(t, err) != tooLarge {
		t.Error(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("it took %d MiB", took>>20)
	}
}

func nestedLists(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestTemplateFaults(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for source, want := range map[string][]string{
		`{`:                    {"$.in is not valid JSON"},
		"\"\xff\"":             {"$.in is not valid UTF-8"},
		nestedLists(65):        {"$.in nests deeper than 64"},
		`"${{ inputs.count }"`: {"$.in has a ${{ without its }}: close it, or write $${{ where no expression is meant"},
		`"${{ 'a }}"`:          {"$.in has a ${{ without its }}: close it, or write $${{ where no expression is meant"},
		`"${{ {'a': 1 }}"`:     {"$.in has a ${{ without its }}: close it, or write $${{ where no expression is meant"},
		`"${{ 1 // }}"`:        {"$.in has a ${{ without its }}: close it, or write $${{ where no expression is meant"},
		`"${{}}"`:              {"$.in is empty: write a CEL expression, such as steps.test.output.passed == true"},
		`"x ${{ }}"`:           {"$.in is empty: write a CEL expression, such as steps.test.output.passed == true (in ${{  }})"},
		`{"a": "${{ now }}", "b c": ["", "${{ steps }} ${{ later }}"]}`: {
			"$.in.a is no CEL expression: column 1: undeclared reference to 'now'",
			`$.in["b c"][1] reads steps without the id of one and what of it: write steps.<id>.output or steps.<id>.status, steps["<id>"].output for an id with a hyphen (in ${{ steps }})`,
			`$.in["b c"][1] is no CEL expression: column 1: undeclared reference to 'later' (in ${{ later }})`,
		},
	} {
		_, faults := env.Template("$.in", json.RawMessage(source))
		var got []string
		for _, f := range faults {
			got = append(got, f.Path+" "+f.Message)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}

func TestTemplateUses(t *testing.T) {
	t.Parallel()
	template, faults := newEnv(t).Template("$.steps[1].input", json.RawMessage(`{
		"code": "${{ steps.write.output }}", "plain": "x", "list": ["Reviewed: ${{ steps.review.status }} ${{ inputs.a }}", "${{ has(inputs.b) ? steps.write.output : inputs.c }}"]}`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if diff := cmp.Diff([]string{"review", "write"}, template.Reads()); diff != "" {
		t.Error(diff)
	}
	want := []expression.Used{
		{Path: "$.steps[1].input.code", Steps: []string{"write"}, Inputs: []string{}},
		{Path: "$.steps[1].input.list[0]", Steps: []string{"review"}, Inputs: []string{"a"}},
		{Path: "$.steps[1].input.list[1]", Steps: []string{"write"}, Inputs: []string{"c"}},
	}
	if diff := cmp.Diff(want, template.Uses(), cmp.Transformer("", func(l []string) string { return strings.Join(l, " ") })); diff != "" {
		t.Error(diff)
	}
}

// TestBudgetIsShared: the expressions of a step pay from one purse, and write into one input.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	half, faults := env.Template("$.in", json.RawMessage(`"${{ inputs.long.replace('zz', 'x').replace('zz', 'x').size() }}"`))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	budget := expression.NewBudget(expression.NewPurse())
	for i := range 100 {
		if _, err := half.Eval(values(), budget); err != nil {
			if want := "expression_failed: $.in has no value: " + costly; failure(t, err) != want {
				t.Errorf("%v, want %s", err, want)
			}
			if i < 2 || i > 8 { // about 50,000 units each
				t.Errorf("the budget was spent after %d", i)
			}
			break
		}
	}
	room, _ := env.Template("$.outputs.a", json.RawMessage(`"${{ inputs.long.replace('ab', 'abcdefghijklmnopqr') }}"`))
	outputs := expression.NewOutputBudget() // 1 MiB
	for i, want := range []string{"", "", "payload_too_large: the expressions make more than 1048576 bytes of JSON; hand over less, or where it is to be found"} {
		if _, err := room.Eval(values(), outputs); failure(t, err) != want {
			t.Errorf("%d: %v, want %q", i, err, want)
		}
	}
	if _, err := room.Eval(values(), expression.NewBudget(expression.NewPurse())); err != nil {
		t.Error(err)
	}
	if expression.MaxCost != 200_000 || sdk.MaxInput != 512<<10 {
		t.Error("the documentation has other bounds")
	}
}
