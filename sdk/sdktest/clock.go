package sdktest

import (
	"container/heap"
	"context"
	"time"
)

// Clock is the time of a [Server]: it stands still until the test moves it. Everything that a task waits for is due by it: pauses
// between attempts, every timeout, the 15 s that a cancelled agent has to stop.
type Clock struct{ engine *engine }

// Now is the time by the clock.
func (c *Clock) Now() time.Time {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return c.engine.now
}

// Advance moves the clock on by d. It waits until the server has settled (see [Server.Settle]), lets what is due happen in its order,
// each at its own time and each until the server has settled again, and returns with the clock at its end.
func (c *Clock) Advance(d time.Duration) {
	c.engine.tb.Helper()
	e := c.engine
	e.mu.Lock()
	defer e.done()
	if d < 0 {
		e.tb.Errorf("sdktest: the clock can not be moved back, by %s", -d)
		return
	}
	if e.settle() {
		e.advance(e.now.Add(d))
	}
}

// AdvanceToNext moves the clock to where the next thing is due, a timeout or the end of a pause or of a sleep, and answers how far that
// was; ok is false, and nothing moved, when nothing is. It settles as [Clock.Advance] does.
func (c *Clock) AdvanceToNext() (d time.Duration, ok bool) {
	c.engine.tb.Helper()
	e := c.engine
	e.mu.Lock()
	defer e.done()
	if !e.settle() {
		return 0, false
	}
	next := e.timers.first(nil)
	if next == nil {
		return 0, false
	}
	d = next.due.Sub(e.now)
	e.advance(next.due)
	return d, true
}

// Sleep waits until the clock has moved on by d, or ctx ends: then it answers why, as [context.Cause] has it. A handler that sleeps
// counts as waiting: the server settles without it.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.engine.sleep(ctx, d)
}

// advance lets happen what is due up to a time. The server has settled; the lock is held.
func (e *engine) advance(to time.Time) {
	for {
		next := e.timers.first(nil)
		if next == nil || next.due.After(to) {
			break
		}
		e.fire(next)
		if !e.settle() {
			return
		}
	}
	if to.After(e.now) {
		e.now = to
	}
}

// fire moves the clock to a timer and runs it.
func (e *engine) fire(t *timer) {
	if t.due.After(e.now) {
		e.now = t.due
	}
	e.stop(t)
	t.do()
}

// skipPauses lets the clock jump over pauses between attempts while nobody works. The lock is held.
func (e *engine) skipPauses() {
	for e.skips && e.active == 0 && !e.closed {
		if e.timers.first(func(t *timer) bool { return t.kind == pauseTimer }) == nil {
			return
		}
		e.fire(e.timers.first(nil))
	}
}

// What a timer is for.
const (
	plainTimer = iota // a timeout, or the end of a sleep
	pauseTimer        // the pause before a task's next attempt
)

// timer is something that is due at a time.
type timer struct {
	due   time.Time
	order int // of those due at the same time, and its number
	kind  int
	do    func() // called with the lock held
	index int    // in the heap; -1 when it has been stopped
}

// after makes a timer. The lock is held.
func (e *engine) after(d time.Duration, kind int, do func()) *timer {
	e.order++
	t := &timer{due: e.now.Add(max(d, 0)), order: e.order, kind: kind, do: do}
	heap.Push(&e.timers, t)
	return t
}

// stop ends a timer; also one that has ended, and nil.
func (e *engine) stop(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&e.timers, t.index)
	}
}

// timers are ordered by when they are due.
type timers []*timer

// first is the one that is due first among those that are chosen, or nil.
func (h timers) first(chosen func(*timer) bool) *timer {
	if chosen == nil && len(h) > 0 {
		return h[0]
	}
	var first *timer
	for i, t := range h {
		if (chosen == nil || chosen(t)) && (first == nil || h.before(t, first)) {
			first = h[i]
		}
	}
	return first
}

func (h timers) before(a, b *timer) bool {
	if !a.due.Equal(b.due) {
		return a.due.Before(b.due)
	}
	return a.order < b.order
}

// Len implements [heap.Interface].
func (h timers) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h timers) Less(i, j int) bool { return h.before(h[i], h[j]) }

// Swap implements [heap.Interface].
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop implements [heap.Interface].
func (h *timers) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
