package sdktest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func TestRegistryByTheClock(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client, clock := srv.Client(), srv.Clock()
	bob, err := client.RegisterAgent(t.Context(), sdk.AgentRequest{ID: "bob", Name: "Bob", Role: sdk.RoleCoder})
	if err != nil || !bob.RegisteredAt.Equal(clock.Now()) || bob.Status != sdk.AgentIdle {
		t.Fatalf("%+v, %v", bob, err)
	}
	is := func(want sdk.AgentStatus) {
		t.Helper()
		if got, err := client.Agent(t.Context(), "bob"); err != nil || got.Status != want {
			t.Fatalf("%+v, %v; want %s", got, err, want)
		}
	}
	clock.Advance(60 * time.Second)
	if _, err := client.HeartbeatAgent(t.Context(), "bob", sdk.AgentHeartbeat{CurrentTasks: []string{"t"}}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(89 * time.Second)
	is(sdk.AgentBusy)
	clock.Advance(time.Second)
	is(sdk.AgentOffline)
	if _, err := client.HeartbeatAgent(t.Context(), "bob", sdk.AgentHeartbeat{}); err != nil {
		t.Fatal(err)
	}
	is(sdk.AgentBusy)
	clock.Advance(time.Hour)
	is(sdk.AgentOffline)
	var told []sdk.EventType
	for e, err := range client.Events(t.Context(), sdk.EventFilter{FromStart: true, Subject: "agent/bob"}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e.Type)
	}
	changed := sdk.EventAgentStatusChanged
	if want := []sdk.EventType{sdk.EventAgentRegistered, changed, changed, changed, changed}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	clock.Advance(8 * 24 * time.Hour)
	if _, err := client.Agent(t.Context(), "bob"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("after a week: %v", err)
	}
}

func TestRolesShowWhoAsksForWork(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	client := srv.Client()
	if _, err := client.RequestCode(t.Context(), "Write it"); err != nil {
		t.Fatal(err)
	}
	srv.Clock().Advance(3 * time.Second)
	coder := func() sdk.RoleState {
		t.Helper()
		roles, err := client.Roles(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return roles[slices.IndexFunc(roles, func(r sdk.RoleState) bool { return r.Role == sdk.RoleCoder })]
	}
	if r := coder(); r.Waiting != 1 || r.OldestMs != 3000 || len(r.Pollers) != 0 {
		t.Errorf("nobody is there: %+v", r)
	}
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete("done")), sdktest.AgentID("bob"))
	srv.Settle()
	if r := coder(); r.Waiting != 0 || r.OldestMs != 0 || len(r.Pollers) != 1 || r.Pollers[0].Identity != "bob" || r.Agents != (sdk.RoleAgents{}) {
		t.Errorf("bob is there: %+v", r)
	}
	if bob, err := client.RegisterAgent(t.Context(), sdk.AgentRequest{ID: "bob", Name: "Bob", Role: sdk.RoleCoder}); err != nil || !bob.Polling {
		t.Errorf("%+v, %v", bob, err)
	}
	for a, err := range client.Agents(t.Context(), sdk.AgentFilter{Role: sdk.RoleCoder, Limit: 1}) {
		if err != nil || a.ID != "bob" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if err := client.DeregisterAgent(t.Context(), "bob"); err != nil {
		t.Error(err)
	}
}
