package sdktest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// watched is the registry of agents, by the server's clock: whoever has missed three heartbeats when the clock is moved is offline when
// that returns.
type watched struct {
	engine *engine

	mu       sync.Mutex
	registry *registry.Registry
	at       time.Time // the registry's time; it follows the clock
	used     bool      // there has been an agent
	told     bool      // something was said since the last look
}

// changesAgents reports whether a request tells the registry something.
func changesAgents(r *http.Request) bool {
	return r.Method != http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/agents")
}

// now is the registry's time.
func (w *watched) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.used {
		return (&Clock{w.engine}).Now()
	}
	return w.at
}

// heard notes that the registry was told something.
func (w *watched) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.used {
		w.at = (&Clock{w.engine}).Now()
	}
	w.used, w.told = true, true
}

// look lets the registry's time follow the clock, half an interval at a time as far as that matters: a longer gap between two looks does not
// count.
func (w *watched) look() error {
	w.mu.Lock()
	idle := w.registry == nil || !w.used
	w.mu.Unlock()
	if idle {
		return nil
	}
	now := (&Clock{w.engine}).Now()
	for range 2 * registry.Missed {
		w.mu.Lock()
		next := w.at.Add(registry.DefaultInterval / 2)
		late := next.Before(now)
		if late {
			w.at = next
		}
		w.mu.Unlock()
		if !late {
			break
		}
		if err := w.once(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	stands := !now.After(w.at) && !w.told
	if now.After(w.at) {
		w.at = now
	}
	w.told = false
	w.mu.Unlock()
	if stands {
		return nil
	}
	return w.once()
}

// capabilities are what an agent that is there has registered with.
func (w *watched) capabilities(ctx context.Context, project, id string) []string {
	w.mu.Lock()
	agents := w.registry
	w.mu.Unlock()
	if agents == nil {
		return nil
	}
	agent, err := agents.Get(ctx, project, id)
	if err != nil || agent.Status == sdk.AgentOffline {
		return nil
	}
	return agent.Capabilities
}

func (w *watched) once() error {
	ctx, cancel := context.WithTimeout(context.Background(), w.engine.limit)
	defer cancel()
	return w.registry.Look(ctx)
}

// LookAtRole implements [apiserver.Tasks].
func (e *engine) LookAtRole(_ context.Context, project string, role sdk.Role) sdk.RoleState {
	e.mu.Lock()
	defer e.seen()
	queue, state := workflows.RoleQueue(project, role), sdk.RoleState{Role: role, Pollers: []sdk.Poller{}}
	for _, a := range e.queue {
		if a.terms.Queue == queue {
			state.Waiting++
			state.OldestMs = max(state.OldestMs, e.now.Sub(a.scheduled).Milliseconds())
		}
	}
	for _, a := range e.agents {
		if a.project == project && a.role == role && !a.stopped {
			state.Pollers = append(state.Pollers, sdk.Poller{Identity: a.id, LastSeenAt: e.now})
		}
	}
	return state
}

// OpenRoles implements [apiserver.Tasks].
func (e *engine) OpenRoles(_ context.Context, project string) (open []sdk.Role) {
	e.mu.Lock()
	defer e.seen()
	for _, r := range e.chosen(project, sdk.TaskFilter{Status: sdk.StatusOpen}, position{}) {
		role := summary(r.listed()).Role
		builtin := slices.ContainsFunc(sdk.BuiltinRoles(), func(b sdk.RoleInfo) bool { return b.Role == role })
		if !builtin && !slices.Contains(open, role) {
			open = append(open, role)
		}
	}
	return open
}
