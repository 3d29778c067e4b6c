package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// task is a valid body with more fields.
func task(more string) string { return `{"type":"code.write","title":"t",` + more + `}` }

func TestRefusals(t *testing.T) {
	t.Parallel()
	const id = "0198c0de-0000-7000-8000-000000000000"
	deep := strings.Repeat(`[`, 65) + strings.Repeat(`]`, 65)
	tests := []struct {
		name    string
		method  string // POST when empty
		target  string // /v1/tasks when empty
		body    string
		headers []string
		code    sdk.Code
		paths   []string // of the faults
	}{
		{name: "no body", body: "", headers: []string{"Content-Type", "application/json"}, code: sdk.CodeInvalidJSON},
		{name: "blank body", body: "  \n", code: sdk.CodeInvalidJSON},
		{name: "broken JSON", body: `{"type":`, code: sdk.CodeInvalidJSON},
		{name: "trailing garbage", body: okBody + `x`, code: sdk.CodeInvalidJSON},
		{name: "two values", body: okBody + okBody, code: sdk.CodeInvalidJSON},
		{name: "a comma too many", body: `{"type":"code.write","title":"t",}`, code: sdk.CodeInvalidJSON},
		{name: "invalid UTF-8", body: "{\"type\":\"code.write\",\"title\":\"\xff\"}", code: sdk.CodeInvalidJSON},
		{name: "null", body: `null`, code: sdk.CodeInvalidInput, paths: []string{"$"}},
		{name: "array", body: `[` + okBody + `]`, code: sdk.CodeInvalidInput, paths: []string{"$"}},
		{name: "string", body: `"x"`, code: sdk.CodeInvalidInput, paths: []string{"$"}},
		{name: "nothing in it", body: `{}`, code: sdk.CodeInvalidInput, paths: []string{"$.type", "$.title"}},
		{name: "too deep", body: task(`"input":` + deep), code: sdk.CodeInvalidInput, paths: []string{"$"}},
		{name: "far too deep", body: strings.Repeat(`[`, 200_000), code: sdk.CodeInvalidInput, paths: []string{"$"}},
		{name: "wrong types everywhere", body: `{"type":1,"title":[],"priority":true,"metadata":[],"capabilities":"x","retry":3,"timeouts":[],"fallback":{},"detached":"yes"}`,
			code:  sdk.CodeInvalidInput,
			paths: []string{"$.type", "$.title", "$.priority", "$.metadata", "$.capabilities", "$.retry", "$.timeouts", "$.fallback", "$.detached"}},
		{name: "wrong types below", body: task(`"retry":{"maxAttempts":"3"},"metadata":{"a":1},"timeouts":{"queueMs":1.5},"fallback":[null,{"role":7}]`),
			code: sdk.CodeInvalidInput, paths: []string{"$.retry.maxAttempts", `$.metadata["a"]`, "$.timeouts.queueMs", "$.fallback[0]", "$.fallback[1].role"}},
		{name: "unknown fields", body: task(`"nope":1,"timeouts":{"nope":2},"fallback":[{"nope":3}],"with space":4`),
			code: sdk.CodeInvalidInput, paths: []string{"$.nope", "$.timeouts.nope", "$.fallback[0].nope", `$["with space"]`}},
		{name: "another case", body: `{"TYPE":"code.write","Title":"t"}`, code: sdk.CodeInvalidInput, paths: []string{"$.TYPE", "$.Title", "$.type", "$.title"}},
		{name: "a name twice", body: `{"type":"code.write","type":"code.review","title":"t","input":{"a":{"b":1,"b":2}}}`,
			code: sdk.CodeInvalidInput, paths: []string{"$.type", "$.input.a.b"}},
		{name: "schema and bounds at once", body: `{"type":"Code Write","role":"X","title":"` + strings.Repeat("a", 201) + `","nope":1,"retry":{"maxAttempts":101,"initialIntervalMs":5},"timeouts":{"queueMs":10,"heartbeatMs":4999},"fallback":[{"role":"-"}]}`,
			code: sdk.CodeInvalidInput, paths: []string{"$.type", "$.role", "$.title", "$.nope", "$.retry.maxAttempts", "$.retry.initialIntervalMs",
				"$.timeouts.queueMs", "$.timeouts.heartbeatMs", "$.fallback[0].role"}},
		{name: "huge number", body: task(`"retry":{"backoffCoefficient":1e999},"timeouts":{"totalMs":99999999999999999999}`),
			code: sdk.CodeInvalidInput, paths: []string{"$.retry.backoffCoefficient", "$.timeouts.totalMs"}},
		{name: "negative number", body: task(`"timeouts":{"attemptMs":-1}`), code: sdk.CodeInvalidInput, paths: []string{"$.timeouts.attemptMs"}},
		{name: "unknown type without role", body: `{"type":"my.thing","title":"t"}`, code: sdk.CodeInvalidInput, paths: []string{"$.role"}},
		{name: "agent id with a dot", body: task(`"agentId":"a.b"`), code: sdk.CodeInvalidInput, paths: []string{"$.agentId"}},
		{name: "too many stages", body: task(`"fallback":[{},{},{},{},{},{}]`), code: sdk.CodeInvalidInput, paths: []string{"$.fallback"}},
		{name: "description too large", body: task(`"description":"` + strings.Repeat("d", sdk.MaxDescription+1) + `"`), code: sdk.CodeInvalidInput, paths: []string{"$.description"}},
		{name: "input too large", body: task(`"input":"` + strings.Repeat("i", sdk.MaxInput) + `"`), code: sdk.CodeInvalidInput, paths: []string{"$.input"}},
		{name: "title of two lines", body: `{"type":"code.write","title":"a\nb"}`, code: sdk.CodeInvalidInput, paths: []string{"$.title"}},
		{name: "what is not there yet", body: task(`"budget":{"usd":1}`),
			code: sdk.CodeInvalidInput, paths: []string{"$.budget"}},
		{name: "body over the limit", body: `"` + strings.Repeat("x", sdk.MaxBody) + `"`, code: sdk.CodePayloadTooLarge},
		{name: "a form", body: "type=code.write", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, code: sdk.CodeUnsupportedMediaType},
		{name: "plain text", body: okBody, headers: []string{"Content-Type", "text/plain"}, code: sdk.CodeUnsupportedMediaType},
		{name: "no content type", body: okBody, headers: []string{"Content-Type", ""}, code: sdk.CodeUnsupportedMediaType},
		{name: "another charset", body: okBody, headers: []string{"Content-Type", "application/json; charset=latin1"}, code: sdk.CodeUnsupportedMediaType},
		{name: "cannot take JSON", body: okBody, headers: []string{"Accept", "text/html, application/json;q=0"}, code: sdk.CodeNotAcceptable},
		{name: "idempotency key of 256", body: okBody, headers: []string{"Idempotency-Key", strings.Repeat("k", 256)}, code: sdk.CodeInvalidInput, paths: []string{"header.Idempotency-Key"}},
		{name: "idempotency key not ASCII, and more", body: `{}`, headers: []string{"Idempotency-Key", "käse"}, code: sdk.CodeInvalidInput, paths: []string{"header.Idempotency-Key", "$.type", "$.title"}},
		{name: "foreign origin", body: okBody, headers: []string{"Origin", "https://evil.example"}, code: sdk.CodeForbidden},
		{name: "opaque origin", body: okBody, headers: []string{"Origin", "null"}, code: sdk.CodeForbidden},
		{name: "origin of another port", body: okBody, headers: []string{"Origin", "http://127.0.0.1:8080"}, code: sdk.CodeForbidden},
		{name: "origin of another scheme", body: okBody, headers: []string{"Origin", "https://127.0.0.1:3009"}, code: sdk.CodeForbidden},
		{name: "rebound host", body: okBody, headers: []string{"Host", "evil.example:3009"}, code: sdk.CodeForbidden},
		{name: "host like loopback", body: okBody, headers: []string{"Host", "127.0.0.1.evil.example"}, code: sdk.CodeForbidden},
		{name: "host from the network, reading", method: http.MethodGet, target: "/v1/tasks/" + id, headers: []string{"Host", "10.0.0.7:3009"}, code: sdk.CodeForbidden},
		{name: "project with a dot", body: okBody, headers: []string{"Rolecall-Project", "a.b"}, code: sdk.CodeInvalidInput, paths: []string{"header.Rolecall-Project"}},
		{name: "project and organization", body: okBody, headers: []string{"Rolecall-Project", "A", "Rolecall-Organization", "x:y"},
			code: sdk.CodeInvalidInput, paths: []string{"header.Rolecall-Organization", "header.Rolecall-Project"}},
		{name: "id with a dot", method: http.MethodGet, target: "/v1/tasks/a.b", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "id with a colon", method: http.MethodGet, target: "/v1/tasks/task:x", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "id is a wildcard", method: http.MethodGet, target: "/v1/tasks/*", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "id is ..", method: http.MethodGet, target: "/v1/tasks/%2e%2e", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "escaped slash", method: http.MethodGet, target: "/v1/tasks/a%2Fb", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "escaped zero", method: http.MethodGet, target: "/v1/tasks/a%00b", code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "escaped slash before a verb", target: "/v1/tasks/a%2Fcancel/cancel", body: `{}`, code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "id of 129", method: http.MethodGet, target: "/v1/tasks/" + strings.Repeat("a", 129), code: sdk.CodeInvalidInput, paths: []string{"path.id"}},
		{name: "waits too long, for a bad id, with more", method: http.MethodGet, target: "/v1/tasks/a.b?waitMs=60001&nope=1", code: sdk.CodeInvalidInput, paths: []string{"path.id", "query.nope", "query.waitMs"}},
		{name: "waitMs twice", method: http.MethodGet, target: "/v1/tasks/a?waitMs=1&waitMs=2", code: sdk.CodeInvalidInput, paths: []string{"query.waitMs"}},
		{name: "waitMs in words", method: http.MethodGet, target: "/v1/tasks/a?waitMs=soon", code: sdk.CodeInvalidInput, paths: []string{"query.waitMs"}},
		{name: "unknown parameter of progress", method: http.MethodGet, target: "/v1/tasks/a/progress?after=1", code: sdk.CodeInvalidInput, paths: []string{"query.after"}},
		{name: "query that can not be read", target: "/v1/tasks?%zz=1", body: `{}`, code: sdk.CodeInvalidInput, paths: []string{"query", "$.type", "$.title"}},
		{name: "query with a semicolon", method: http.MethodGet, target: "/v1/tasks/a?waitMs=1;b=2", code: sdk.CodeInvalidInput, paths: []string{"query"}},
		{name: "unknown task", method: http.MethodGet, target: "/v1/tasks/" + id, code: sdk.CodeNotFound},
		{name: "cancel with a long reason and a bad id", target: "/v1/tasks/a.b/cancel", body: `{"reason":"` + strings.Repeat("r", 1025) + `","x":1}`,
			code: sdk.CodeInvalidInput, paths: []string{"path.id", "$.reason", "$.x"}},
		{name: "cancel of an unknown task", target: "/v1/tasks/" + id + "/cancel", body: "", code: sdk.CodeNotFound},
		{name: "answer without anything", target: "/v1/tasks/" + id + "/input", body: `{}`, code: sdk.CodeInvalidInput, paths: []string{"$.requestId", "$.answer"}},
		{name: "answer too large", target: "/v1/tasks/" + id + "/input", body: `{"requestId":"q","answer":"` + strings.Repeat("a", sdk.MaxAnswer) + `"}`, code: sdk.CodeInvalidInput, paths: []string{"$.answer"}},
		{name: "no such path", method: http.MethodGet, target: "/v1/nothing", code: sdk.CodeNotFound},
		{name: "double slash", method: http.MethodGet, target: "//v1/tasks/" + id, code: sdk.CodeNotFound},
		{name: "trailing slash", target: "/v1/tasks/", body: okBody, code: sdk.CodeNotFound},
		{name: "another case of a path", target: "/V1/Tasks", body: okBody, code: sdk.CodeNotFound},
		{name: "up and down", method: http.MethodGet, target: "/v1/tasks/%2e%2e/x", code: sdk.CodeNotFound},
		{name: "wrong method", method: http.MethodDelete, target: "/v1/tasks", code: sdk.CodeMethodNotAllowed},
		{name: "wrong method of a task", method: http.MethodPut, target: "/v1/tasks/" + id, body: okBody, code: sdk.CodeMethodNotAllowed},
	}
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			method, target := tt.method, tt.target
			if method == "" {
				method = http.MethodPost
			}
			if target == "" {
				target = "/v1/tasks"
			}
			w := call(s, method, target, tt.body, tt.headers...)
			p := problemOf(t, w)
			if p.Code != tt.code {
				t.Fatalf("code %s, want %s: %+v", p.Code, tt.code, p)
			}
			var paths []string
			for _, f := range p.Errors {
				paths = append(paths, f.Path)
				if f.Message == "" {
					t.Errorf("the fault at %s says nothing", f.Path)
				}
			}
			want := slices.Clone(tt.paths)
			slices.Sort(paths)
			slices.Sort(want)
			if diff := cmp.Diff(want, paths); diff != "" {
				t.Errorf("fault paths (-want +got):\n%s\n%+v", diff, p.Errors)
			}
			if p.Code == sdk.CodeMethodNotAllowed && w.Header().Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func TestRefusalNamesNoValue(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	const secret = "hunter2hunter2"
	for _, body := range []string{
		`{"type":"` + secret + ` ","title":5,"priority":"` + secret + `","agentId":"` + secret + `.","retry":"` + secret + `"}`,
		`{"type":"code.write","title":"t","metadata":"` + secret + `","nope":"` + secret + `","input":{"a":"` + secret + `"}`,
	} {
		w := call(s, http.MethodPost, "/v1/tasks", body)
		problemOf(t, w)
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("a value of the body is in the answer: %s", w.Body)
		}
	}
}

func TestRefusalIsBounded(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	var b strings.Builder
	b.WriteString(`{"type":"code.write"`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `,"unknown%d":1`, i)
	}
	b.WriteString(`}`)
	w := call(s, http.MethodPost, "/v1/tasks?nope=1", b.String())
	p := problemOf(t, w)
	if len(p.Errors) != maxFaults+1 || w.Body.Len() > 64<<10 {
		t.Fatalf("%d faults in %d bytes", len(p.Errors), w.Body.Len())
	}
	// 20,000 unknown fields, the parameter and the missing title.
	if last := p.Errors[maxFaults]; last.Path != "$" || last.Message != "19902 more faults are not named" {
		t.Errorf("the last fault: %+v", last)
	}
}

func TestFaultIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	var b strings.Builder
	b.WriteString(`{"type":7,"title":[]`) // required, too, since nothing of them can be used
	for i := range 120 {
		fmt.Fprintf(&b, `,"aaa%d":1,"aaa%d":2`, i, i) // unknown, and given twice
	}
	b.WriteString(`}`)
	p := problemOf(t, call(s, http.MethodPost, "/v1/tasks", b.String()))
	if last := p.Errors[len(p.Errors)-1]; len(p.Errors) != maxFaults+1 || last.Message != "22 more faults are not named" {
		t.Errorf("%d faults, the last is %+v", len(p.Errors), last)
	}
}

func TestEveryRouteRefusesUnknownParameters(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(call(s, http.MethodGet, "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			body := ""
			if method == "post" || method == "put" {
				body = okBody
			}
			target := strings.NewReplacer("{id}", "a", "{name}", "a").Replace(path) + "?dryRun=true"
			p := problemOf(t, call(s, strings.ToUpper(method), target, body))
			named := slices.ContainsFunc(p.Errors, func(f sdk.Fault) bool { return f.Path == "query.dryRun" })
			if p.Code != sdk.CodeInvalidInput || !named {
				t.Errorf("%s %s: %+v", method, path, p)
			}
		}
	}
}

func TestFieldsMayNestToTheBound(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	deep := strings.Repeat(`[`, sdk.MaxJSONDepth) + strings.Repeat(`]`, sdk.MaxJSONDepth)
	created := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", task(`"input":`+deep)), http.StatusCreated)
	if string(created.Input) != deep {
		t.Errorf("the input became %s", created.Input)
	}
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+created.ID+"/input", `{"requestId":"q","answer":`+deep+`}`), http.StatusOK)
	p := problemOf(t, call(s, http.MethodPost, "/v1/tasks/"+created.ID+"/input", `{"requestId":"q","answer":[`+deep+`]}`))
	if p.Code != sdk.CodeInvalidInput {
		t.Errorf("one deeper: %+v", p)
	}
}
