package apiserver

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// shape compares a parsed body with the Go type it is for, by the type's JSON names. It names every field that is unknown or of
// another kind, and hands back the rest, so that its bounds can be checked at the same time. null stands for a field left out.
type shape struct {
	faults  faultList
	changed bool // a number is handed back in other digits than it came in
}

func (s *shape) fault(path jsonPath, message string) { s.faults.at(path, message) }

// fit answers the part of v that fits t; ok is false when nothing of it does.
func (s *shape) fit(t reflect.Type, v any, path jsonPath) (fitting any, ok bool) {
	if t == reflect.TypeFor[json.RawMessage]() {
		return v, true
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.fit(t.Elem(), v, path)
	case reflect.Struct:
		return s.object(t, v, path)
	case reflect.Map:
		return s.mapping(t, v, path)
	case reflect.Slice:
		return s.list(t, v, path)
	case reflect.String:
		_, ok = v.(string)
		return s.kind(v, ok, path, "must be a string")
	case reflect.Bool:
		_, ok = v.(bool)
		return s.kind(v, ok, path, "must be true or false")
	case reflect.Int, reflect.Int64:
		n, ok := whole(v)
		s.changed = s.changed || ok && n != v
		return s.kind(n, ok, path, "must be a whole number")
	case reflect.Float64:
		return s.kind(v, isFinite(v), path, "must be a number")
	default:
		return s.kind(v, false, path, "can not be set")
	}
}

func (s *shape) kind(v any, ok bool, path jsonPath, message string) (any, bool) {
	if !ok {
		s.fault(path, message)
	}
	return v, ok
}

func (s *shape) object(t reflect.Type, v any, path jsonPath) (any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		s.fault(path, "must be an object")
		return nil, false
	}
	fields := fieldsOf(t)
	out := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		field, known := fields[name]
		switch {
		case !known:
			s.fault(path.key(name), "is not a known field"+didYouMean(name, fields))
		case m[name] == nil && field != reflect.TypeFor[json.RawMessage]():
		default:
			if fitting, ok := s.fit(field, m[name], path.key(name)); ok {
				out[name] = fitting
			}
		}
	}
	return out, true
}

func (s *shape) mapping(t reflect.Type, v any, path jsonPath) (any, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		s.fault(path, "must be an object")
		return nil, false
	}
	out := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		at := append(slices.Clone(path), "["+strconv.Quote(sdk.Cut(name, sdk.MaxMetadataKey))+"]")
		if fitting, ok := s.fit(t.Elem(), m[name], at); ok {
			out[name] = fitting
		}
	}
	return out, true
}

// list keeps what does not fit as null, so that the rest keeps its place.
func (s *shape) list(t reflect.Type, v any, path jsonPath) (any, bool) {
	l, ok := v.([]any)
	if !ok {
		s.fault(path, "must be an array")
		return nil, false
	}
	out := make([]any, len(l))
	for i := range l {
		if fitting, ok := s.fit(t.Elem(), l[i], path.index(i)); ok {
			out[i] = fitting
		}
	}
	return out, true
}

// fieldsOf are the types of a struct's fields by their JSON names.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

func didYouMean(name string, fields map[string]reflect.Type) string {
	for known := range fields {
		if strings.EqualFold(known, name) {
			return "; names are case-sensitive: " + known
		}
	}
	return ""
}

// whole answers a whole number in plain digits: 2 for 2, 2.0 and 2e0 alike. Beyond 2^53 only plain digits are one.
func whole(v any) (json.Number, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return "", false
	}
	if _, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return "", false
	}
	return json.Number(strconv.FormatInt(int64(f), 10)), true
}

func isFinite(v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	return err == nil && !math.IsInf(f, 0)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
