package expression

import (
	"cmp"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// written is a map that an expression wrote, gone through in the order of its keys: false and true, whole numbers, then texts.
type written struct {
	traits.Mapper
	keys traits.Lister
}

// Iterator implements [traits.Iterable].
func (w written) Iterator() traits.Iterator { return w.keys.Iterator() }

// Equal implements [ref.Val].
func (w written) Equal(other ref.Val) ref.Val { return equalValues(w, other) }

// writtenMap answers the map in the order of its keys, or an error value.
func writtenMap(m traits.Mapper) ref.Val {
	var keys []ref.Val
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		switch key := key.(type) {
		case types.Bool, types.Int, types.Uint:
		case types.String:
			if len(key) > maxName {
				return types.NewErr("a name of %d bytes can not be in a map: the largest has %d", len(key), maxName)
			}
		default:
			return types.NewErr("a key of type %s can not be in a map: write a text, a whole number, true or false", key.Type().TypeName())
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareKeys)
	return written{Mapper: m, keys: list(keys)}
}

// compareKeys orders the keys of a map: of two types, as rank does; of one, as CEL does.
func compareKeys(a, b ref.Val) int {
	if by := cmp.Compare(rank(a), rank(b)); by != 0 {
		return by
	}
	if less, ok := a.(traits.Comparer).Compare(b).(types.Int); ok {
		return int(less)
	}
	return 0
}

func rank(key ref.Val) int {
	switch key.(type) {
	case types.Bool:
		return 0
	case types.Int:
		return 1
	case types.Uint:
		return 2
	default:
		return 3
	}
}
