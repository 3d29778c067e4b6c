package expression

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// boundedFunctions answers those functions of the environment again that can make much of little, each looking first at what it would
// cost. What a call costs is charged when it is done; these would be done long after everything else has ended.
func boundedFunctions(env *cel.Env) ([]cel.EnvOption, error) {
	var options []cel.EnvOption
	for _, name := range []string{"indexOf", "lastIndexOf", "replace", "split", "join", "format"} {
		declared, ok := env.Functions()[name]
		if !ok {
			return nil, fmt.Errorf("the strings extension has no function %s", name)
		}
		bindings, err := declared.Bindings()
		if err != nil {
			return nil, err
		}
		own := map[string]*functions.Overload{}
		for _, b := range bindings {
			own[b.Operator] = b
		}
		var all []cel.FunctionOpt
		for _, o := range declared.OverloadDecls() {
			if own[o.ID()] == nil {
				return nil, fmt.Errorf("%s of the strings extension has nothing that computes it", o.ID())
			}
			bound := cel.FunctionBinding(bounded(name, own[o.ID()]))
			all = append(all, cel.MemberOverload(o.ID(), o.ArgTypes(), o.ResultType(), bound))
		}
		options = append(options, cel.Function(name, all...))
	}
	return options, nil
}

func bounded(name string, own *functions.Overload) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		if price(name, args) > MaxCost {
			return types.NewErr("%s costs more than %d units", name, MaxCost)
		}
		switch {
		case own.Unary != nil && len(args) == 1:
			return own.Unary(args[0])
		case own.Binary != nil && len(args) == 2:
			return own.Binary(args[0], args[1])
		case own.Function != nil:
			return own.Function(args...)
		default:
			return types.NewErr("no such overload: %s", name)
		}
	}
}

// utcTimestamps has timestamp read a text as a time in UTC, whatever offset is written there: it may else take on the zone of the machine,
// which changes its offset in summer.
func utcTimestamps() cel.EnvOption {
	return cel.Function(overloads.TypeConvertTimestamp, cel.Overload(overloads.StringToTimestamp, []*cel.Type{cel.StringType}, cel.TimestampType,
		cel.UnaryBinding(func(text ref.Val) ref.Val {
			value := text.ConvertToType(types.TimestampType)
			if t, ok := value.(types.Timestamp); ok {
				return types.Timestamp{Time: t.UTC()}
			}
			return value
		})))
}
