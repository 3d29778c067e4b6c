package expression

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/rolecall-dev/rolecall/sdk"
)

// eval answers the value of an expression and takes what it cost from the budget; the error says in words why there is none.
func (p *program) eval(s *scope, b *Budget) (ref.Val, error) {
	value, details, err := p.run.Eval(s)
	if err != nil {
		return nil, valueless(err)
	}
	if units := details.ActualCost(); units != nil && !b.spend(*units) {
		return nil, errCostly()
	}
	return value, nil
}

func errCostly() error {
	return fmt.Errorf("the expressions cost more than %d units together: compute less, or leave it to the step's agent", MaxCost)
}

// valueless says why an expression has no value.
func valueless(err error) error {
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
		return errCostly()
	}
	message := strings.Join(strings.Fields(sdk.Cut(err.Error(), maxComplaint)), " ")
	switch {
	case strings.HasPrefix(message, "internal error"):
		return errors.New("it can not be evaluated")
	case strings.HasPrefix(message, "no such overload"):
		return errors.New("it has an operation that is not there for the types it is given, such as 1 + 0.5: convert them with int(), double() or string()")
	case strings.Contains(message, "expected iterable type"):
		return errors.New("it goes through what is neither a list nor an object")
	case strings.HasPrefix(message, "no such key"):
		return errors.New(message + "; has() asks whether a field is there")
	case strings.HasPrefix(message, "index out of bounds"):
		return errors.New(message + "; size() asks how long a list is")
	default:
		return errors.New(message)
	}
}

// kindOf is the type of a value as messages name it.
func kindOf(v ref.Val) string {
	if v == types.NullValue {
		return "null"
	}
	return "of type " + v.Type().TypeName()
}
