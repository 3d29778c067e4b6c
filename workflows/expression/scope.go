package expression

import (
	"encoding/json"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/rolecall-dev/rolecall/sdk"
)

// scope is what the expressions of one evaluation see: inputs and steps. What they do not read is not parsed.
type scope struct {
	inputs, steps *object
}

func newScope(v Values) *scope {
	s := &scope{
		inputs: &object{fields: map[string]ref.Val{}, names: sortedNames(v.Inputs)},
		steps:  &object{fields: map[string]ref.Val{}, names: sortedNames(v.Steps)},
	}
	s.inputs.load = func(name string) (ref.Val, bool) {
		raw, found := v.Inputs[name]
		if !found {
			return nil, false
		}
		return read(raw, "the input "+sdk.Cut(name, sdk.MaxMetadataKey))
	}
	s.steps.load = func(id string) (ref.Val, bool) {
		result, found := v.Steps[id]
		if !found {
			return nil, false
		}
		return result.object(id), true
	}
	return s
}

// object is the result as expressions see it.
func (r Result) object(id string) *object {
	return &object{
		fields: map[string]ref.Val{namedStatus: types.String(r.Status)},
		names:  list([]ref.Val{types.String(namedOutput), types.String(namedStatus)}),
		load: func(name string) (ref.Val, bool) {
			if name != namedOutput {
				return nil, false
			}
			return read(r.Output, "the output of step "+id)
		},
	}
}

// read answers a value, or an error value that is not found.
func read(raw json.RawMessage, what string) (ref.Val, bool) {
	value, err := decode(raw)
	if err != nil {
		return types.NewErr("%s can not be read: %v", what, err), false
	}
	return value, true
}

// ResolveName implements [interpreter.Activation].
func (s *scope) ResolveName(name string) (any, bool) {
	switch name {
	case namedInputs:
		return s.inputs, true
	case namedSteps:
		return s.steps, true
	default:
		return nil, false
	}
}

// Parent implements [interpreter.Activation]: there is none.
func (*scope) Parent() interpreter.Activation { return nil }
