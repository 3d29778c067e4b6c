package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// slowAgents is a registry that answers about one agent, after a while.
type slowAgents struct {
	Agents

	mu     sync.Mutex
	takes  time.Duration
	agent  *sdk.Agent // nil: there is none
	asked  int
	polled []string
}

func (a *slowAgents) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *slowAgents) Get(ctx context.Context, _, _ string) (sdk.Agent, error) {
	a.mu.Lock()
	a.asked++
	takes, agent := a.takes, a.agent
	a.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return sdk.Agent{}, sdk.ErrUnavailable
	}
	if agent == nil {
		return sdk.Agent{}, sdk.ErrNotFound
	}
	return *agent, nil
}

func (a *slowAgents) Polled(_, id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.polled = append(a.polled, id)
}

// TestClaimsDoNotWaitForTheRegistry: what it says of an agent serves for ten seconds, and while it does not answer as long as it likes.
func TestClaimsDoNotWaitForTheRegistry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &slowAgents{agent: &sdk.Agent{Role: "coder", Addressable: true, Metadata: map[string]string{sdk.MetadataRoles: "coder,tester"}}}
		s := newTestServer(t, newMemoryTasks(), io.Discard)
		s.cfg.Agents = registry
		want := func(what string, role sdk.Role, addressed bool, takes time.Duration, asked int) {
			t.Helper()
			began := time.Now()
			if got := s.addressed(t.Context(), "shop", role, "bob"); got != addressed || time.Since(began) != takes || registry.asked != asked {
				t.Errorf("%s: %v after %s, the registry was asked %d times", what, got, time.Since(began), registry.asked)
			}
		}
		want("at first", "coder", true, 0, 1)
		want("again", "coder", true, 0, 1)
		want("for its other role", "tester", true, 0, 1)
		want("for no role of its", "planner", false, 0, 1)
		registry.set(func() { registry.takes = time.Minute })
		time.Sleep(addressedFor + 1)
		want("while the registry does not answer", "coder", true, addressedTry, 2)
		want("right after that", "coder", true, 0, 2)
		registry.set(func() { registry.takes, registry.agent = 0, nil })
		s.addressees.forget("shop", "bob")
		want("once it is gone", "coder", false, 0, 3)
		want("still", "coder", false, 0, 3)

		done := s.asking("shop", "eve")
		time.Sleep(2*askingEvery + 1)
		done()
		time.Sleep(2 * askingEvery)
		registry.set(func() {
			if n := len(slices.DeleteFunc(registry.polled, func(id string) bool { return id != "eve" })); n != 2 {
				t.Errorf("a claim that waits for a minute said %d times that its agent still asks", n)
			}
		})
	})
	a := newAddressees()
	for i := range maxAddressed + 1 {
		a.put(fmt.Sprint(i), sdk.Agent{}, time.Now())
	}
	if len(a.all) > maxAddressed {
		t.Errorf("%d are remembered", len(a.all))
	}
}

// slowRoles does not find the roles of open tasks in time.
type slowRoles struct {
	*memoryTasks
	mu    sync.Mutex
	found time.Time // when that was over
	until time.Time // there was time for looking at a queue afterwards
}

func (s *slowRoles) OpenRoles(ctx context.Context, _ string) []sdk.Role {
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = time.Now()
	return nil
}

func (s *slowRoles) LookAtRole(ctx context.Context, project string, role sdk.Role) sdk.RoleState {
	s.mu.Lock()
	s.until, _ = ctx.Deadline()
	s.mu.Unlock()
	return s.memoryTasks.LookAtRole(ctx, project, role)
}

// TestWhatTemporalDoesNotSay: where a queue can not be looked at, or not in time, that is said, and nobody is shown as not asking.
func TestWhatTemporalDoesNotSay(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	tasks.roles = map[sdk.Role]sdk.RoleState{sdk.RoleTester: {Role: sdk.RoleTester}, "welder": {Role: "welder", Waiting: 2}}
	s := newTestServer(t, tasks, io.Discard, onLog(openLog(t)))
	for id, role := range map[string]string{"ann": "coder", "tom": "tester"} {
		answerOf[sdk.Agent](t, call(s, http.MethodPost, "/v1/agents", fmt.Sprintf(`{"id":%q,"name":"x","role":%q}`, id, role)), http.StatusCreated)
	}
	for id, unknown := range map[string]bool{"ann": true, "tom": false} {
		if a := answerOf[sdk.Agent](t, call(s, http.MethodGet, "/v1/agents/"+id, ""), http.StatusOK); a.PollingUnknown != unknown || a.Polling {
			t.Errorf("%+v", a)
		}
	}
	roles := answerOf[sdk.RoleList](t, call(s, http.MethodGet, "/v1/roles", ""), http.StatusOK).Items
	if r := roles[len(roles)-1]; r.Role != "welder" || r.Waiting != 2 { // which nobody has ever registered for
		t.Errorf("%+v", r)
	}
	slow := &slowRoles{memoryTasks: tasks}
	s.tasks = slow
	answerOf[sdk.RoleList](t, call(s, http.MethodGet, "/v1/roles", ""), http.StatusOK)
	if left := slow.until.Sub(slow.found); left <= 0 || left > rolesTry-openRolesTry {
		t.Errorf("after the roles of open tasks were not found, %s are left for looking at queues", left)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if states := s.lookAtRoles(over, "shop", []sdk.Role{sdk.RoleTester}); !states[0].Unknown || states[0].Role != sdk.RoleTester {
		t.Errorf("without time: %+v", states)
	}
}
