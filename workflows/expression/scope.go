package expression

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// scope is what the expressions of one evaluation see: inputs and steps. What they do not read is not parsed.
type scope struct {
	inputs, steps *object
	budget        *Budget // pays for what is read
}

func newScope(v Values) *scope {
	inputs := v.Reading
	if inputs == nil {
		inputs = NewReading()
	}
	s := &scope{
		inputs: &object{fields: map[string]ref.Val{}},
		steps:  &object{fields: map[string]ref.Val{}, order: func() traits.Lister { return sortedNames(v.Steps) }},
	}
	s.inputs.order = func() traits.Lister {
		s.budget.spend(uint64(len(v.Inputs)))
		return sortedNames(v.Inputs)
	}
	s.inputs.load = func(name string) (ref.Val, bool) {
		raw, found := v.Inputs[name]
		if !found {
			return nil, false
		}
		return s.read(inputs.of(name, raw))
	}
	s.steps.load = func(id string) (ref.Val, bool) {
		result, found := v.Steps[id]
		if !found {
			return nil, false
		}
		return s.result(id, result), true
	}
	return s
}

// result is a result as expressions see it.
func (s *scope) result(id string, r Result) *object {
	return &object{
		fields: map[string]ref.Val{namedStatus: types.String(r.Status)},
		names:  list([]ref.Val{types.String(namedOutput), types.String(namedStatus)}),
		load: func(name string) (ref.Val, bool) {
			if name != namedOutput {
				return nil, false
			}
			return s.read(&jsonRead{raw: r.Output, what: "the output of step " + id, cost: jsonCost(r.Output, outputBytes)})
		},
	}
}

// read answers a value, or an error value that is not found, and has it paid for first.
func (s *scope) read(j *jsonRead) (ref.Val, bool) {
	if !s.budget.spend(j.cost) {
		return types.WrapErr(s.budget.costly()), false
	}
	return j.decoded()
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
