package workers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// hears is a registry of agents that remembers what it was told, and when.
type hears struct {
	mu       sync.Mutex
	began    time.Time
	failure  error // of every call
	interval time.Duration
	there    bool
	said     []string
}

func (h *hears) tell(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, time.Since(h.began).String()+" "+what)
	return h.failure
}

func (h *hears) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *hears) RegisterAgent(_ context.Context, r sdk.AgentRequest) (*sdk.Agent, error) {
	err := h.tell("register " + r.ID)
	h.set(func() { h.there = err == nil })
	return &sdk.Agent{HeartbeatIntervalMs: h.interval.Milliseconds()}, err
}

func (h *hears) HeartbeatAgent(_ context.Context, _ string, b sdk.AgentHeartbeat) (*sdk.Agent, error) {
	err := h.tell(strings.TrimSpace(string(b.Status) + " " + strings.Join(b.CurrentTasks, ",")))
	h.set(func() {
		if err == nil && !h.there {
			err = sdk.ErrNotFound
		}
	})
	return &sdk.Agent{HeartbeatIntervalMs: h.interval.Milliseconds()}, err
}

func (h *hears) want(t *testing.T, want ...string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.said, want) {
		t.Errorf("told %q, want %q", h.said, want)
	}
	h.said = nil
}

func watch(t *testing.T, h *hears) (w *working, end func()) {
	t.Helper()
	h.began = time.Now()
	w = newWorking()
	p := &presence{port: h, request: sdk.AgentRequest{ID: "a"}, every: 30 * time.Second, working: w, log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		p.run(ctx)
	}()
	return w, func() {
		cancel()
		<-over
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		w, end := watch(t, h)
		pass(61 * time.Second)
		h.want(t, "0s register a", "0s idle", "30s idle", "1m0s idle")
		done := w.begin("t1")
		pass(3 * time.Second)
		h.want(t) // not so soon after the last
		pass(2 * time.Second)
		h.want(t, "1m5s busy t1")
		w.begin("t2")() // came and went
		pass(20 * time.Second)
		h.want(t)
		done()
		pass(time.Second)
		h.want(t, "1m26s idle") // the last was long ago
		end()
		h.want(t, "1m27s offline")
	})
}

func TestPresenceGoesByTheRegistry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{interval: 5 * time.Second}
		_, end := watch(t, h)
		pass(11 * time.Second)
		h.want(t, "0s register a", "0s idle", "5s idle", "10s idle")
		h.set(func() { h.there = false }) // as an operator removes it
		pass(5 * time.Second)
		h.want(t, "15s idle", "15s register a", "15s idle")
		end()
		h.want(t, "16s offline")
	})
}

func TestPresenceWhileTheRegistryIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{failure: errors.New("away")}
		_, end := watch(t, h)
		pass(20 * time.Second)
		h.want(t, "0s register a", "1s register a", "3s register a", "7s register a", "15s register a")
		h.set(func() { h.failure = nil })
		pass(12 * time.Second)
		h.want(t, "31s register a", "31s idle")
		h.set(func() { h.failure = sdk.ErrUnavailable })
		end()
		h.want(t, "32s offline")
	})
}

// TestTheWorkersHandlersAreWhatItSays: what a worker works on follows its handlers.
func TestTheWorkersHandlersAreWhatItSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		w := bench(t, &fakeTemporal{}, 1, func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			<-gate
			return &sdk.Result{}, nil
		})
		_, done := begin(w, sdk.Assignment{})
		synctest.Wait()
		if h := w.working.heartbeat(); h.Status != sdk.AgentBusy || !slices.Equal(h.CurrentTasks, []string{"t1"}) {
			t.Errorf("while it works: %+v", h)
		}
		close(gate)
		<-done
		if h := w.working.heartbeat(); h.Status != sdk.AgentIdle || h.CurrentTasks == nil || len(h.CurrentTasks) != 0 {
			t.Errorf("after that: %+v", h)
		}
	})
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	cfg := Config{AgentID: "bob", Roles: []sdk.Role{"coder", "tester"}, Slots: 3, Addressable: true, Capabilities: []string{"go"}}.withDefaults()
	r := cfg.registration()
	if r.ID != "bob" || r.Name != "bob" || r.Role != "coder" || r.Slots != 3 || !r.Addressable || !slices.Equal(r.Capabilities, []string{"go"}) ||
		r.Metadata["roles"] != "coder,tester" || r.Validate() != nil {
		t.Errorf("%+v, %v", r, r.Validate())
	}
	cfg.Name, cfg.Roles = "Bob", cfg.Roles[:1]
	if r := cfg.registration(); r.Name != "Bob" || r.Metadata["roles"] != "" {
		t.Errorf("%+v", r)
	}
	cfg.Name, cfg.Capabilities, cfg.HeartbeatIntervalMs = "a\nb", []string{""}, 10
	for _, want := range []string{"ROLECALL_AGENT_NAME", "capabilities[0]", "AGENT_HEARTBEAT_INTERVAL"} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}
