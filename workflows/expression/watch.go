package expression

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// watch puts ours in the place of what CEL would evaluate without an order, or without counting what it costs before it is done.
func watch(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch n := node.(type) {
	case interpreter.InterpretableCall:
		if op := operation(n.Function()); op != nil && len(n.Args()) == 2 {
			return &watchedCall{InterpretableCall: n, left: n.Args()[0], right: n.Args()[1], op: op}, nil
		}
	case interpreter.InterpretableConstructor:
		if n.Type() == types.MapType {
			return &watchedMap{InterpretableV2: n}, nil
		}
	}
	return node, nil
}

// operation answers how ours computes a function of two values, and counts what it costs; nil: CEL's own does it.
func operation(function string) func(m *meter, left, right ref.Val) ref.Val {
	switch function {
	case operators.Equals:
		return func(m *meter, left, right ref.Val) ref.Val { return types.Bool(m.equal(left, right)) }
	case operators.NotEquals:
		return func(m *meter, left, right ref.Val) ref.Val { return types.Bool(!m.equal(left, right)) }
	case operators.In:
		return func(m *meter, left, right ref.Val) ref.Val { m.take(1); return m.in(left, right) }
	case operators.Add:
		return add
	case overloads.Matches:
		return matches
	default:
		return nil
	}
}

// watchedCall is a call of two values. What it costs is charged when it is done, and it stops when that is more than there is.
type watchedCall struct {
	interpreter.InterpretableCall
	left, right interpreter.InterpretableV2
	op          func(m *meter, left, right ref.Val) ref.Val
}

// Exec implements [interpreter.InterpretableV2].
func (c *watchedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	left := c.left.Exec(frame)
	if types.IsUnknownOrError(left) {
		return left
	}
	right := c.right.Exec(frame)
	if types.IsUnknownOrError(right) {
		return right
	}
	m := meter{left: MaxCost}
	result := c.op(&m, left, right)
	units := MaxCost - m.left
	if m.spent {
		units = MaxCost + 1
	}
	charge(frame, c.ID(), units)
	if m.wrong != nil {
		return m.wrong
	}
	return result
}

// Eval implements [interpreter.Interpretable].
func (c *watchedCall) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}

// watchedMap is a map that the expression writes.
type watchedMap struct{ interpreter.InterpretableV2 }

// Exec implements [interpreter.InterpretableV2].
func (m *watchedMap) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.InterpretableV2.Exec(frame)
	made, ok := value.(traits.Mapper)
	if !ok {
		return value
	}
	units := uint64(0)
	for it := made.Iterator(); it.HasNext() == types.True; {
		units += 1 + text(it.Next())/textUnit
	}
	charge(frame, m.ID(), units)
	return writtenMap(made)
}

// Eval implements [interpreter.Interpretable].
func (m *watchedMap) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, m.Exec)
}

// metered is the name of the call that stands for what was counted.
const metered = "@metered"

type meteredCall struct{}

func (meteredCall) Function() string   { return metered }
func (meteredCall) OverloadID() string { return "" }

// charge adds units to what the evaluation has cost. Where that is more than it may, the evaluation ends here.
func charge(frame *interpreter.ExecutionFrame, id int64, units uint64) {
	if costs := frame.CostTracker(); costs != nil {
		costs.EvalUnary(frame, id, meteredCall{}, types.Uint(units), nil)
	}
}

// copied is how many elements of a list are put into another one for a unit.
const copied = 4

// add is CEL's +. Lists are put into one, so that an element is found at once however often they were added to others.
func add(m *meter, left, right ref.Val) ref.Val {
	m.take(1)
	a, isList := left.(traits.Lister)
	b, areLists := right.(traits.Lister)
	_, grows := left.(traits.MutableLister)
	switch {
	case isList && areLists && grows: // what map and filter collect in
		if !m.take(size(b) / copied) {
			return types.False
		}
		return a.(traits.Adder).Add(right)
	case isList && areLists:
		if !m.take((size(a) + size(b)) / copied) {
			return types.False
		}
		values := make([]ref.Val, 0, size(a)+size(b))
		for _, l := range []traits.Lister{a, b} {
			for it := l.Iterator(); it.HasNext() == types.True; {
				values = append(values, it.Next())
			}
		}
		return list(values)
	}
	adder, ok := left.(traits.Adder)
	if !ok {
		return types.MaybeNoSuchOverloadErr(left)
	}
	if !m.take((text(left) + text(right)) / textUnit) {
		return types.False
	}
	return adder.Add(right)
}

func size(l traits.Lister) uint64 {
	n, _ := l.Size().(types.Int)
	return uint64(max(n, 0))
}
