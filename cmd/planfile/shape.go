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
	want, ok := kind(v, t)
	switch {
	case !ok && v == nil:
		d.fault(path, "has no value: leave it out, or give %s", want)
		return
	case !ok:
		d.fault(path, "must be %s", want)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		if t.Kind() == reflect.Struct {
			d.fields(path, v, t)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			d.shape(within(path, name), v[name], t.Elem())
		}
	case []any:
		for i, item := range v {
			d.shape(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
		}
	}
}

// kind reports whether a value is of the kind that a type wants, and says which that is.
func kind(v any, t reflect.Type) (want string, ok bool) {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		_, ok = v.(map[string]any)
		return "an object", ok
	case reflect.Slice:
		_, ok = v.([]any)
		return "a list", ok
	case reflect.String:
		_, ok = v.(string)
		return "a text; put it in quotes", ok
	case reflect.Bool:
		_, ok = v.(bool)
		return "true or false", ok
	case reflect.Float64:
		return "a number", number(v, t)
	default:
		return "a whole number", number(v, t)
	}
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
	n, ok := v.(json.Number)
	return ok && json.Unmarshal([]byte(n), reflect.New(t).Interface()) == nil
}
