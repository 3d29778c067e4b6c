package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// crew is a service that knows agents and roles.
type crew struct {
	*httptest.Server
	mu      sync.Mutex
	agents  []sdk.Agent
	roles   []sdk.RoleState
	queries []string
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	now := time.Now()
	c := &crew{
		agents: []sdk.Agent{
			{ID: "ann", Name: "Ann", Role: "coder", Slots: 2, Status: "busy", CurrentTasks: []string{"t1", "t2"}, LastSeenAt: now, RegisteredAt: now.Add(-time.Hour), HeartbeatIntervalMs: 30_000},
			{ID: "bob", Name: "Bo\x1bb", Role: "coder", Slots: 1, Status: "idle", LastSeenAt: now, Polling: true, RegisteredAt: now.Add(-time.Hour), HeartbeatIntervalMs: 30_000},
			{ID: "cid", Name: "Cid", Role: "tester", Slots: 1, Status: "idle", LastSeenAt: now, RegisteredAt: now.Add(-time.Hour), HeartbeatIntervalMs: 30_000},
			{ID: "dan", Name: "Dan", Role: "tester", Slots: 1, Status: "offline", LastSeenAt: now.Add(-time.Hour), RegisteredAt: now.Add(-2 * time.Hour), HeartbeatIntervalMs: 30_000},
			{ID: "new", Name: "New", Role: "tester", Slots: 1, Status: "idle", LastSeenAt: now, RegisteredAt: now, HeartbeatIntervalMs: 3_600_000},
		},
		roles: []sdk.RoleState{
			{Role: "coder", Agents: sdk.RoleAgents{Idle: 1, Busy: 1}, Pollers: []sdk.Poller{{Identity: "bob"}}},
			{Role: "tester", Agents: sdk.RoleAgents{Idle: 2, Offline: 1}, Waiting: 3, OldestMs: 90_000},
			{Role: "planner", Unknown: true},
		},
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	mux.HandleFunc("GET /v1/agents", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.queries = append(c.queries, r.URL.RawQuery)
		answer(w, sdk.AgentPage{Items: c.agents})
	})
	mux.HandleFunc("GET /v1/roles", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		answer(w, sdk.RoleList{Items: c.roles})
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func TestAgents(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	got := rolecall(t, c.URL, "", "agents", "--role", "coder", "--capability", "go", "--status", "idle")
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(got.stdout), "\n") {
		cut, _, _ := strings.Cut(l, " ago")
		lines = append(lines, strings.TrimRight(strings.TrimRight(cut, "0123456789smh"), " "))
	}
	want := []string{
		"ID   NAME  ROLE    STATUS   ASKS  SLOTS  TASKS          SEEN",
		"ann  Ann   coder   busy     full  2      t1 and 1 more",
		"bob  Bo b  coder   idle     yes   1      -",
		"cid  Cid   tester  idle     no    1      -",
		"dan  Dan   tester  offline  -     1      -",
		"new  New   tester  idle     no    1      -",
	}
	if diff := cmp.Diff(want, lines); diff != "" || got.code != 0 || got.stderr != "" {
		t.Errorf("%+v\n%s", got, diff)
	}
	c.mu.Lock()
	queries := strings.Join(c.queries, " ")
	c.mu.Unlock()
	if queries != "capability=go&limit=200&role=coder&status=idle" {
		t.Errorf("asked for %s", queries)
	}
	var list sdk.AgentPage
	if out := rolecall(t, c.URL, "", "agents", "--json"); json.Unmarshal([]byte(out.stdout), &list) != nil || len(list.Items) != 5 {
		t.Errorf("%+v", out)
	}
	if out := rolecall(t, c.URL, "", "agents", "--status", "asleep"); out.code != exitUsage || !strings.Contains(out.stderr, "--status") {
		t.Errorf("%+v", out)
	}
	c.mu.Lock()
	c.agents = nil
	c.mu.Unlock()
	if out := rolecall(t, c.URL, "", "agents"); out.code != 0 || out.stdout != "" || !strings.Contains(out.stderr, "No agent") {
		t.Errorf("%+v", out)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	got := rolecall(t, c.URL, "", "roles")
	want := strings.Join([]string{
		"ROLE     IDLE  BUSY  OFFLINE  ASKING  WAITING  OLDEST",
		"coder    1     1     0        1       0        -",
		"tester   2     0     1        0       3        1m30s  nobody answers",
		"planner  0     0     0        ?       ?        -      its queue could not be looked at",
		"",
	}, "\n")
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != 0 {
		t.Errorf("%+v\n%s", got, diff)
	}
	var list sdk.RoleList
	if out := rolecall(t, c.URL, "", "roles", "--json"); json.Unmarshal([]byte(out.stdout), &list) != nil || len(list.Items) != 3 {
		t.Errorf("%+v", out)
	}
}

// TestWatchPrintsWhatChanges: in a pipe a table comes again when something has changed, and the end is Ctrl-C.
func TestWatchPrintsWhatChanges(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, []string{"EVENTS_SERVICE_URL=" + c.URL, "TASK_POLLING_INTERVAL=50"}, "agents", "--watch", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []int{5, 2, 0} {
		var list sdk.AgentPage
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &list) != nil || len(list.Items) != want {
			t.Fatalf("%s, want %d agents: %v", lines.Text(), want, lines.Err())
		}
		c.mu.Lock()
		c.agents = c.agents[:min(2, len(c.agents))]
		if want == 2 {
			c.agents = nil
		}
		c.mu.Unlock()
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

// TestWatchOnATerminal draws the table in its own place.
func TestWatchOnATerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := &console{stdout: &out, stderr: &out, width: func() int { return 80 }}
	v := rolesView(sdk.RoleList{Items: newCrew(t).roles})
	if shown, err := c.frame(v, ""); err != nil || shown != "" {
		t.Errorf("%q, %v", shown, err)
	}
	if text := out.String(); !strings.HasPrefix(text, top+"ROLE") || !strings.HasSuffix(text, clearBelow) || strings.Count(text, "\n") != 4 {
		t.Errorf("%q", text)
	}
}

func TestDoctorsWordsForAgents(t *testing.T) {
	t.Parallel()
	agents := newCrew(t).agents
	e := healthy(func(e *examination) { e.Agents, e.now = agents, time.Now() })
	found := diagnose(e)
	if len(found) != 1 || !strings.Contains(found[0].Problem, "cid (idle, registered 1h0m0s ago)") || !strings.Contains(found[0].Problem, "not asking for work") ||
		!strings.Contains(found[0].Advice, "POST /v1/roles/tester/claim") || strings.Contains(found[0].Problem, "new") {
		t.Errorf("%+v", found)
	}
	noted := remarks(e)
	if len(noted) != 1 || !strings.Contains(noted[0].Problem, "offline, of role tester: dan (last seen 1h0m0s ago)") {
		t.Errorf("%+v", noted)
	}
	if text := examinationText(e, found); !strings.Contains(text, "5 registered: 3 idle, 1 busy, 1 offline") {
		t.Error(text)
	}
	for _, excuse := range []func(*sdk.Agent){func(a *sdk.Agent) { a.PollingUnknown = true }, func(a *sdk.Agent) { a.Status = sdk.AgentBusy }} {
		excused := slices.Clone(agents)
		for i := range excused {
			if excused[i].Status == sdk.AgentIdle {
				excuse(&excused[i])
			}
		}
		if found := agentFaults(examination{Agents: excused, Temporal: e.Temporal, now: e.now}); len(found) != 0 {
			t.Errorf("%+v", found)
		}
	}
	e.Temporal.Reachable = false // then nobody knows who asks
	if found := diagnose(e); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	many := make([]sdk.Agent, 0, 7)
	for range cap(many) {
		many = append(many, agents[3])
	}
	e.Agents = many
	if noted := remarks(e); len(noted) != 1 || !strings.Contains(noted[0].Problem, "and 2 more") {
		t.Errorf("%+v", noted)
	}
}
