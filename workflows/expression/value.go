package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxName is how many bytes a name may have that is looked up in a map: what that costs is not counted.
const maxName = 4 << 10

// decode answers JSON as CEL sees it. A whole number is an int, a uint beyond that, and a double beyond that too.
func decode(raw json.RawMessage) (ref.Val, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return types.NullValue, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	return valueOf(tree)
}

func valueOf(tree any) (ref.Val, error) {
	switch v := tree.(type) {
	case nil:
		return types.NullValue, nil
	case bool:
		return types.Bool(v), nil
	case string:
		return types.String(v), nil
	case json.Number:
		return number(v.String())
	case []any:
		values := make([]ref.Val, len(v))
		for i, element := range v {
			var err error
			if values[i], err = valueOf(element); err != nil {
				return nil, err
			}
		}
		return list(values), nil
	case map[string]any:
		o := newObject(len(v))
		//workflowcheck:ignore
		for name, field := range v {
			value, err := valueOf(field)
			if err != nil {
				return nil, err
			}
			o.fields[name] = value
		}
		return o, nil
	default:
		return nil, fmt.Errorf("%T is no JSON", tree)
	}
}

func number(text string) (ref.Val, error) {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(n), nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return types.Uint(n), nil
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("it has a number that is larger than any that can be computed with")
	}
	return types.Double(n), nil
}

func list(values []ref.Val) traits.Lister {
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

// object is a JSON object, gone through in the order of its names.
type object struct {
	fields map[string]ref.Val
	names  traits.Lister                     // sorted; nil: nobody has asked for them yet
	order  func() traits.Lister              // makes them; nil: of fields
	load   func(name string) (ref.Val, bool) // answers a field when it is first asked for; nil: all are there
}

func newObject(size int) *object { return &object{fields: make(map[string]ref.Val, size)} }

// inOrder are its names, sorted when they are first asked for.
func (o *object) inOrder() traits.Lister {
	switch {
	case o.names != nil:
	case o.order != nil:
		o.names = o.order()
	default:
		o.names = sortedNames(o.fields)
	}
	return o.names
}

// sortedNames are the names of a map, sorted.
func sortedNames[V any](m map[string]V) traits.Lister {
	names := make([]string, 0, len(m))
	//workflowcheck:ignore
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	values := make([]ref.Val, len(names))
	for i, name := range names {
		values[i] = types.String(name)
	}
	return list(values)
}

// Find implements [traits.Mapper].
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	if len(name) > maxName {
		return types.NewErr("a name of %d bytes can not be looked up: the largest has %d", len(name), maxName), false
	}
	value, found := o.fields[string(name)]
	if !found && o.load != nil {
		if value, found = o.load(string(name)); value != nil {
			o.fields[string(name)] = value // an error too: nobody pays for it again
		}
	}
	return value, found && !types.IsError(value)
}

// Get implements [traits.Indexer].
func (o *object) Get(key ref.Val) ref.Val {
	value, found := o.Find(key)
	if !found {
		return types.ValOrErr(value, "no such key: %v", key)
	}
	return value
}

// Contains implements [traits.Container].
func (o *object) Contains(key ref.Val) ref.Val {
	value, found := o.Find(key)
	if value != nil && types.IsError(value) {
		return value
	}
	return types.Bool(found)
}

// Iterator implements [traits.Iterable].
func (o *object) Iterator() traits.Iterator { return o.inOrder().Iterator() }

// Size implements [traits.Sizer].
func (o *object) Size() ref.Val { return o.inOrder().Size() }

// Equal implements [ref.Val].
func (o *object) Equal(other ref.Val) ref.Val { return equalValues(o, other) }

// Type implements [ref.Val].
func (*object) Type() ref.Type { return types.MapType }

// Value implements [ref.Val].
func (o *object) Value() any { return o.fields }

// ConvertToType implements [ref.Val].
func (o *object) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("a map can not be made a %s", to.TypeName())
}

// ConvertToNative implements [ref.Val]; nothing asks for it.
func (o *object) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("a map can not be made a %s", to)
}
