package apiserver

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestEveryRouteNeedsAKey(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	revoked, id := ring.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	if _, err := keys.Revoke(t.Context(), ring.path, id); err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	s := ring.server(t, newMemoryTasks(), &logs)
	task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...), http.StatusCreated)
	for _, r := range routesOf(t, s) {
		for name, tc := range map[string]struct {
			headers   []string
			challenge string
		}{
			"no key":         {nil, `Bearer realm="rolecall"`},
			"an empty key":   {bearing(""), `Bearer realm="rolecall"`},
			"another scheme": {[]string{"Authorization", "Basic " + ring.shop}, `Bearer realm="rolecall"`},
			"no scheme":      {[]string{"Authorization", ring.shop}, `Bearer realm="rolecall"`},
			"a wrong key":    {bearing("rk_wrong"), `Bearer realm="rolecall", error="invalid_token"`},
			"a longer key":   {bearing(ring.shop + "a"), `Bearer realm="rolecall", error="invalid_token"`},
			"two keys":       {bearing(ring.shop + " " + ring.shop), `Bearer realm="rolecall", error="invalid_token"`},
			"a revoked key":  {bearing(revoked), `Bearer realm="rolecall", error="invalid_token"`},
		} {
			w := r.call(s, task.ID, tc.headers...)
			if p := problemOf(t, w); p.Code != sdk.CodeUnauthenticated || w.Header().Get("WWW-Authenticate") != tc.challenge {
				t.Errorf("%s %s with %s: %+v, %q", r.method, r.path, name, p, w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(w.Body.String(), ring.shop) || strings.Contains(w.Body.String(), revoked) {
				t.Errorf("%s %s with %s repeats the key: %s", r.method, r.path, name, w.Body)
			}
		}
		w := r.call(s, task.ID, "Authorization", "bearer  "+ring.shop)
		if w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
			t.Errorf("%s %s with the right key: %d %s", r.method, r.path, w.Code, w.Body)
		}
	}
	for _, secret := range []string{ring.shop, revoked} {
		if strings.Contains(logs.String(), strings.TrimPrefix(secret, keys.Prefix)) {
			t.Error("the log holds a key")
		}
	}
	if !strings.Contains(logs.String(), `"key":"key_`) {
		t.Error("the log does not name the key's id")
	}
}

// TestOneKeyARequest: which of two headers counts is not left to whoever reads them first.
func TestOneKeyARequest(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard)
	r := httptest.NewRequest(http.MethodGet, "/v1/tasks/none", http.NoBody)
	r.Header["Authorization"] = []string{"Bearer " + ring.shop, "Bearer " + ring.bank}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if p := problemOf(t, w); p.Code != sdk.CodeUnauthenticated {
		t.Errorf("%+v", p)
	}
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	with := map[keys.Scope]string{} // one key for each scope
	for _, scope := range keys.Scopes() {
		with[scope], _ = ring.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}, Scopes: []keys.Scope{scope}})
	}
	s := ring.server(t, newMemoryTasks(), io.Discard, onLog(openLog(t)), onLeases(&memoryLeases{}))
	task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...), http.StatusCreated)
	namesake(t, s, task.ID, bearing(ring.shop)...)
	for _, r := range routesOf(t, s) {
		for scope, secret := range with {
			w := r.call(s, task.ID, bearing(secret)...)
			if string(scope) == r.scope {
				if r.ofLease() {
					if p := problemOf(t, w); p.Code != sdk.CodeNotFound { // it names none
						t.Errorf("%s %s with the scope %s: %+v", r.method, r.path, scope, p)
					}
					continue
				}
				if w.Code >= 400 && w.Code != http.StatusConflict { // a running task cannot be retried nor a waiting attempt get a key, whoever asks
					t.Errorf("%s %s with the scope %s: %d %s", r.method, r.path, scope, w.Code, w.Body)
				}
				continue
			}
			if p := problemOf(t, w); p.Code != sdk.CodeForbidden || !strings.Contains(p.Detail, "scope "+r.scope) {
				t.Errorf("%s %s with the scope %s alone: %+v", r.method, r.path, scope, p)
			}
		}
	}
}

// TestScopes: what a key may do follows from one table. A route that is not in it can not be served: New refuses it.
func TestScopes(t *testing.T) {
	t.Parallel()
	for route, want := range map[string]keys.Scope{
		"GET /v1/tasks/:id":                           keys.ScopeRead,
		"POST /v1/tasks":                              keys.ScopeDelegate,
		"POST /v1/tasks/:id/retry":                    keys.ScopeDelegate,
		"POST /v1/tasks/:id/output":                   keys.ScopeWork,
		"POST /v1/tasks/:id/key":                      keys.ScopeWork,
		"POST /v1/events":                             keys.ScopePublish,
		"POST /v1/subscriptions/:name/pull":           keys.ScopeRead,
		"PUT /v1/subscriptions/:name":                 keys.ScopePublish,
		routeOf("DELETE", "/v1/subscriptions/{name}"): keys.ScopePublish,
		"POST /v1/tasks/:id/unheard":                  "",
		"DELETE /v1/tasks/:id":                        "",
	} {
		if got, known := scopeOf(route); got != want || known != (want != "") {
			t.Errorf("%s asks for %q, %v, want %q", route, got, known, want)
		}
	}
	for _, r := range routesOf(t, newTestServer(t, newMemoryTasks(), io.Discard)) {
		if got, known := scopeOf(routeOf(r.method, r.path)); !known || string(got) != r.scope {
			t.Errorf("%s %s asks for %q, %v; the document says %q", r.method, r.path, got, known, r.scope)
		}
	}
	api := apiConfig().OpenAPI
	api.Paths = map[string]*huma.PathItem{"/v1/tasks/{id}/unheard": {Put: &huma.Operation{Method: http.MethodPut}}}
	if _, _, err := document(api); err == nil || !strings.Contains(err.Error(), "has no scope") {
		t.Errorf("a route without a scope: %v", err)
	}
}

// TestForeignProject: whatever a key asks of a task that is not in its projects, the answer is that of a task which is nowhere.
func TestForeignProject(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...), http.StatusCreated)
	namesake(t, s, task.ID, bearing(ring.shop)...)
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	for _, r := range routesOf(t, s) {
		for name, headers := range map[string][]string{
			"its own project":     bearing(ring.bank),
			"the foreign project": append(bearing(ring.bank), headerProject, "shop", headerOrganization, "acme"),
			"another of its own":  append(bearing(ring.both), headerProject, "till"),
		} {
			foreign, none := r.call(s, task.ID, headers...), r.call(s, nowhere, headers...)
			if strings.Contains(r.path, "{id}") || name == "the foreign project" {
				a, b := problemOf(t, foreign), problemOf(t, none)
				a.Instance, b.Instance = "", ""
				if diff := cmp.Diff(b, a); diff != "" || a.Code != sdk.CodeNotFound {
					t.Errorf("%s %s in %s: %+v (-none +foreign):\n%s", r.method, r.path, name, a, diff)
				}
			}
			if strings.Contains(foreign.Body.String(), task.ID) {
				t.Errorf("%s %s in %s tells of the task: %s", r.method, r.path, name, foreign.Body)
			}
		}
	}
	taken := problemOf(t, call(s, http.MethodGet, "/v1/tasks/"+task.ID, "", append(bearing(ring.bank), headerProject, "shop")...))
	free := problemOf(t, call(s, http.MethodGet, "/v1/tasks/"+task.ID, "", append(bearing(ring.bank), headerProject, "nobodys")...))
	if taken.Instance, free.Instance = "", ""; !cmp.Equal(taken, free) {
		t.Errorf("a project that is there looks unlike one that is not: %+v, %+v", taken, free)
	}
}

func TestProjectOfAKey(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	tasks := newMemoryTasks()
	s := ring.server(t, tasks, io.Discard)
	for name, tc := range map[string]struct {
		headers []string
		project string // of the task
		code    sdk.Code
		says    string
	}{
		"the only one":        {bearing(ring.shop), "shop", "", ""},
		"the only one, named": {append(bearing(ring.shop), headerProject, "shop"), "shop", "", ""},
		"one of two":          {append(bearing(ring.both), headerProject, "till"), "till", "", ""},
		"none of two":         {bearing(ring.both), "", sdk.CodeInvalidInput, "shop, till"},
		"no name":             {append(bearing(ring.both), headerProject, "Shop"), "", sdk.CodeInvalidInput, "lower-case"},
		"not its own":         {append(bearing(ring.both), headerProject, "vault"), "", sdk.CodeNotFound, "shop, till"},
	} {
		w := call(s, http.MethodPost, "/v1/tasks", okBody, tc.headers...)
		if tc.code == "" {
			task := taskFrom(t, w, http.StatusCreated)
			if _, err := tasks.GetTask(t.Context(), tc.project, task.ID); err != nil {
				t.Errorf("%s: the task is not in %s: %v", name, tc.project, err)
			}
			continue
		}
		p := problemOf(t, w)
		if p.Code != tc.code || len(p.Errors) != 1 || p.Errors[0].Path != "header.Rolecall-Project" || !strings.Contains(p.Errors[0].Message, tc.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestOrganizationAndFairnessOfAKey(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	tasks := newMemoryTasks()
	s := ring.server(t, tasks, io.Discard)
	secret, id := ring.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	s.keys = mustOpen(t, ring.path)
	own := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, append(bearing(secret), headerOrganization, "evil", "Idempotency-Key", "k")...), http.StatusCreated)
	if own.FairnessKey != id {
		t.Errorf("the fairness key is %q, want the key's id %s", own.FairnessKey, id)
	}
	if got := tasks.organization(); got != "acme" {
		t.Errorf("the organization is %q", got)
	}
	answerOf[sdk.Plan](t, call(s, http.MethodPost, "/v1/plans", okPlan, bearing(secret)...), http.StatusCreated)
	if plans := plansOf(t, s).created; len(plans) != 1 || plans[0].FairnessKey != id {
		t.Errorf("the plan was created with %+v", plans)
	}
	if chosen := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", task(`"fairnessKey":"mine"`), bearing(secret)...), http.StatusCreated); chosen.FairnessKey != "mine" {
		t.Errorf("the fairness key is %q", chosen.FairnessKey)
	}
	again := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, append(bearing(ring.shop), "Idempotency-Key", "k")...), http.StatusOK)
	if again.ID != own.ID {
		t.Errorf("another key of the project made another task")
	}
}

// TestRetryIsChargedToWhoAsksForIt: another key's retry takes its turns as that key's, unless the request itself names whose they are.
func TestRetryIsChargedToWhoAsksForIt(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	tasks := newMemoryTasks()
	s := ring.server(t, tasks, io.Discard)
	shop, _ := s.keys.Find(ring.shop)
	both, _ := s.keys.Find(ring.both)
	for body, want := range map[string]string{okBody: both.ID, task(`"fairnessKey":"mine"`): "mine"} {
		first := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", body, bearing(ring.shop)...), http.StatusCreated)
		if first.FairnessKey == both.ID || first.FairnessKey != "mine" && first.FairnessKey != shop.ID {
			t.Errorf("the fairness key is %q", first.FairnessKey)
		}
		ended := first
		ended.Status = sdk.StatusFailed
		tasks.tasks["shop/"+first.ID] = ended
		again := taskFrom(t, call(s, http.MethodPost, "/v1/tasks/"+first.ID+"/retry", "", append(bearing(ring.both), headerProject, "shop")...), http.StatusCreated)
		if again.FairnessKey != want {
			t.Errorf("the retry's fairness key is %q, want %q", again.FairnessKey, want)
		}
	}
}

func mustOpen(t testing.TB, path string) *keys.Store {
	t.Helper()
	store, err := keys.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
