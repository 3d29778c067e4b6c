package apiserver

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestListReadsItsFilter(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]sdk.TaskFilter{
		"": {},
		"?role=coder&type=code.write&status=open&priority=urgent&agentId=a1&parentId=p1&sessionId=s1&planId=l1&limit=200": {
			Role: "coder", Type: "code.write", Status: "open", Priority: "urgent", AgentID: "a1", ParentID: "p1", SessionID: "s1", PlanID: "l1", Limit: 200},
		"?since=2026-01-02T15:04:05.5%2B01:00": {Since: time.Date(2026, 1, 2, 14, 4, 5, 5e8, time.UTC)},
		"?cursor=more&status=input_required":   {Status: "input_required"},
	} {
		tasks := newMemoryTasks()
		s := newTestServer(t, tasks, io.Discard)
		if w := call(s, http.MethodGet, "/v1/tasks"+query, ""); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"items":[]}` {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
		if diff := cmp.Diff(want, tasks.filter); diff != "" {
			t.Errorf("%q: %s", query, diff)
		}
	}
}

func TestListRefusesAllAtOnce(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"?role=Coder&type=Write&status=done&priority=asap&agentId=a'b&parentId=%00&sessionId=-&planId=a%20b&since=yesterday&limit=0&page=2": "agentId limit page parentId planId priority role sessionId since status type",
		"?limit=201":                  "limit",
		"?limit=1e2":                  "limit",
		"?limit=-1":                   "limit",
		"?status=open&status=queued":  "status",
		"?role=":                      "role",
		"?status=Open":                "status",
		"?role=coder'%20OR%20'1'='1":  "role",
		"?since=0001-01-01T00:00:01Z": "since",
		"?cursor=other":               "cursor",
	} {
		s := newTestServer(t, newMemoryTasks(), io.Discard)
		p := problemOf(t, call(s, http.MethodGet, "/v1/tasks"+query, ""))
		var paths []string
		for _, f := range p.Errors {
			paths = append(paths, strings.TrimPrefix(f.Path, "query."))
		}
		if got := strings.Join(paths, " "); p.Code != sdk.CodeInvalidInput || got != want {
			t.Errorf("%q: %s of %q, want %q", query, p.Code, got, want)
		}
	}
}

func TestListIsOfOneProject(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	task := mustCreate(t, s)
	list := func(headers ...string) (page sdk.TaskPage) {
		w := call(s, http.MethodGet, "/v1/tasks", "", headers...)
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return page
	}
	if page := list(); len(page.Items) != 1 || page.Items[0].ID != task.ID || page.NextCursor != "more" {
		t.Errorf("%+v", page)
	}
	for _, headers := range [][]string{{"Rolecall-Project", "other"}, {"Rolecall-Organization", "other"}} {
		if page := list(headers...); len(page.Items) != 0 || page.NextCursor != "" {
			t.Errorf("%v see %+v", headers, page)
		}
	}
}
