package apiserver

import (
	"encoding/json"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestEventDataIsDocumented: every type of the families that workflows and the registry write has its data in the document.
func TestEventDataIsDocumented(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	file, err := goparser.ParseFile(token.NewFileSet(), "../sdk/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		value, ok := n.(*ast.ValueSpec)
		if !ok || len(value.Values) != 1 {
			return true
		}
		if text, ok := value.Values[0].(*ast.BasicLit); ok && regexp.MustCompile(`^"(task\.|session\.|plan\.|code\.|agent\.|ai\.delegation)`).MatchString(text.Value) {
			want[strings.Trim(text.Value, `"`)] = true
		}
		return true
	})
	if len(want) < 22 {
		t.Fatalf("%d types are found in sdk/event.go", len(want))
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]map[string]any
			}
		}
	}
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	if err := json.Unmarshal(call(s, http.MethodGet, "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc.Components.Schemas
	for name, field := range schemas[eventDataSchema].Properties {
		ref, _ := field["$ref"].(string)
		if len(schemas[strings.TrimPrefix(ref, schemaPrefix)].Properties) == 0 {
			t.Errorf("%s has the data %v, which says nothing", name, field)
		}
		if !want[name] {
			t.Errorf("%s has data and is no type of sdk/event.go", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s has no data in the document", name)
	}
	for name, fields := range map[string][]string{"TaskProgressed": {"taskId", "percentage", "overall"}, "TaskEnded": {"outputOmitted", "fingerprint"}} {
		for _, field := range fields {
			if schemas[name].Properties[field] == nil {
				t.Errorf("%s is without %s", name, field)
			}
		}
	}
	if about, _ := schemas["Event"].Properties["data"]["description"].(string); !strings.Contains(about, eventDataSchema) {
		t.Errorf("the data of an event is %q", about)
	}
}
