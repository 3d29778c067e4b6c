package expression

import (
	"errors"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/rolecall-dev/rolecall/sdk"
)

// eval answers the value of an expression and takes what it cost from the budget; the error says in words why there is none.
func (p *program) eval(s *scope, b *Budget) (ref.Val, error) {
	if b.spent() {
		return nil, b.costly()
	}
	s.budget = b
	value, details, err := p.run.Eval(s)
	if units := details.ActualCost(); units != nil && !b.spend(*units) {
		return nil, b.costly()
	}
	if err != nil {
		return nil, valueless(err)
	}
	return value, nil
}

// valueless says why an expression has no value.
func valueless(err error) error {
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
