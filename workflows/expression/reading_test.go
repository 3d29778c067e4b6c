package expression_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// TestReading: an input is decoded once for all that share what is read, whatever steps they see. Everybody pays for it, and who can not
// takes it from nobody else.
func TestReading(t *testing.T) { // not parallel: it counts what is allocated
	env := newEnv(t)
	condition, err := env.Condition(`inputs.list.size() > 0 && steps.test.status == "completed"`)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := env.Condition(`inputs.broken == 1`)
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]json.RawMessage{"list": json.RawMessage("[" + strings.Repeat("1,", 40_000) + "1]"), "broken": json.RawMessage("1e999")}
	reading := expression.NewReading()
	see := func(status sdk.StepStatus) expression.Values {
		return expression.Values{Inputs: inputs, Steps: map[string]expression.Result{"test": {Status: status}}, Reading: reading}
	}
	evaluate := func() (paid int) {
		purse := expression.NewPurse()
		for budget := expression.NewBudget(purse); ; paid++ {
			if yes, err := condition.Eval(see(sdk.StepCompleted), budget); err != nil {
				if !strings.HasSuffix(failure(t, err), costly) {
					t.Error(err)
				}
				return paid
			} else if !yes {
				t.Error("it does not see its steps")
			}
		}
	}
	if paid := evaluate(); paid < 5 || paid > 20 {
		t.Errorf("a step has read it %d times", paid)
	}
	if yes, err := condition.Eval(see(sdk.StepFailed), expression.NewBudget(expression.NewPurse())); yes || err != nil {
		t.Errorf("%t %v", yes, err)
	}
	if made := testing.AllocsPerRun(1, func() { evaluate() }); made > 10_000 {
		t.Errorf("it is decoded again: %.0f values are made", made)
	}
	for range 2 {
		if _, err := broken.Eval(see(sdk.StepCompleted), expression.NewBudget(expression.NewPurse())); !strings.Contains(failure(t, err), "the input broken can not be read") {
			t.Error(err)
		}
	}
}
