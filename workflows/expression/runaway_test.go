package expression_test

import (
	"encoding/json"
	"errors"
	"fmt"
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
	v.Inputs["broken"] = json.RawMessage("[" + strings.Repeat("1,", 100_000) + "1e999]")
	v.Inputs["bomb"] = json.RawMessage(`"(` + strings.Repeat("a", 980) + `){1000}"`)
	v.Inputs["tables"] = json.RawMessage(`"(?i)[` + strings.Repeat(`B-\\x{1e942}`, 80) + `]"`)
	v.Inputs["pattern"] = json.RawMessage(`"(x+x+)+y|` + strings.Repeat("(a|aa)+", 40) + `"`)
	return v
}

// TestRunawaysEnd: whatever an expression does, it is over soon, and says that it costs too much. Each of these is cheap by CEL's own
// prices, or looks at what it costs when it is done.
func TestRunawaysEnd(t *testing.T) {
	t.Parallel()
	env, given := newEnv(t), heavy()
	const numbers = "inputs.numbers"
	const most = 5 * time.Second
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
		"what can not be read":                  {numbers + `.exists(x, inputs.broken == x)`, sdk.CodeExpressionFailed},
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
		took := time.Hour
		for tries := 0; tries < 3 && took > most; tries++ { // the machine may be busy with other things
			started := time.Now()
			_, err = condition.Eval(given, expression.NewBudget(expression.NewPurse()))
			took = min(took, time.Since(started))
		}
		t.Logf("%6d ms  %s: %v", took.Milliseconds(), name, err)
		if took > most {
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

// TestLiteralsAreFoundSoon: names are looked at about as often as they are written, however they stand beside one another.
func TestLiteralsAreFoundSoon(t *testing.T) {
	t.Parallel()
	commas := func(part string, n int) string { return strings.TrimSuffix(strings.Repeat(part+",", n), ",") }
	for name, source := range map[string]string{
		"operands":             "f(" + commas("a", 2000) + ")",
		"operands of a member": "'a'.startsWith(" + commas("a", 2000) + ")",
		"names and texts":      "[" + commas("a", 1000) + "] == [" + commas("'b'", 450) + "]",
		"comparisons":          strings.Repeat("(", 90) + "'b'" + strings.Repeat(" == a.b.c.d)", 90),
		"calls":                strings.Repeat("f(a, ", 90) + "'b' == a" + strings.Repeat(")", 90),
		"loops":                strings.Repeat("[a, 'b'].exists(a, a == b && ", 40) + "a" + strings.Repeat(")", 40),
		"loops over loops":     "[a, 'b']" + strings.Repeat(".map(a, a == b ? a : b)", 80) + " == a",
	} {
		names := 0
		found, err := newEnv(t).Literals(source, func(string) int { names++; return names })
		if err != nil || len(found) == 0 && name != "operands" {
			t.Errorf("%s: %d texts: %v", name, len(found), err)
		}
		if names > len(source) {
			t.Errorf("%s: %d bytes have %d names", name, len(source), names)
		}
	}
}

// TestReadingCosts: what is read is paid for, by its size and by what is in it.
func TestReadingCosts(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	const outputs = 20
	var reads []string
	v := expression.Values{Steps: map[string]expression.Result{}}
	fill := func(text string) {
		for i := range outputs {
			v.Steps[fmt.Sprint("s", i)] = expression.Result{Output: json.RawMessage(text), Status: sdk.StepCompleted}
		}
	}
	for i := range outputs {
		reads = append(reads, fmt.Sprintf("steps.s%d.output != null", i))
	}
	condition, err := env.Condition(strings.Join(reads, " && "))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct{ output, want string }{
		"text":           {`"` + strings.Repeat(`a,[\"`, 50<<10) + `"`, ""},
		"large texts":    {`"` + strings.Repeat("a", 520<<10) + `"`, "expression_failed: the condition has no value: " + costly},
		"numbers":        {"[" + strings.Repeat("1,", 120<<10) + "1]", "expression_failed: the condition has no value: " + costly},
		"lists":          {"[" + strings.Repeat("[],", 80<<10) + "[]]", "expression_failed: the condition has no value: " + costly},
		"names":          {`{"a":` + strings.Repeat(`1,"b":`, 40<<10) + "1}", "expression_failed: the condition has no value: " + costly},
		"nothing at all": {"", ""},
	} {
		fill(test.output)
		if _, err := condition.Eval(v, expression.NewBudget(expression.NewPurse())); failure(t, err) != test.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What one has read is there for the others.
	fill("[" + strings.Repeat("1,", 10<<10) + "1]")
	shared, budget := v.Shared(), expression.NewBudget(expression.NewPurse())
	for i := range 10 {
		if _, err := condition.Eval(shared, budget); err != nil {
			t.Fatal(i, err)
		}
	}
}

// TestWritingCosts: what is written is paid for, also where it comes to nothing.
func TestWritingCosts(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	v := heavy()
	for source, want := range map[string]string{
		`["${{ inputs.numbers }}", "${{ inputs.numbers }}", "${{ inputs.text }}"]`: tooLarge,
		`"${{ inputs.numbers }}, ${{ inputs.text }}${{ inputs.text }}"`:            tooLarge,
	} {
		template, faults := env.Template("$.in", json.RawMessage(source))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		budget, shared := expression.NewBudget(expression.NewPurse()), v.Shared()
		for i := range 20 {
			_, err := template.Eval(shared, budget)
			if got := failure(t, err); got != want {
				if !strings.HasSuffix(got, costly) || i < 1 {
					t.Errorf("%s: %d: %v", source, i, got)
				}
				break
			} else if i == 19 {
				t.Errorf("%s costs nothing", source)
			}
		}
	}
}

// TestErrorsCost: an evaluation that ends in an error is paid for, and when the budget is spent nothing is evaluated.
func TestErrorsCost(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	condition, err := env.Condition(`inputs.numbers.filter(x, x == 1)[0] / 0 == 1`)
	if err != nil {
		t.Fatal(err)
	}
	one, err := env.Condition(`inputs.count == 3`)
	if err != nil {
		t.Fatal(err)
	}
	v := heavy()
	v.Inputs["numbers"] = json.RawMessage("[" + strings.Repeat("1,", 5000) + "1]")
	purse := expression.NewPurse()
	const whole = "the expressions of all steps cost more than 2000000 units together: compute less, or leave it to the steps' agents"
	steps := 0
	for ; steps <= expression.MaxPlanCost/expression.MaxCost; steps++ {
		budget := expression.NewBudget(purse)
		if _, err := one.Eval(v, budget); err != nil {
			break
		}
		for i := range 20 {
			_, err = condition.Eval(v, budget)
			if strings.HasSuffix(failure(t, err), costly) && i > 1 {
				break
			}
			if !strings.HasSuffix(failure(t, err), "division by zero") && !strings.HasSuffix(failure(t, err), whole) {
				t.Fatalf("step %d: %d: %v", steps, i, err)
			}
		}
		if _, err = one.Eval(v, budget); !strings.Contains(failure(t, err), "units together") {
			t.Fatalf("step %d: %v", steps, err)
		}
	}
	if steps < 5 || steps > expression.MaxPlanCost/expression.MaxCost {
		t.Errorf("the purse was spent after %d steps", steps)
	}
	if _, err := one.Eval(v, expression.NewBudget(purse)); !strings.HasSuffix(failure(t, err), whole) {
		t.Error(err)
	}
	if _, err := one.Eval(v, expression.NewOutputBudget()); err != nil {
		t.Error(err)
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
		budget := expression.NewBudget(expression.NewPurse())
		if ok, err := when.Eval(v, budget); err != nil || !ok {
			b.Fatal(ok, err)
		}
		if _, err := input.Eval(v, budget); err != nil {
			b.Fatal(err)
		}
	}
}
