package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

func answerOf[T any](t testing.TB, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d; body %.300s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// namesake registers an agent, and has a session in the project shop, with the id of a task, so that what asks every route about that id
// finds them all.
func namesake(t testing.TB, s *Server, id string, headers ...string) {
	t.Helper()
	sessionsOf(t, s).put("shop", sdk.Session{ID: id, Status: sdk.SessionOpen, CreatedAt: time.Now()})
	plansOf(t, s).put("shop", sdk.Plan{ID: id, Status: sdk.StatusRunning, CreatedAt: time.Now()})
	answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", `{"id":"`+id+`","name":"x","role":"coder"}`, headers...), http.StatusCreated)
}

func TestAgents(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	tasks.roles = map[sdk.Role]sdk.RoleState{sdk.RoleCoder: {
		Role: sdk.RoleCoder, Waiting: 3, OldestMs: 1500, Pollers: []sdk.Poller{{Identity: "bob", LastSeenAt: time.Now().UTC()}, {Identity: "stranger", LastSeenAt: time.Now().UTC()}},
	}}
	s := newTestServer(t, tasks, io.Discard, onLog(openLog(t)))
	w := call(s, http.MethodPost, "/v1/agents", `{"id":"bob","name":"Bob","role":"coder","capabilities":["go"],"metadata":{"os":"linux"},"slots":2,"addressable":true}`)
	bob := answerOf[sdk.Agent](t, w, http.StatusCreated)
	want := sdk.Agent{
		ID: "bob", Name: "Bob", Role: "coder", Capabilities: []string{"go"}, Slots: 2, Addressable: true, Status: "idle", CurrentTasks: []string{},
		Metadata: map[string]string{"os": "linux"}, RegisteredAt: bob.RegisteredAt, LastSeenAt: bob.RegisteredAt, Polling: true, HeartbeatIntervalMs: 30_000,
	}
	if d := cmp.Diff(want, bob); d != "" || bob.RegisteredAt.IsZero() || w.Header().Get("Location") != "/v1/agents/bob" {
		t.Errorf("%s at %q", d, w.Header().Get("Location"))
	}
	named := answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", `{"name":"Eve","role":"cartographer"}`), http.StatusCreated)
	if !sdk.ValidID(named.ID) || named.Slots != 1 || named.Polling {
		t.Errorf("%+v", named)
	}
	if got := answerOf[sdk.Agent](t, call(s, http.MethodGet, "/v1/agents/bob", ""), http.StatusOK); !cmp.Equal(got, bob) {
		t.Error(cmp.Diff(bob, got))
	}
	busy := answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents/bob/heartbeat", `{"currentTasks":["t1"]}`), http.StatusOK)
	if busy.Status != sdk.AgentBusy || !slices.Equal(busy.CurrentTasks, []string{"t1"}) || !busy.LastSeenAt.After(bob.LastSeenAt) {
		t.Errorf("%+v", busy)
	}
	if got := answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents/bob/heartbeat", ""), http.StatusOK); got.Status != sdk.AgentBusy {
		t.Errorf("a heartbeat that says nothing: %+v", got)
	}
	roles := answerOf[sdk.RoleList](t, call(s, http.MethodGet, "/v1/roles", ""), http.StatusOK).Items
	if len(roles) != 11 || roles[10].Role != "cartographer" || roles[10].Agents != (sdk.RoleAgents{Idle: 1}) || !roles[10].Unknown {
		t.Errorf("%+v", roles)
	}
	i := slices.IndexFunc(roles, func(r sdk.RoleState) bool { return r.Role == sdk.RoleCoder })
	if r := roles[i]; r.Agents != (sdk.RoleAgents{Busy: 1}) || r.Waiting != 3 || r.OldestMs != 1500 || len(r.Pollers) != 2 || r.Description == "" {
		t.Errorf("%+v", r)
	}
	if w := call(s, http.MethodDelete, "/v1/agents/bob", ""); w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, r := range []string{"GET /v1/agents/bob", "POST /v1/agents/bob/heartbeat", "DELETE /v1/agents/bob"} {
		method, path, _ := strings.Cut(r, " ")
		if p := problemOf(t, call(s, method, path, "")); p.Code != sdk.CodeNotFound {
			t.Errorf("%s: %+v", r, p)
		}
	}
	page := answerOf[sdk.EventPage](t, call(s, http.MethodGet, "/v1/events?subject=agent/bob", ""), http.StatusOK)
	var types []sdk.EventType
	for _, e := range page.Items {
		types = append(types, e.Type)
	}
	if !slices.Equal(types, []sdk.EventType{sdk.EventAgentRegistered, sdk.EventAgentStatusChanged, sdk.EventAgentStatusChanged}) {
		t.Errorf("the log has %q", types)
	}
}

func TestListAgents(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	for i := range 7 {
		role, capability := []string{"coder", "tester"}[i%2], []string{"go", "sql", "c"}[i%3]
		answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", fmt.Sprintf(`{"id":"a%d","name":"x","role":%q,"capabilities":[%q]}`, i, role, capability)), http.StatusCreated)
	}
	answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents/a4/heartbeat", `{"status":"offline"}`), http.StatusOK)
	answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", `{"id":"z","name":"x","role":"coder"}`, headerProject, "other"), http.StatusCreated)
	for query, want := range map[string]string{
		"": "a0 a1 a2 a3 a4 a5 a6", "role=coder": "a0 a2 a4 a6", "capability=go": "a0 a3 a6", "status=offline": "a4", "status=busy": "",
		"role=coder&capability=go&status=idle": "a0 a6", "role=planner": "",
	} {
		for _, limit := range []int{0, 1, 2, 200} {
			var got []string
			for cursor := ""; ; {
				q := query
				if limit > 0 {
					q += fmt.Sprintf("&limit=%d", limit)
				}
				if cursor != "" {
					q += "&cursor=" + cursor
				}
				page := answerOf[sdk.AgentPage](t, call(s, http.MethodGet, "/v1/agents?"+strings.Trim(q, "&"), ""), http.StatusOK)
				if limit > 0 && len(page.Items) > limit {
					t.Errorf("%s: %d items", q, len(page.Items))
				}
				for _, a := range page.Items {
					got = append(got, a.ID)
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q, %d a page: %q, want %q", query, limit, got, want)
			}
		}
	}
	cursor := answerOf[sdk.AgentPage](t, call(s, http.MethodGet, "/v1/agents?limit=1", ""), http.StatusOK).NextCursor
	for query, path := range map[string]string{
		"limit=0": "query.limit", "limit=201": "query.limit", "status=away": "query.status", "role=A": "query.role", "capability=": "query.capability",
		"nam=x": "query.nam", "cursor=x": "query.cursor", "role=coder&cursor=" + cursor: "query.cursor", "capability=" + strings.Repeat("x", 65): "query.capability",
	} {
		p := problemOf(t, call(s, http.MethodGet, "/v1/agents?"+query, ""))
		if p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

func TestRefusedAgents(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	for body, paths := range map[string]string{
		`{}`:                                    "$.name $.role",
		`{"name":"x","role":"A b"}`:             "$.role",
		`{"id":"a.b","name":"x","role":"a"}`:    "$.id",
		`{"name":"a\nb","role":"a","slots":-1}`: "$.name $.slots",
		`{"name":"x","role":"a","slots":1001,"colour":"red"}`:                         "$.colour $.slots",
		`{"name":"x","role":"a","capabilities":["", "ok"],"metadata":{"":"v"}}`:       `$.capabilities[0] $.metadata[""]`,
		`{"name":"x","role":"a","id":"sk-ant-api03-` + strings.Repeat("a", 40) + `"}`: "$.id",
	} {
		p := problemOf(t, call(s, http.MethodPost, "/v1/agents", body))
		var got []string
		for _, f := range p.Errors {
			got = append(got, f.Path)
		}
		slices.Sort(got)
		if p.Code != sdk.CodeInvalidInput || strings.Join(got, " ") != paths {
			t.Errorf("%s: %+v", body, p)
		}
	}
	answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", `{"id":"a","name":"x","role":"a"}`), http.StatusCreated)
	for body, path := range map[string]string{
		`{"status":"asleep"}`: "$.status", `{"currentTasks":["a b"]}`: "$.currentTasks[0]", `{"progress":1}`: "$.progress", `{"metadata":{"k":1}}`: `$.metadata["k"]`,
	} {
		p := problemOf(t, call(s, http.MethodPost, "/v1/agents/a/heartbeat", body))
		if p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/agents/a%20b", "")); p.Code != sdk.CodeInvalidInput {
		t.Errorf("%+v", p)
	}
	bare := newTestServer(t, newMemoryTasks(), io.Discard)
	for _, path := range []string{"/v1/agents", "/v1/agents/a", "/v1/roles"} {
		if p := problemOf(t, call(bare, http.MethodGet, path, "")); p.Code != sdk.CodeUnavailable {
			t.Errorf("without a registry %s: %+v", path, p)
		}
	}
}

// TestAgentsOfAnotherOrganization do not exist for a caller.
func TestAgentsOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", `{"id":"a","name":"x","role":"coder"}`, headerOrganization, "acme"), http.StatusCreated)
	other := []string{headerOrganization, "bank"}
	for _, r := range []string{"GET /v1/agents/a", "POST /v1/agents/a/heartbeat", "DELETE /v1/agents/a", "POST /v1/agents"} {
		method, path, _ := strings.Cut(r, " ")
		body := ""
		if path == "/v1/agents" {
			body = `{"id":"a","name":"x","role":"coder"}`
		}
		if p := problemOf(t, call(s, method, path, body, other...)); p.Code != sdk.CodeNotFound {
			t.Errorf("%s: %+v", r, p)
		}
	}
	if page := answerOf[sdk.AgentPage](t, call(s, http.MethodGet, "/v1/agents", "", other...), http.StatusOK); len(page.Items) != 0 {
		t.Errorf("%+v", page)
	}
	for _, r := range answerOf[sdk.RoleList](t, call(s, http.MethodGet, "/v1/roles", "", other...), http.StatusOK).Items {
		if r.Agents != (sdk.RoleAgents{}) {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhatAnAgentSaysIsRedacted(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	secret := "ghp_" + strings.Repeat("aB3", 12)
	w := call(s, http.MethodPost, "/v1/agents", `{"id":"a","name":"`+secret+`","role":"coder","metadata":{"key":"`+secret+`"}}`)
	answerOf[sdk.Agent](t, w, http.StatusCreated)
	beat := call(s, http.MethodPost, "/v1/agents/a/heartbeat", `{"metadata":{"other":"`+secret+`"}}`)
	page, err := log.Read(bounded(t), "default", eventlog.Query{Limit: 10})
	if err != nil || len(page.Records) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	for name, text := range map[string]string{"answer": w.Body.String(), "heartbeat": beat.Body.String(), "event": string(page.Records[0].Data)} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s has a secret: %s", name, text)
		}
	}
}
