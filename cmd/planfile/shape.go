package planfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// plan holds a value against the shape of a plan: no field that there is not, and every value of its type.
func (d *document) plan(tree any) { d.shape("$", tree, reflect.TypeFor[sdk.PlanRequest]()) }

func (d *document) shape(path string, v any, t reflect.Type) {
	if t == reflect.TypeFor[json.RawMessage]() {
		return // any JSON
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want := ""
	switch t.Kind() {
	case reflect.Struct:
		if object, ok := v.(map[string]any); ok {
			d.fields(path, object, t)
			return
		}
		want = "an object"
	case reflect.Map:
		if object, ok := v.(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(object)) {
				d.shape(within(path, name), object[name], t.Elem())
			}
			return
		}
		want = "an object"
	case reflect.Slice:
		if list, ok := v.([]any); ok {
			for i, item := range list {
				d.shape(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
			}
			return
		}
		want = "a list"
	case reflect.String:
		if _, ok := v.(string); ok {
			return
		}
		want = "a text; put it in quotes"
	case reflect.Bool:
		if _, ok := v.(bool); ok {
			return
		}
		want = "true or false"
	default:
		if number(v, t) {
			return
		}
		want = "a number"
		if t.Kind() != reflect.Float64 {
			want = "a whole number"
		}
	}
	if v == nil {
		d.fault(path, "has no value: leave it out, or give %s", want)
		return
	}
	d.fault(path, "must be %s", want)
}

// fields holds an object against a struct, by the names in its json tags.
func (d *document) fields(path string, object map[string]any, t reflect.Type) {
	known := map[string]reflect.Type{}
	var names []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = field.Type
		names = append(names, name)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if of, ok := known[name]; ok {
			d.shape(within(path, name), object[name], of)
			continue
		}
		d.fault(within(path, name), "is no field of it; there are %s", strings.Join(names, ", "))
	}
}

// number reports whether a value is a number of a type.
func number(v any, t reflect.Type) bool {
	if t.Kind() == reflect.Float64 {
		switch v.(type) {
		case int64, uint64, float64, json.Number:
			return true
		}
		return false
	}
	into := reflect.New(t).Interface()
	switch v.(type) {
	case int64, uint64, json.Number:
		raw, err := json.Marshal(v)
		return err == nil && json.Unmarshal(raw, into) == nil
	}
	return false
}
