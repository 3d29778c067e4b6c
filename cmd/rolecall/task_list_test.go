package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// listing is a service with three tasks on two pages.
func listing(t *testing.T) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var queries []string
	item := func(id string, status sdk.Status) sdk.TaskSummary {
		return sdk.TaskSummary{ID: id, Type: "code.write", Role: "coder", Title: "Write \x1b it", Priority: "high", Status: status, AgentID: "ann", CreatedAt: noon(0)}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		queries = append(queries, r.URL.RawQuery)
		mu.Unlock()
		page := sdk.TaskPage{Items: []sdk.TaskSummary{item("t1", "running"), item("t2", "input_required")}, NextCursor: "c"}
		page.Items[1].AgentID = ""
		if r.URL.Query().Has("cursor") {
			page = sdk.TaskPage{Items: []sdk.TaskSummary{item("t3", "queued")}}
		}
		if r.URL.Query().Get("role") == "nobody" {
			page = sdk.TaskPage{}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(page); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), queries...)
	}
}

func TestTaskList(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args    []string
		code    int
		stdout  []string // lines
		stderr  string
		queries []string
	}{
		"all": {
			stdout: []string{
				"CREATED (UTC)        STATUS          ID  TYPE        ROLE   PRIORITY  AGENT  TITLE",
				"2026-01-02 12:00:00  running         t1  code.write  coder  high      ann    Write   it",
				"2026-01-02 12:00:00  input_required  t2  code.write  coder  high      -      Write   it",
				"2026-01-02 12:00:00  queued          t3  code.write  coder  high      ann    Write   it",
			},
			queries: []string{"limit=51", "cursor=c&limit=51"},
		},
		"filtered": {
			args: []string{"--role", "coder", "--type", "code.write", "--status", "open", "--priority", "high", "--agent-id", "a", "--parent-id", "p",
				"--session-id", "s", "--plan-id", "l", "--since", "2026-01-02T12:00:00Z", "--limit", "1"},
			stdout: []string{
				"CREATED (UTC)        STATUS   ID  TYPE        ROLE   PRIORITY  AGENT  TITLE",
				"2026-01-02 12:00:00  running  t1  code.write  coder  high      ann    Write   it",
			}, stderr: "There are more; --limit 0 lists all.",
			queries: []string{"agentId=a&limit=2&parentId=p&planId=l&priority=high&role=coder&sessionId=s&since=2026-01-02T12%3A00%3A00Z&status=open&type=code.write"},
		},
		"none":         {args: []string{"--role", "nobody", "--limit", "0"}, stderr: "There are none.", queries: []string{"limit=200&role=nobody"}},
		"up to many":   {args: []string{"--role", "nobody", "--limit", "9223372036854775807"}, stderr: "There are none.", queries: []string{"limit=200&role=nobody"}},
		"just a page":  {args: []string{"--role", "nobody", "--limit", "199"}, stderr: "There are none.", queries: []string{"limit=200&role=nobody"}},
		"wrong since":  {args: []string{"--since", "yesterday"}, code: 2, stderr: "--since"},
		"wrong limit":  {args: []string{"--limit", "-1"}, code: 2, stderr: "--limit"},
		"wrong agent":  {args: []string{"--agent-id", "a b"}, code: 2, stderr: "--agent-id must"},
		"wrong status": {args: []string{"--status", "done"}, code: 2, stderr: "--status must be open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := listing(t)
			got := rolecall(t, url, "", append([]string{"task", "list"}, tc.args...)...)
			want := strings.Join(tc.stdout, "\n")
			if want != "" {
				want += "\n"
			}
			if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != tc.code || !strings.Contains(got.stderr, tc.stderr) {
				t.Errorf("exit code %d, stderr %q, stdout %s", got.code, got.stderr, diff)
			}
			if diff := cmp.Diff(tc.queries, asked()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTaskListAsJSON(t *testing.T) {
	t.Parallel()
	url, _ := listing(t)
	got := rolecall(t, url, "", "task", "list", "--limit", "2", "--json")
	var list taskList
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || got.code != 0 {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(list.Items) != 2 || list.Items[1].ID != "t2" || !list.More {
		t.Errorf("%+v", list)
	}
}
