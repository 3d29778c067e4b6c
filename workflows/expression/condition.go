package expression

import (
	"fmt"

	"cel.dev/cel-go/common/types"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Condition is an expression that is true or false.
type Condition struct {
	program *program
}

// Condition compiles a condition; the text of the error is the message of a fault.
func (e *Env) Condition(source string) (*Condition, error) {
	p, err := e.compile(source)
	if err != nil {
		return nil, err
	}
	if !p.result.IsExactType(types.BoolType) && !p.result.IsExactType(types.DynType) {
		return nil, fmt.Errorf("must be true or false, and this is of type %s", p.result)
	}
	return &Condition{program: p}, nil
}

// Reads are the ids of the steps that the condition reads, sorted. The slice is not to be changed.
func (c *Condition) Reads() []string { return c.program.reads.steps }

// ReadsStatus are the ids of the steps whose status it reads, sorted. The slice is not to be changed.
func (c *Condition) ReadsStatus() []string { return c.program.reads.statuses }

// ReadsInputs are the names of the inputs that it needs, sorted: those that it reads, and does not ask for with has(). The slice is not to
// be changed.
func (c *Condition) ReadsInputs() []string { return c.program.reads.inputs }

// Eval answers the condition; the error is an [sdk.Error] of code expression_failed.
func (c *Condition) Eval(v Values, b *Budget) (bool, error) {
	value, err := c.program.eval(v.read(), b)
	if err != nil {
		return false, sdk.Errorf(sdk.CodeExpressionFailed, "the condition has no value: %v", err)
	}
	truth, ok := value.(types.Bool)
	if !ok {
		return false, sdk.Errorf(sdk.CodeExpressionFailed, "the condition is %s; it must be true or false", kindOf(value))
	}
	return bool(truth), nil
}
