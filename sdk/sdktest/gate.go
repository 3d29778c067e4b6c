package sdktest

import (
	"context"
	"sync"
)

// Gate holds handlers up until the test opens it; make it with [NewGate]. Whoever waits at it counts as waiting, and as working again
// by the time that Open returns.
type Gate struct {
	opened chan struct{}

	mu      sync.Mutex
	waiting map[*waiter]*engine
}

// NewGate is a gate that is closed.
func NewGate() *Gate { return &Gate{opened: make(chan struct{}), waiting: map[*waiter]*engine{}} }

// Open opens the gate for good.
func (g *Gate) Open() {
	g.mu.Lock()
	waiting := g.waiting
	g.waiting = map[*waiter]*engine{}
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
	g.mu.Unlock()
	for w, e := range waiting {
		e.wake(w)
	}
}

// Wait waits until the gate is open, and answers nil, or until ctx ends, and answers why. It works with any context; that of a handler
// makes it count as waiting.
func (g *Gate) Wait(ctx context.Context) error { return g.wait(ctx, true) }

func (g *Gate) wait(ctx context.Context, heeds bool) error {
	ended := ctx.Done()
	if !heeds {
		ended = nil
	}
	if a := attemptOf(ctx); a != nil {
		w := g.enter(ctx, a, heeds)
		if w == nil {
			return nil
		}
		defer a.engine.wake(w)
		defer g.leave(w)
	}
	select {
	case <-g.opened:
		return nil
	case <-ended:
		return context.Cause(ctx)
	}
}

// enter begins a handler's wait; nil when the gate is open. Whoever sees the handler wait may rely on it that Open wakes it: both begin
// in one section. The engine's lock is taken before the gate's, never the other way round.
func (g *Gate) enter(ctx context.Context, a *attempt, heeds bool) *waiter {
	e := a.engine
	e.mu.Lock()
	defer e.done()
	w := e.newWaiter(a, -1)
	w.heeds = heeds
	if !g.join(w, e) {
		e.wakeUp(w)
		return nil
	}
	if heeds && ctx.Err() != nil {
		e.wakeUp(w)
	}
	return w
}

// join lets Open wake a waiter; false when it is open.
func (g *Gate) join(w *waiter, e *engine) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		return false
	default:
		g.waiting[w] = e
		return true
	}
}

func (g *Gate) leave(w *waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, w)
}
