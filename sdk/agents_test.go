package sdk_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// agentsAsked is a service that knows one agent, and what was asked of it.
func agentsAsked(t *testing.T) (client *sdk.Client, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		list = append(list, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		mu.Unlock()
		var answer any = sdk.Agent{ID: "bob", Status: sdk.AgentIdle}
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
			return
		case r.URL.Path == "/v1/roles":
			answer = sdk.RoleList{Items: []sdk.RoleState{{Role: "coder", Waiting: 2}}}
		case r.URL.Path == "/v1/agents" && r.Method == http.MethodGet:
			page := sdk.AgentPage{Items: []sdk.Agent{{ID: "ann"}}, NextCursor: "c"}
			if r.URL.Query().Get("cursor") == "c" {
				page = sdk.AgentPage{Items: []sdk.Agent{{ID: "bob"}}}
			}
			answer = page
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	client, err := sdk.NewClient(sdk.Config{URL: server.URL, AgentID: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	return client, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestAgentCalls(t *testing.T) {
	t.Parallel()
	client, asked := agentsAsked(t)
	ctx := t.Context()
	if a, err := client.RegisterAgent(ctx, sdk.AgentRequest{Name: "Bob", Role: sdk.RoleCoder, Capabilities: []string{"go"}}); err != nil || a.ID != "bob" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, h := range []sdk.AgentHeartbeat{
		{}, {CurrentTasks: []string{}}, {Status: sdk.AgentBusy, CurrentTasks: []string{"t"}, Metadata: map[string]string{"a": "b"}},
	} {
		if _, err := client.HeartbeatAgent(ctx, "bob", h); err != nil {
			t.Error(err)
		}
	}
	if a, err := client.Agent(ctx, "bob"); err != nil || a.Status != sdk.AgentIdle {
		t.Errorf("%+v, %v", a, err)
	}
	var ids []string
	for a, err := range client.Agents(ctx, sdk.AgentFilter{Role: "coder", Capability: "go", Status: sdk.AgentIdle, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	if !slices.Equal(ids, []string{"ann", "bob"}) {
		t.Errorf("listed %q", ids)
	}
	if roles, err := client.Roles(ctx); err != nil || len(roles) != 1 || roles[0].Waiting != 2 {
		t.Errorf("%+v, %v", roles, err)
	}
	if err := client.DeregisterAgent(ctx, "bob"); err != nil {
		t.Error(err)
	}
	want := []string{
		`POST /v1/agents {"id":"bob","name":"Bob","role":"coder","capabilities":["go"]}`,
		`POST /v1/agents/bob/heartbeat {}`,
		`POST /v1/agents/bob/heartbeat {"currentTasks":[]}`,
		`POST /v1/agents/bob/heartbeat {"currentTasks":["t"],"metadata":{"a":"b"},"status":"busy"}`,
		`GET /v1/agents/bob`,
		`GET /v1/agents?capability=go&limit=1&role=coder&status=idle`,
		`GET /v1/agents?capability=go&cursor=c&limit=1&role=coder&status=idle`,
		`GET /v1/roles`,
		`DELETE /v1/agents/bob`,
	}
	if got := asked(); !slices.Equal(got, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAgentCallsThatAreNotSent: what cannot be right does not reach the service.
func TestAgentCallsThatAreNotSent(t *testing.T) {
	t.Parallel()
	client, asked := agentsAsked(t)
	ctx := t.Context()
	long := strings.Repeat("x", 201)
	for name, err := range map[string]error{
		"no role":         only(client.RegisterAgent(ctx, sdk.AgentRequest{Name: "Bob"})),
		"a long name":     only(client.RegisterAgent(ctx, sdk.AgentRequest{Name: long, Role: "coder"})),
		"too many slots":  only(client.RegisterAgent(ctx, sdk.AgentRequest{Name: "Bob", Role: "coder", Slots: 1001})),
		"an id":           only(client.HeartbeatAgent(ctx, "a/b", sdk.AgentHeartbeat{})),
		"a status":        only(client.HeartbeatAgent(ctx, "a", sdk.AgentHeartbeat{Status: "asleep"})),
		"many tasks":      only(client.HeartbeatAgent(ctx, "a", sdk.AgentHeartbeat{CurrentTasks: make([]string, 1001)})),
		"a task's id":     only(client.HeartbeatAgent(ctx, "a", sdk.AgentHeartbeat{CurrentTasks: []string{""}})),
		"a filter":        only(client.ListAgents(ctx, sdk.AgentFilter{Limit: 201}, "")),
		"an id to read":   only(client.Agent(ctx, "")),
		"an id to remove": client.DeregisterAgent(ctx, ".."),
	} {
		if !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := asked(); len(got) != 0 {
		t.Errorf("asked %q", got)
	}
}

func only[T any](_ T, err error) error { return err }
