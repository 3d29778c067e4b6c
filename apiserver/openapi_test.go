package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	w := call(s, http.MethodGet, "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema map[string]any
				}
			}
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct {
			Schemas map[string]struct {
				Type                 any
				Required             []string
				Properties           map[string]map[string]any
				AdditionalProperties any
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) != 38 {
		t.Errorf("OpenAPI %q with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.Responses["default"].Content["application/problem+json"].Schema["$ref"] != "#/components/schemas/Problem" {
				t.Errorf("%s %s does not say how it fails", method, path)
			}
			body := op.RequestBody.Content["application/json"].Schema
			if (method == "post" || method == "put") && body["$ref"] == nil && body["oneOf"] == nil {
				t.Errorf("%s %s does not say what it takes", method, path)
			}
		}
	}
	request, task := doc.Components.Schemas["TaskRequest"], doc.Components.Schemas["Task"]
	if got := strings.Join(request.Required, " "); got != "title type" {
		t.Errorf("a request requires %q", got)
	}
	if kind := task.Properties["attempts"]["type"]; kind != "array" {
		t.Errorf("attempts are %v", kind)
	}
	if kind, typed := request.Properties["input"]["type"]; typed {
		t.Errorf("input is %v, want any JSON", kind)
	}
	if request.AdditionalProperties != false || task.AdditionalProperties != nil {
		t.Errorf("more fields: sent %v, want refused; answered %v, want allowed", request.AdditionalProperties, task.AdditionalProperties)
	}
	for _, request := range []string{"TaskRequest", "PlanRequest"} {
		const name = "budget"
		if about, _ := doc.Components.Schemas[request].Properties[name]["description"].(string); !strings.Contains(about, "This version refuses") {
			t.Errorf("%s of %s is offered: %q", name, request, about)
		}
	}
	limit := fmt.Sprintf("at most %d KiB", sdk.MaxAnswer>>10)
	if about, _ := doc.Components.Schemas["InputAnswer"].Properties["answer"]["description"].(string); !strings.Contains(about, limit) {
		t.Errorf("an answer is %q, want %s", about, limit)
	}
	for _, ref := range regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		if _, there := doc.Components.Schemas[ref[1]]; !there {
			t.Errorf("%s is referred to and not there", ref[1])
		}
	}
	if _, there := doc.Components.Schemas["ErrorModel"]; there {
		t.Error("an error shape that no answer has")
	}
}

func TestDocsNeedNothingElse(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	w := call(s, http.MethodGet, "/docs", "")
	page := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page loads something")
	}
	for _, part := range []string{"/v1/tasks/{id}/cancel", `<span class="method">DELETE</span> <code>/v1/subscriptions/{name}`, `<span class="method">PUT</span>`, "task.input_required", "waitMs", "Idempotency-Key", `id="schema-TaskRequest"`, "initialIntervalMs", `id="schema-Problem"`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not tell of %s", part)
		}
	}
}
