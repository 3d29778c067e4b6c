package expression

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// meter compares values, and counts what that costs as it goes: a value of a few units can hold another one so often that it has more
// parts than can ever be looked at.
type meter struct {
	left  uint64
	spent bool    // there was less left than was asked for: what was answered means nothing
	wrong ref.Val // why a value could not be read; nil: it could
}

// equalValues is how a value compares itself with another one where CEL asks it.
func equalValues(a, b ref.Val) ref.Val {
	m := meter{left: MaxCost}
	equal := m.equal(a, b)
	switch {
	case m.spent:
		return types.NewErr("the comparison costs more than %d units", MaxCost)
	case m.wrong != nil:
		return m.wrong
	default:
		return types.Bool(equal)
	}
}

// take counts units, and answers whether there were as many left.
func (m *meter) take(units uint64) bool {
	if m.spent || units > m.left {
		m.left, m.spent = 0, true
		return false
	}
	m.left -= units
	return true
}

// equal is CEL's equality.
func (m *meter) equal(a, b ref.Val) bool {
	if !m.take(1) {
		return false
	}
	switch a := a.(type) {
	case traits.Lister:
		b, ok := b.(traits.Lister)
		return ok && a.Size() == b.Size() && m.equalLists(a, b)
	case traits.Mapper:
		b, ok := b.(traits.Mapper)
		return ok && a.Size() == b.Size() && m.equalMaps(a, b)
	}
	switch b.(type) {
	case traits.Lister, traits.Mapper:
		return false
	}
	return m.take(min(text(a), text(b))/textUnit) && types.Equal(a, b) == types.True
}

func (m *meter) equalLists(a, b traits.Lister) bool {
	other := b.Iterator()
	for it := a.Iterator(); it.HasNext() == types.True; {
		if other.HasNext() != types.True || !m.equal(it.Next(), other.Next()) {
			return false
		}
	}
	return true
}

func (m *meter) equalMaps(a, b traits.Mapper) bool {
	for it := a.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		if !m.take(1 + text(key)/textUnit) {
			return false
		}
		mine, have := a.Find(key)
		other, found := b.Find(key)
		switch {
		case !have && mine != nil:
			m.wrong = mine
		case !found && other != nil:
			m.wrong = other
		}
		if !have || !found || !m.equal(mine, other) {
			return false
		}
	}
	return true
}

// in is CEL's in: whether a list has a value, or a map a key.
func (m *meter) in(value, container ref.Val) ref.Val {
	switch c := container.(type) {
	case traits.Lister:
		for it := c.Iterator(); it.HasNext() == types.True && m.take(1); {
			if m.equal(it.Next(), value) {
				return types.True
			}
		}
		return types.False
	case traits.Mapper:
		m.take(text(value) / textUnit)
		return c.Contains(value)
	default:
		return types.MaybeNoSuchOverloadErr(container)
	}
}
