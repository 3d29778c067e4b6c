package sdk

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

func (h *hears) RegisterAgent(_ context.Context, r AgentRequest) (*Agent, error) {
	err := h.tell(strings.TrimSpace("register " + r.ID + map[bool]string{true: " addressable"}[r.Addressable]))
	h.set(func() { h.there = err == nil })
	return &Agent{HeartbeatIntervalMs: h.interval.Milliseconds()}, err
}

func (h *hears) HeartbeatAgent(_ context.Context, _ string, b AgentHeartbeat) (*Agent, error) {
	err := h.tell(strings.TrimSpace(string(b.Status) + " " + strings.Join(b.CurrentTasks, ",")))
	h.set(func() {
		if err == nil && !h.there {
			err = ErrNotFound
		}
	})
	return &Agent{HeartbeatIntervalMs: h.interval.Milliseconds()}, err
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

func watch(t *testing.T, h *hears, change ...func(*AgentRequest)) (p *Presence, end func()) {
	t.Helper()
	h.began = time.Now()
	a := AgentRequest{ID: "a"}
	for _, c := range change {
		c(&a)
	}
	p = NewPresence(PresenceConfig{Registry: h, Agent: a, Logger: slog.New(slog.DiscardHandler)})
	return p, p.Keep(t.Context())
}

func pass(d time.Duration) { <-time.After(d) }

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		p, end := watch(t, h)
		pass(61 * time.Second)
		h.want(t, "0s register a", "0s idle", "30s idle", "1m0s idle")
		done := p.Begin("t1")
		pass(3 * time.Second)
		h.want(t) // not so soon after the last
		pass(2 * time.Second)
		h.want(t, "1m5s busy t1")
		p.Begin("t2")() // came and went
		pass(20 * time.Second)
		h.want(t)
		done()
		pass(time.Second)
		h.want(t, "1m26s idle") // the last was long ago
		end()
		h.want(t, "1m27s offline")
	})
}

// slow is a registry that takes a registration, and whose answer never comes.
type slow struct{ *hears }

func (s slow) RegisterAgent(ctx context.Context, r AgentRequest) (*Agent, error) {
	if _, err := s.hears.RegisterAgent(ctx, r); err != nil {
		return nil, err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestPresenceEndsEarly: a program that ends while it is being registered is not left in the registry as one that is there.
func TestPresenceEndsEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{began: time.Now()}
		p := NewPresence(PresenceConfig{Registry: slow{h}, Agent: AgentRequest{ID: "a"}, Logger: slog.New(slog.DiscardHandler)})
		end := p.Keep(t.Context())
		pass(time.Second)
		end()
		h.want(t, "0s register a", "1s offline")
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
		h.set(func() { h.failure = ErrUnavailable })
		end()
		h.want(t, "32s offline")
	})
}

// A worker that drains is not to be addressed any more, which is told at once; it stays there with what it works on.
func TestPresenceThatDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		p, end := watch(t, h, func(a *AgentRequest) { a.Addressable = true })
		p.Begin("t1")
		pass(10 * time.Second)
		h.want(t, "0s register a addressable", "0s busy t1")
		h.set(func() { h.failure = errors.New("away") })
		p.Drain()
		pass(500 * time.Millisecond)
		h.want(t, "10s register a")
		h.set(func() { h.failure = nil })
		p.Drain()
		pass(10 * time.Second)
		h.want(t, "11s register a", "11s busy t1")
		end()
		h.want(t, "20.5s offline")
	})
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		p, end := watch(t, h)
		pass(10 * time.Second)
		p.Drain()
		pass(10 * time.Second)
		h.want(t, "0s register a", "0s idle")
		end()
	})
}

func TestPresenceOfNobody(t *testing.T) {
	t.Parallel()
	p := NewPresence(PresenceConfig{})
	p.Keep(t.Context())()
	p.Begin("t1")
	if h := p.Heartbeat(); h.Status != AgentBusy {
		t.Errorf("%+v", h)
	}
}
