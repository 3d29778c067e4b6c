package expression

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// textUnit is how many bytes of text a unit pays for.
const textUnit = 10

// prices says what a call costs. CEL's own prices know the types that an expression was checked with only, and what plans read has none:
// to them, two texts of 500 KiB added to one another would cost 1.
type prices struct{}

// CallCost implements [cost.ActualCostEstimator].
func (prices) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	units := price(function, args)
	return &units
}

// price is what a call costs in units, known before it is made. It looks at no more than it charges for.
func price(function string, args []ref.Val) uint64 {
	switch function {
	case metered:
		return uint64(args[0].(types.Uint)) // counted as it went
	case operators.Equals, operators.NotEquals, operators.In, operators.Add, overloads.Matches:
		return 0 // metered
	case "indexOf", "lastIndexOf":
		return 1 + texts(args)/textUnit + text(args[0])*text(args[1])/(10*textUnit)
	case "replace":
		return 1 + (texts(args)+replaced(args))/textUnit
	case "split":
		return 1 + texts(args)/textUnit + parts(args)
	case "join":
		return 1 + joined(args)
	case "format":
		return 1 + 4*text(args[0]) + 4*weigh(args[1], MaxCost)
	case "strings.quote":
		return 1 + 4*texts(args)/textUnit
	default:
		return 1 + texts(args)/textUnit
	}
}

// text is the size of a text or of bytes; of anything else it is 0.
func text(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	default:
		return 0
	}
}

func texts(args []ref.Val) (total uint64) {
	for _, arg := range args {
		total += text(arg)
	}
	return total
}

// replaced is about how large the answer of replace is at most.
func replaced(args []ref.Val) uint64 {
	s, isText := args[0].(types.String)
	old, isOld := args[1].(types.String)
	if !isText || !isOld {
		return 0
	}
	times := strings.Count(string(s), string(old))
	if len(args) > 3 {
		if n, ok := args[3].(types.Int); ok && n >= 0 {
			times = int(min(int64(times), int64(n)))
		}
	}
	return text(s) + uint64(times)*text(args[2])
}

// parts is into how many texts split cuts one.
func parts(args []ref.Val) uint64 {
	s, isText := args[0].(types.String)
	by, isSeparator := args[1].(types.String)
	if !isText || !isSeparator {
		return 0
	}
	return uint64(strings.Count(string(s), string(by))) + 1
}

// joined is a unit for each element, and what the text costs that join makes of them.
func joined(args []ref.Val) uint64 {
	between := uint64(0)
	if len(args) > 1 {
		between = text(args[1])
	}
	total := uint64(0)
	if l, ok := args[0].(traits.Lister); ok {
		for it := l.Iterator(); total <= MaxCost && it.HasNext() == types.True; {
			total += 1 + (text(it.Next())+between)/textUnit
		}
	}
	return total
}

// weigh is a unit for each value in v, and one more for every ten bytes of its texts. It stops at the limit.
func weigh(v ref.Val, limit uint64) uint64 {
	total := 1 + text(v)/textUnit
	switch v := v.(type) {
	case traits.Lister:
		for it := v.Iterator(); total <= limit && it.HasNext() == types.True; {
			total += weigh(it.Next(), limit-total)
		}
	case traits.Mapper:
		for it := v.Iterator(); total <= limit && it.HasNext() == types.True; {
			key := it.Next()
			total += 1 + text(key)/textUnit
			if value, ok := v.Find(key); ok && total <= limit {
				total += weigh(value, limit-total)
			}
		}
	}
	return total
}
