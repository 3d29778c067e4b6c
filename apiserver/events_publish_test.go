package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func publishedFrom(t testing.TB, w *httptest.ResponseRecorder, status int) []sdk.Published {
	t.Helper()
	var list sdk.PublishedList
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func pageOf(t testing.TB, s *Server, query string, headers ...string) sdk.EventPage {
	t.Helper()
	w := call(s, http.MethodGet, "/v1/events"+query, "", headers...)
	var page sdk.EventPage
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return page
}

const oneCloudEvent = `{"specversion":"1.0","id":"ci-7","source":"https://ci.example/builds","type":"build.finished","subject":"main",
	"time":"2026-01-02T03:04:05+01:00","correlationid":"c","causationid":"d","data":{"b":1,"a":"<"}}`

func TestPublishAndRead(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	key := bearing(ring.shop)
	one := publishedFrom(t, call(s, http.MethodPost, "/v1/events", `{"type":"build.started","subject":"main","data":[1,"<&>"],"correlationId":"c"}`, key...), http.StatusCreated)
	two := publishedFrom(t, call(s, http.MethodPost, "/v1/events", `[{"type":"a.b","id":"x"},{"type":"a.c"}]`, key...), http.StatusCreated)
	ce := publishedFrom(t, call(s, http.MethodPost, "/v1/events", oneCloudEvent, append(key, "Content-Type", contentTypeCloudEvent)...), http.StatusCreated)
	again := publishedFrom(t, call(s, http.MethodPost, "/v1/events", `{"type":"a.b","id":"x"}`, key...), http.StatusCreated)
	if len(one) != 1 || len(two) != 2 || ce[0].ID != "ci-7" || !again[0].Duplicate || again[0].Sequence != two[0].Sequence {
		t.Fatalf("%+v, %+v, %+v, %+v", one, two, ce, again)
	}
	page := pageOf(t, s, "", key...)
	if len(page.Items) != 4 || page.NextCursor != "" {
		t.Fatalf("%d events, next %q", len(page.Items), page.NextCursor)
	}
	first, fromCE := page.Items[0], page.Items[3]
	if first.ID != one[0].ID || first.Sequence != one[0].Sequence || first.Project != "shop" || first.Organization != "acme" ||
		!strings.HasPrefix(first.Source, "/projects/shop/keys/key_") || string(first.Data) != `[1,"<&>"]` || first.Subject != "main" || first.CorrelationID != "c" {
		t.Errorf("%+v", first)
	}
	if fromCE.OriginSource != "https://ci.example/builds" || fromCE.Source != first.Source || string(fromCE.Data) != `{"b":1,"a":"<"}` ||
		fromCE.Time.Format("15:04:05Z07:00") != "02:04:05Z" || fromCE.CausationID != "d" || fromCE.DataContentType != "application/json" {
		t.Errorf("%+v", fromCE)
	}
	part := pageOf(t, s, "?limit=2&types=a.*,build.finished", key...)
	rest := pageOf(t, s, "?limit=2&types=a.*,build.finished&cursor="+part.NextCursor, key...)
	if len(part.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].ID != "ci-7" || rest.NextCursor != "" {
		t.Errorf("%+v, then %+v", part, rest)
	}
	if got := pageOf(t, s, "?subject=main&after=1", key...).Items; len(got) != 1 || got[0].ID != "ci-7" {
		t.Errorf("by subject: %+v", got)
	}
}

func TestPublishRefusals(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	data := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	large := make([]string, sdk.MaxEventBatch+1)
	for i := range large {
		large[i] = `{"type":"a.b"}`
	}
	ce := func(more string) string {
		return `{"specversion":"1.0","id":"1","source":"/s","type":"a.b"` + more + `}`
	}
	for name, tc := range map[string]struct {
		body, contentType string
		code              sdk.Code
		paths             string
	}{
		"no body":             {"", "", sdk.CodeInvalidJSON, ""},
		"no type":             {`{}`, "", sdk.CodeInvalidInput, "$.type"},
		"a reserved type":     {`{"type":"task.completed"}`, "", sdk.CodeReservedType, "$.type"},
		"reserved and more":   {`[{"type":"a.b"},{"type":"agent.x","id":"\n"},{"type":"A"},7]`, "", sdk.CodeReservedType, "$[3] $[1].type $[1].id $[2].type $[3].type"},
		"names of frames":     {`[{"type":"gone"},{"type":"output"},{"type":"resume"},{"type":"error"},{"type":"open"},{"type":"message"}]`, "", sdk.CodeReservedType, "$[0].type $[1].type $[2].type $[3].type $[4].type $[5].type"},
		"a frame's name":      {strings.Replace(ce(""), "a.b", "gone", 1), contentTypeCloudEvent, sdk.CodeReservedType, "$.type"},
		"a wildcard":          {`[{"type":"*"},{"type":"a.*.b"},{"type":">"},{"type":"a b"},{"type":"a%2Eb "}]`, "", sdk.CodeInvalidInput, "$[0].type $[1].type $[2].type $[3].type $[4].type"},
		"forged attributes":   {`{"type":"a.b","source":"x","project":"bank","agent":"a","sequence":"1","seq":1}`, "", sdk.CodeInvalidInput, "$.agent $.project $.seq $.sequence $.source"},
		"an unknown field":    {`{"type":"a.b","payload":1}`, "", sdk.CodeInvalidInput, "$.payload"},
		"none":                {`[]`, "", sdk.CodeInvalidInput, "$"},
		"too many":            {"[" + strings.Join(large, ",") + "]", "", sdk.CodeInvalidInput, "$"},
		"large data":          {`{"type":"a.b","data":` + data(sdk.MaxEventData+1) + `}`, "", sdk.CodeInvalidInput, "$.data"},
		"a large subject":     {`{"type":"a.b","subject":"` + strings.Repeat("x", 257) + `"}`, "", sdk.CodeInvalidInput, "$.subject"},
		"a large id":          {`{"type":"a.b","id":"` + strings.Repeat("x", 257) + `"}`, "", sdk.CodeInvalidInput, "$.id"},
		"a large body":        {`[` + strings.Repeat(`{"type":"a.b","data":`+data(300<<10)+`},`, 4) + `{}]`, "", sdk.CodePayloadTooLarge, ""},
		"another type":        {`{"type":"a.b"}`, "text/plain", sdk.CodeUnsupportedMediaType, ""},
		"many CloudEvents":    {`[` + ce("") + `]`, contentTypeCloudEvent, sdk.CodeInvalidInput, "$"},
		"no CloudEvent":       {`{"type":"a.b"}`, contentTypeCloudEvent, sdk.CodeInvalidInput, "$"},
		"a reserved one":      {strings.Replace(ce(""), "a.b", "plan.made", 1), contentTypeCloudEvent, sdk.CodeReservedType, "$.type"},
		"forged extensions":   {ce(`,"project":"bank","seq":7,"task":"t","sequence":"1"`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.project $.seq $.sequence $.task"},
		"what is not kept":    {ce(`,"traceparent":"t","data_base64":"AA=="`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.data_base64 $.traceparent"},
		"a year of 5 digits":  {ce(`,"time":"9999-12-31T23:59:59-01:00"`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.time"},
		"a year before 0":     {ce(`,"time":"0000-01-01T00:00:00+01:00"`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.time"},
		"another version":     {strings.Replace(ce(""), `"1.0"`, `"0.3"`, 1), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.specversion"},
		"no source":           {`{"specversion":"1.0","id":"1","type":"a.b"}`, contentTypeCloudEvent, sdk.CodeInvalidInput, "$.source"},
		"a large media type":  {ce(`,"datacontenttype":"application/json; x=` + strings.Repeat("x", 256) + `","data":1`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.datacontenttype"},
		"a secret in a one":   {ce(`,"datacontenttype":"application/json; password=hunter2abc","data":1`), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.datacontenttype"},
		"large when redacted": {`[{"type":"a.b"},{"type":"a.b","data":{"password":["a"` + strings.Repeat(`,"a"`, 60_000) + `]}}]`, "", sdk.CodePayloadTooLarge, "$[1].data"},
		"large data in a one": {ce(`,"data":` + data(sdk.MaxEventData+1)), contentTypeCloudEvent, sdk.CodeInvalidInput, "$.data"},
	} {
		contentType := tc.contentType
		if contentType == "" {
			contentType = "application/json"
		}
		p := problemOf(t, call(s, http.MethodPost, "/v1/events", tc.body, "Content-Type", contentType))
		var paths []string
		for _, f := range p.Errors {
			paths = append(paths, f.Path)
			if strings.HasSuffix(f.Path, "data") && strings.Contains(f.Message, "larger") && !strings.Contains(f.Message, "262144") {
				t.Errorf("%s does not name the limit: %s", name, f.Message)
			}
			if strings.HasPrefix(name, "forged") && f.Message != setByServer {
				t.Errorf("%s: %s %s", name, f.Path, f.Message)
			}
		}
		if got := strings.Join(paths, " "); p.Code != tc.code || got != tc.paths {
			t.Errorf("%s: %s %q, want %s %q", name, p.Code, got, tc.code, tc.paths)
		}
	}
	if page := pageOf(t, s, ""); len(page.Items) != 0 {
		t.Errorf("a refusal left %d events", len(page.Items))
	}
	for _, body := range []string{`{"type":"a.b","data":` + data(sdk.MaxEventData) + `}`, `{"type":"a.b","data":` + strings.ReplaceAll(data(sdk.MaxEventData), "x", "<") + `}`} {
		publishedFrom(t, call(s, http.MethodPost, "/v1/events", body), http.StatusCreated)
	}
}

func TestPublishIdempotently(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	send := func(body string) *httptest.ResponseRecorder {
		return call(s, http.MethodPost, "/v1/events", body, "Idempotency-Key", "k1")
	}
	body := `[{"type":"a.b","data":{"x":1,"y":2}},{"type":"a.c"}]`
	first := publishedFrom(t, send(body), http.StatusCreated)
	w := send(`[ {"data":{"x":1, "y":2},"type":"a.b"},{"type":"a.c"} ]`)
	if again := publishedFrom(t, w, http.StatusOK); fmt.Sprint(again) != fmt.Sprint(first) || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%+v, then %+v", first, again)
	}
	for _, other := range []string{
		`[{"type":"a.b","data":{"x":1,"y":3}},{"type":"a.c"}]`, `[{"type":"a.b","data":{"x":1,"y":2}},{"type":"a.d"}]`,
		`[{"type":"a.b","data":{"x":1,"y":2}},{"type":"a.c"},{"type":"a.c"}]`, `{"type":"a.b"}`,
	} {
		if p := problemOf(t, send(other)); p.Code != sdk.CodeIdempotencyMismatch {
			t.Errorf("%s: %+v", other, p)
		}
	}
	if n := len(pageOf(t, s, "").Items); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	digest := func(id string) string { return strings.Split(id, ".")[1] }
	if other := publishedFrom(t, call(s, http.MethodPost, "/v1/events", body, "Idempotency-Key", "k3"), http.StatusCreated); digest(other[0].ID) == digest(first[0].ID) {
		t.Errorf("%s and %s: what was sent can be guessed", other[0].ID, first[0].ID)
	}
}

// TestPublishIdempotentlyWithIDs: events with ids of their own are known by them, with a key and without.
func TestPublishIdempotentlyWithIDs(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	send := func(body string) *httptest.ResponseRecorder {
		return call(s, http.MethodPost, "/v1/events", body, "Idempotency-Key", "k2")
	}
	const own, more = `{"type":"a.b","id":"mine"}`, `[{"type":"a.b","id":"mine"},{"type":"a.c","id":"more"}]`
	if p := problemOf(t, send(`[{"type":"a.b"},`+own+`]`)); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != "header.Idempotency-Key" {
		t.Errorf("ids of some: %+v", p)
	}
	first := publishedFrom(t, send(own), http.StatusCreated)
	w := send(own)
	if again := publishedFrom(t, w, http.StatusOK); fmt.Sprint(again) != fmt.Sprint(first) || first[0].ID != "mine" || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%+v, then %+v with %v", first, again, w.Header())
	}
	w = send(more)
	if some := publishedFrom(t, w, http.StatusCreated); !some[0].Duplicate || some[1].Duplicate || w.Header().Get("Idempotent-Replayed") != "" {
		t.Errorf("%+v", some)
	}
	if again := publishedFrom(t, call(s, http.MethodPost, "/v1/events", own), http.StatusCreated); !again[0].Duplicate {
		t.Errorf("%+v", again)
	}
	if n := len(pageOf(t, s, "").Items); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// TestPublishAsAnAgent: the events of an agent with the key of its attempt say whose they are.
func TestPublishAsAnAgent(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	a.server.cfg.Events = openLog(t)
	a.tasks.change("shop", a.task.ID, false, func(task *sdk.Task) { task.Attempts[0].AgentID = "ann" })
	key := a.minted(t, 0, 1).Key
	publishedFrom(t, call(a.server, http.MethodPost, "/v1/events", `{"type":"ai.message","data":"hello"}`, bearing(key)...), http.StatusCreated)
	got := pageOf(t, a.server, "", bearing(key)...).Items
	if len(got) != 1 || got[0].Task != a.task.ID || got[0].Agent != "ann" || got[0].Source != "/projects/shop/tasks/"+a.task.ID+"/agent" {
		t.Errorf("%+v", got)
	}
}

func TestWithoutALog(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	task := mustCreate(t, s)
	if task.Links.Events != "" {
		t.Error("a link to a stream that is not there")
	}
	sessionsOf(t, s).put(defaultScope, sdk.Session{ID: task.ID})
	plansOf(t, s).put(defaultScope, sdk.Plan{ID: task.ID})
	for _, r := range routesOf(t, s) {
		if r.ofEvents() && !strings.HasSuffix(r.path, "/output") {
			if p := problemOf(t, r.call(s, task.ID)); p.Code != sdk.CodeUnavailable || !strings.Contains(p.Detail, "no event log") && !strings.Contains(p.Detail, "no registry of agents") {
				t.Errorf("%s %s: %+v", r.method, r.path, p)
			}
		}
	}
}
