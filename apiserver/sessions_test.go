package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

const okSession, okSessionTask = `{"costTier":"hybrid","clientId":"editor"}`, `{"type":"execute","prompt":"Add it"}`

func TestOpenSession(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.OrchestratorModel = "ours" }, onLog(openLog(t)))
	sessions := sessionsOf(t, s)
	w := call(s, http.MethodPost, "/v1/sessions", okSession)
	opened := answerOf[sdk.Session](t, w, http.StatusCreated)
	if opened.CostTier != sdk.TierHybrid || opened.OrchestratorModel != "ours" || opened.ExecutorModel != "claude-sonnet-4" ||
		w.Header().Get("Location") != "/v1/sessions/"+opened.ID || opened.Links.Events != "/v1/sessions/"+opened.ID+"/events" {
		t.Errorf("%+v at %q", opened, w.Header().Get("Location"))
	}
	in := sessions.opened[0]
	if in.Config.Retry == nil || *in.Config.Fallback != true || in.Config.IdleTimeoutMs != 1_800_000 || in.ModelOverrides.Orchestrator != "ours" || in.ModelOverrides.Executor != "" {
		t.Errorf("what it starts with: %+v", in)
	}
	if again := answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", ""), http.StatusCreated); again.ID == opened.ID || again.CostTier != sdk.TierFree {
		t.Errorf("nothing said: %+v", again)
	}
	first := answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", okSession, "Idempotency-Key", "k"), http.StatusCreated)
	w = call(s, http.MethodPost, "/v1/sessions", `{"clientId":"editor","costTier":"hybrid"}`, "Idempotency-Key", "k")
	if again := answerOf[sdk.Session](t, w, http.StatusOK); again.ID != first.ID || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same again: %+v %v", again, w.Header())
	}
	if p := problemOf(t, call(s, http.MethodPost, "/v1/sessions", `{}`, "Idempotency-Key", "k")); p.Code != sdk.CodeIdempotencyMismatch {
		t.Errorf("another body: %+v", p)
	}
	p := problemOf(t, call(s, http.MethodPost, "/v1/sessions?x=1", `{"costTier":"cheap","idleTimeoutMs":1,"tier":"free","clientId":"a b"}`, "Idempotency-Key", ""))
	var paths []string
	for _, f := range p.Errors {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	if diff := cmp.Diff([]string{"$.clientId", "$.costTier", "$.idleTimeoutMs", "$.tier", "query.x"}, paths); diff != "" || p.Code != sdk.CodeInvalidInput {
		t.Errorf("%+v: %s", p, diff)
	}
}

func TestSessionTasks(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	sessions := sessionsOf(t, s)
	id := answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", okSession), http.StatusCreated).ID
	tasks := "/v1/sessions/" + id + "/tasks"
	w := call(s, http.MethodPost, tasks, okSessionTask)
	task := taskFrom(t, w, http.StatusCreated)
	if task.SessionID != id || w.Header().Get("Location") != "/v1/tasks/"+task.ID || task.Links.Events != "/v1/tasks/"+task.ID+"/events" || !strings.HasPrefix(task.ID, id+"-t-") {
		t.Errorf("%+v at %q", task, w.Header().Get("Location"))
	}
	if other := taskFrom(t, call(s, http.MethodPost, tasks, okSessionTask), http.StatusCreated); other.ID == task.ID {
		t.Error("two tasks are one")
	}
	keyed := taskFrom(t, call(s, http.MethodPost, tasks, okSessionTask, "Idempotency-Key", "k"), http.StatusCreated)
	w = call(s, http.MethodPost, tasks, `{"prompt":"Add it","type":"execute"}`, "Idempotency-Key", "k")
	if again := taskFrom(t, w, http.StatusOK); again.ID != keyed.ID || w.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same again: %+v %v", again, w.Header())
	}
	if p := problemOf(t, call(s, http.MethodPost, tasks, `{"prompt":"Add more","type":"execute"}`, "Idempotency-Key", "k")); p.Code != sdk.CodeIdempotencyMismatch {
		t.Errorf("another body: %+v", p)
	}
	for body, path := range map[string]string{
		`{"type":"execute","prompt":"do"}`: "$.prompt", `{"type":"execute","prompt":"` + strings.Repeat("x", 100_001) + `"}`: "$.prompt",
		`{"type":"art.paint","prompt":"Add it"}`: "$.role", `{"type":"execute","prompt":"Add it","title":"x"}`: "$.title",
		`{"type":"execute","prompt":"Add it","context":{"skillHints":[{"name":"a","successRate":2}]}}`: "$.context.skillHints[0].successRate",
	} {
		if p := problemOf(t, call(s, http.MethodPost, tasks, body)); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%.60s: %+v", body, p)
		}
	}
	if n := len(sessions.sent); n != 3 {
		t.Errorf("%d were sent", n)
	}
	for range 2 {
		closed := answerOf[sdk.Session](t, call(s, http.MethodDelete, "/v1/sessions/"+id, ""), http.StatusOK)
		if closed.Status != sdk.SessionClosing {
			t.Errorf("%+v", closed)
		}
	}
	if p := problemOf(t, call(s, http.MethodPost, tasks, okSessionTask)); p.Code != sdk.CodeConflict {
		t.Errorf("a closed session: %+v", p)
	}
	for _, path := range []string{"/v1/sessions/none/tasks", "/v1/sessions/a.b/tasks"} {
		if p := problemOf(t, call(s, http.MethodPost, path, okSessionTask)); p.Code != sdk.CodeNotFound && p.Code != sdk.CodeInvalidInput {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestListsOfSessions(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	for _, body := range []string{okSession, okSession, `{}`} {
		answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", body), http.StatusCreated)
	}
	page := answerOf[sdk.SessionPage](t, call(s, http.MethodGet, "/v1/sessions?clientId=editor&status=open&limit=7", ""), http.StatusOK)
	if len(page.Items) != 2 || page.Items[0].Links.Events == "" || !cmp.Equal(sessionsOf(t, s).filter, sdk.SessionFilter{ClientID: "editor", Status: sdk.SessionOpen, Limit: 7}) {
		t.Errorf("%+v of %+v", page, sessionsOf(t, s).filter)
	}
	if stats := answerOf[sdk.SessionStats](t, call(s, http.MethodGet, "/v1/sessions/stats", ""), http.StatusOK); stats.TotalSessions != 3 || stats.SessionsByClient == nil {
		t.Errorf("%+v", stats)
	}
	for _, want := range []int{2, 0} {
		if got := answerOf[closedSessions](t, call(s, http.MethodDelete, "/v1/clients/editor/sessions", ""), http.StatusOK).Closed; got != want {
			t.Errorf("closed %d, want %d", got, want)
		}
	}
	for path, fault := range map[string]string{
		"/v1/sessions?status=idle": "query.status", "/v1/sessions?limit=0": "query.limit", "/v1/sessions?clientId=": "query.clientId", "/v1/sessions?role=coder": "query.role",
		"/v1/sessions?cursor=x": "query.cursor", "/v1/sessions/stats?limit=1": "query.limit", "/v1/sessions/a?waitMs=1": "query.waitMs",
	} {
		if p := problemOf(t, call(s, http.MethodGet, path, "")); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != fault {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if p := problemOf(t, call(s, http.MethodDelete, "/v1/clients/a.b/sessions", "")); len(p.Errors) != 1 || p.Errors[0].Path != "path.clientId" {
		t.Errorf("%+v", p)
	}
	other := []string{headerOrganization, "another"}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/sessions/"+page.Items[0].ID, "", other...)); p.Code != sdk.CodeNotFound {
		t.Errorf("another organization's: %+v", p)
	}
	if page := answerOf[sdk.SessionPage](t, call(s, http.MethodGet, "/v1/sessions", "", other...), http.StatusOK); len(page.Items) != 0 {
		t.Errorf("another organization's: %+v", page)
	}
}

// TestSessionsWithoutAnEngine: a server that has no sessions says so, once it may answer at all.
func TestSessionsWithoutAnEngine(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.Sessions = nil })
	asked := 0
	for _, r := range routesOf(t, s) {
		if !strings.HasPrefix(r.path, "/v1/sessions") && !strings.HasPrefix(r.path, "/v1/clients") {
			continue
		}
		asked++
		if p := problemOf(t, r.call(s, "a")); p.Code != sdk.CodeUnavailable || !strings.Contains(p.Detail, "no sessions") {
			t.Errorf("%s %s: %+v", r.method, r.path, p)
		}
	}
	if asked != 8 {
		t.Errorf("%d routes", asked)
	}
	s = newTestServer(t, newMemoryTasks(), io.Discard) // one without a log has sessions, and no stream of them
	session := answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", ""), http.StatusCreated)
	if p := problemOf(t, call(s, http.MethodGet, "/v1/sessions/"+session.ID+"/events", "")); p.Code != sdk.CodeUnavailable || session.Links.Events != "" {
		t.Errorf("%+v, links %+v", p, session.Links)
	}
}

// TestSessionSecretsAreRedacted: what is stored of a session and of its tasks holds no secret, and a name that would is refused.
func TestSessionSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	const secret = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	sessions := sessionsOf(t, s)
	id := answerOf[sdk.Session](t, call(s, http.MethodPost, "/v1/sessions", `{"metadata":{"token":"`+secret+`"}}`), http.StatusCreated).ID
	body := strings.ReplaceAll(`{"type":"execute","prompt":"use %","context":{"episodes":[{"id":"%","summary":"%","outcome":"%"}],`+
		`"memory":{"goal":"%","discoveries":["%"],"workingSet":["%"]},"skillHints":[{"name":"%","successRate":1}],"metadata":{"a":"%"}}}`, "%", secret)
	taskFrom(t, call(s, http.MethodPost, "/v1/sessions/"+id+"/tasks", body, "Idempotency-Key", "k"), http.StatusCreated)
	taskFrom(t, call(s, http.MethodPost, "/v1/sessions/"+id+"/tasks", body, "Idempotency-Key", "k"), http.StatusOK)
	r := sessions.sent[0].Request
	stored := fmt.Sprintf("%+v %+v %+v %+v", sessions.opened, sessions.sent, *r.Context, *r.Context.Memory)
	if strings.Contains(stored, secret) || strings.Count(stored, "[redacted]") < 10 {
		t.Errorf("stored: %s", stored)
	}
	for _, field := range []string{"clientId", "orchestratorModel", "executorModel"} {
		p := problemOf(t, call(s, http.MethodPost, "/v1/sessions", `{"`+field+`":"`+secret+`"}`))
		if len(p.Errors) != 1 || p.Errors[0].Path != "$."+field || strings.Contains(p.Errors[0].Message, secret) {
			t.Errorf("%s: %+v", field, p)
		}
	}
}
