// Package expression evaluates the expressions of a plan.
package expression

import (
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Env is what expressions are compiled in.
type Env struct{}

// NewEnv makes an environment.
func NewEnv() (*Env, error) { return &Env{}, nil }

// Values are what expressions read.
type Values struct {
	Inputs map[string]json.RawMessage
	Steps  map[string]Result
}

// Result is what an expression reads of a step. An empty output reads as null.
type Result struct {
	Output json.RawMessage
	Status sdk.StepStatus
}

// Budget is what expressions may cost together.
type Budget struct{}

// NewBudget is the budget of one step.
func NewBudget() *Budget { return &Budget{} }

// Condition is an expression that is true or false.
type Condition struct{}

// Condition compiles a condition.
func (e *Env) Condition(_ string) (*Condition, error) { return &Condition{}, nil }

// Reads are the ids of the steps that it reads, sorted.
func (c *Condition) Reads() []string { return nil }

// ReadsStatus are the ids of the steps whose status it reads, sorted.
func (c *Condition) ReadsStatus() []string { return nil }

// Eval answers the condition.
func (c *Condition) Eval(_ Values, _ *Budget) (bool, error) { return true, nil }

// Template is JSON whose strings may hold expressions.
type Template struct{}

// Template compiles JSON.
func (e *Env) Template(_ string, _ json.RawMessage) (*Template, []sdk.Fault) { return &Template{}, nil }

// Reads are the ids of the steps that it reads, sorted.
func (t *Template) Reads() []string { return nil }

// Eval answers the JSON with the values of its expressions.
func (t *Template) Eval(_ Values, _ *Budget) (json.RawMessage, error) { return nil, nil }
