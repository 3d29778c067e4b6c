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
	mute     bool // it takes a registration and does not answer it
	said     []string
	slow     time.Duration // that a registration takes, whether or not its caller waits
	hangs    bool          // a registration is not answered
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

func (h *hears) RegisterAgent(ctx context.Context, r AgentRequest) (*Agent, error) {
	if h.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if h.slow > 0 {
		pass(h.slow)
	}
	err := h.tell(strings.TrimSpace("register " + r.ID + map[bool]string{true: " addressable"}[r.Addressable]))
	h.set(func() { h.there = err == nil })
	if h.mute {
		<-ctx.Done()
		return nil, ctx.Err()
	}
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
	end = p.Keep(t.Context())
	synctest.Wait() // what it says first is said
	return p, end
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

// What ends before its registration was answered says all the same that it is gone, once the call had its time to come back.
func TestPresenceThatEndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{mute: true}
		_, end := watch(t, h)
		synctest.Wait()
		end()
		h.want(t, "0s register a", "2s offline")
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
		h.want(t, "0s register a addressable", "0s idle", "5s busy t1")
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

// That it drains is told at once, also while something else is held back.
func TestPresenceThatDrainsWhileItHoldsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		p, end := watch(t, h, func(a *AgentRequest) { a.Addressable = true })
		p.Begin("t1")
		pass(time.Second)
		p.Drain()
		pass(time.Second)
		h.want(t, "0s register a addressable", "0s idle", "1s register a", "1s busy t1")
		end()
	})
}

// The last word comes after the answer to a registration that was under way, and does not wait for it long.
func TestPresenceEndsWhileItRegisters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		slow time.Duration
		want []string
	}{
		"comes back": {1500 * time.Millisecond, []string{"11.5s register a", "11.5s offline"}},
		"does not":   {0, []string{"12s offline"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &hears{}
				p, end := watch(t, h, func(a *AgentRequest) { a.Addressable = true })
				pass(10 * time.Second)
				h.want(t, "0s register a addressable", "0s idle")
				h.set(func() { h.slow, h.hangs = test.slow, test.slow == 0 })
				p.Drain()
				synctest.Wait()
				end()
				h.want(t, test.want...)
			})
		})
	}
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
