package expression_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// heavy is as much as a plan can hand to an expression.
func heavy() expression.Values {
	v := values()
	delete(v.Inputs, "beyond") // which can not be read
	v.Inputs["text"] = json.RawMessage(`"` + strings.Repeat("a", 500<<10) + `"`)
	v.Inputs["numbers"] = json.RawMessage("[" + strings.TrimSuffix(strings.Repeat("1,", 100_000), ",") + "]")
	v.Inputs["name"] = json.RawMessage(`{"` + strings.Repeat("n", 200<<10) + `": 1}`)
	v.Inputs["bomb"] = json.RawMessage(`"(` + strings.Repeat("a", 980) + `){1000}"`)
	v.Inputs["tables"] = json.RawMessage(`"(?i)[` + strings.Repeat(`B-\\x{1e942}`, 80) + `]"`)
	v.Inputs["pattern"] = json.RawMessage(`"(x+x+)+y|` + strings.Repeat("(a|aa)+", 40) + `"`)
	return v
}

// TestRunawaysEnd: whatever an expression does, it is over soon, and says that it costs too much. Each of these is cheap by CEL's own
// prices, or looks at what it costs when it is done.
func TestRunawaysEnd(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	const numbers = "inputs.numbers"
	for name, test := range map[string]struct {
		source string
		code   sdk.Code // "": it has a value
	}{
		"four loops in one another":             {numbers + ".all(a, " + numbers + ".all(b, " + numbers + ".all(c, " + numbers + ".all(d, a + b + c + d > 0))))", sdk.CodeExpressionFailed},
		"lists that hold themselves":            {doubled(90) + " == " + doubled(90), sdk.CodeExpressionFailed},
		"lists that hold themselves, unlike":    {doubled(80) + " == " + doubled(79), ""},
		"lists added to themselves":             {"[dyn([1])]" + strings.Repeat(".map(l, l + l)", 90) + "[0].size() > 0", sdk.CodeExpressionFailed},
		"searching a list of itself":            {"2 in " + doubled(60), ""},
		"searching a list of itself for a list": {doubled(80) + "[0] in " + doubled(90), ""},
		"formatting a list of itself":           {`"%s".format([` + doubled(90) + `]) == ""`, sdk.CodeExpressionFailed},
		"a map that holds itself":               {"[1]" + strings.Repeat(".map(m, dyn({'a': m, 'b': m}))", 60) + "[0] == [1]" + strings.Repeat(".map(m, dyn({'a': m, 'b': m}))", 60) + "[0]", sdk.CodeExpressionFailed},
		"replacing nothing with much":           {`inputs.text.replace("", inputs.text) == ""`, sdk.CodeExpressionFailed},
		"joining with much":                     {`["a","b","c","d"].map(x, inputs.text).map(x, [x, x, x, x].join(inputs.text)).join(inputs.text) == ""`, sdk.CodeExpressionFailed},
		"joining many":                          {numbers + `.map(x, inputs.text).join(inputs.text) == ""`, sdk.CodeExpressionFailed},
		"searching much for much":               {`inputs.text.indexOf(inputs.text.substring(200000) + "b") == 1`, sdk.CodeExpressionFailed},
		"searching from behind":                 {`inputs.text.lastIndexOf("b" + inputs.text.substring(200000)) == 1`, sdk.CodeExpressionFailed},
		"a text that doubles":                   {`["aaaaaaaaaa"]` + strings.Repeat(".map(s, s + s)", 60) + `[0] == ""`, sdk.CodeExpressionFailed},
		"quoting what is quoted":                {"size(" + strings.Repeat("strings.quote(", 50) + `"\\"` + strings.Repeat(")", 50) + ") > 0", sdk.CodeExpressionFailed},
		"a size in a loop":                      {numbers + ".all(x, size(inputs.text) > 0)", sdk.CodeExpressionFailed},
		"a conversion in a loop":                {numbers + `.all(x, double("0." + inputs.text.replace("a", "1")) > 0.0)`, sdk.CodeExpressionFailed},
		"comparing much in a loop":              {numbers + ".all(x, inputs.numbers == inputs.numbers)", sdk.CodeExpressionFailed},
		"a pattern in a loop":                   {numbers + ".all(x, !inputs.text.matches(inputs.pattern))", sdk.CodeExpressionFailed},
		"a costly pattern":                      {`inputs.text.matches("(x+x+)+y") || true`, sdk.CodeExpressionFailed},
		"a small pattern in a loop":             {numbers + `.all(x, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab".matches("(a|aa)+$") == false)`, sdk.CodeExpressionFailed},
		"a pattern that repeats much":           {numbers + `.exists(x, "a".matches(inputs.bomb))`, sdk.CodeExpressionFailed},
		"large patterns that repeat much":       {numbers + `.exists(x, "a".matches(inputs.bomb + inputs.bomb))`, sdk.CodeExpressionFailed},
		"a pattern that ignores case":           {numbers + `.exists(x, "a".matches(inputs.tables))`, sdk.CodeExpressionFailed},
		"a long name in a loop":                 {numbers + ".all(x, inputs.name.map(n, n)[0] in inputs.name)", sdk.CodeExpressionFailed},
		"errors that are passed over":           {numbers + `.exists(x, inputs.text.replace("", inputs.text) == "")`, sdk.CodeExpressionFailed},
		"building a list":                       {numbers + ".map(x, [x, x]).map(y, [y, y]).size() == 0", sdk.CodeExpressionFailed},
		"adding lists in a loop":                {numbers + ".map(x, inputs.numbers + inputs.numbers).size() == 0", sdk.CodeExpressionFailed},
		"splitting":                             {numbers + `.all(x, inputs.text.split("").size() > 0)`, sdk.CodeExpressionFailed},
		"characters":                            {numbers + `.all(x, inputs.text.charAt(x) == "a" && inputs.text.substring(x) != "" && inputs.text.reverse() != "")`, sdk.CodeExpressionFailed},
		"maps":                                  {numbers + ".all(x, {'a': x, 'b': x}.a > 0)", sdk.CodeExpressionFailed},
		"whole inputs":                          {numbers + ".all(x, inputs == inputs)", sdk.CodeExpressionFailed},
		"digits":                                {numbers + `.all(x, "%.100f%.100f%.100f".format([1e308, 1e308, 1e308]) != "")`, sdk.CodeExpressionFailed},
	} {
		condition, err := env.Condition(test.source)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := heavy()
		started := time.Now()
		_, err = condition.Eval(v, expression.NewBudget())
		took := time.Since(started)
		t.Logf("%6d ms  %s: %v", took.Milliseconds(), name, err)
		if took > 2*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if test.code == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Code != test.code || !strings.Contains(e.Message, "cost") && !strings.Contains(e.Message, "can not be") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkEnv(b *testing.B) {
	for b.Loop() {
		if _, err := expression.NewEnv(); err != nil {
			b.Fatal(err)
		}
	}
}

// typical is a step as most are.
const (
	typicalWhen  = `steps.test.output.passed == true && steps.broken.status != "completed"`
	typicalInput = `{"code": "${{ steps.test.output }}", "notes": "Reviewed: ${{ steps.test.output.summary }}", "language": "${{ inputs.language }}", "n": 1}`
)

func BenchmarkCompileStep(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		env := newEnv(b)
		b.StartTimer()
		if _, err := env.Condition(typicalWhen); err != nil {
			b.Fatal(err)
		}
		if _, faults := env.Template("$.in", json.RawMessage(typicalInput)); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}

func BenchmarkEvalStep(b *testing.B) {
	env := newEnv(b)
	when, err := env.Condition(typicalWhen)
	if err != nil {
		b.Fatal(err)
	}
	input, faults := env.Template("$.in", json.RawMessage(typicalInput))
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	v := values()
	for b.Loop() {
		budget := expression.NewBudget()
		if ok, err := when.Eval(v, budget); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if _, err := input.Eval(v, budget); err != nil {
			b.Fatal(err)
		}
	}
}
