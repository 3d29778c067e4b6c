package keys

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// unknownFields are the fields of an object that a T has no place for.
func unknownFields[T any](raw []byte) (map[string]json.RawMessage, error) {
	var rest map[string]json.RawMessage
	if err := json.Unmarshal(raw, &rest); err != nil {
		return nil, err
	}
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		delete(rest, name)
	}
	return rest, nil
}

// withFields writes v, an object, with more fields; its own win.
func withFields(v any, rest map[string]json.RawMessage) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil || len(rest) == 0 {
		return raw, err
	}
	own := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &own); err != nil {
		return nil, err
	}
	all := maps.Clone(rest)
	maps.Copy(all, own)
	return json.Marshal(all)
}
