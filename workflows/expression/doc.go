// Package expression evaluates the expressions of a plan: its steps' conditions, and JSON whose strings hold ${{ expressions }}.
//
// Expressions are CEL with its strings extension. What they answer depends on their text and on what they read, and on nothing else: no
// clock, no random number, no table of time zones, and objects are gone through in the order of their names. So a workflow evaluates them
// again when it is replayed, and comes to the same.
//
// They come from callers, so all that they may cost is bounded: how long they are, how deep they nest, what they read and compute ([MaxCost],
// those of all steps [MaxPlanCost]) and what they make ([NewBudget]). An [Env] compiles them, once in a run of a plan:
//
//	env, err := expression.NewEnv()
//	when, err := env.Condition(`steps.test.output.passed == true`)
//	ok, err := when.Eval(values, expression.NewBudget(expression.NewPurse()))
package expression

import (
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Values are what expressions read. Neither inputs nor steps are changed.
type Values struct {
	Inputs map[string]json.RawMessage
	Steps  map[string]Result // by the id of the step

	// Reading keeps what is read of the inputs for evaluations with other Steps. Nil: each evaluation reads for itself.
	Reading *Reading

	shared *scope // of all that are evaluated with them; nil: each has its own
}

// Shared are the same values for several evaluations, one after another: what one of them has read is there for the others. They are not
// safe for concurrent use.
func (v Values) Shared() Values {
	v.shared = newScope(v)
	return v
}

// read is what an evaluation reads them through.
func (v Values) read() *scope {
	if v.shared != nil {
		return v.shared
	}
	return newScope(v)
}

// Result is what an expression reads of a step: steps.<id>.output and steps.<id>.status. An empty output reads as null.
type Result struct {
	Output json.RawMessage
	Status sdk.StepStatus
}
