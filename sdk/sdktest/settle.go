package sdktest

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// attemptKey is where a handler's context holds its attempt.
type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// Wait waits until ctx, a handler's, ends and answers why. The handler counts as waiting: the server settles without it. One wait stands
// for the whole handler, whatever its other goroutines do. With another context it just waits.
func Wait(ctx context.Context) error {
	if a := attemptOf(ctx); a != nil {
		return a.engine.sleep(ctx, -1)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// Idle calls f, in which a handler waits for something that the test will do: receive from a channel, say. A [Gate] is better: the
// server knows when one opens. ctx is the handler's; until f returns the server settles without it, also when ctx has ended. As with
// [Wait] that holds for the whole handler. With another context it just calls f.
func Idle(ctx context.Context, f func()) {
	a := attemptOf(ctx)
	if a == nil {
		f()
		return
	}
	e := a.engine
	e.mu.Lock()
	w := e.newWaiter(a, -1)
	e.done()
	defer e.wake(w)
	f()
}

// waiter is somebody who waits: a caller for the end of a task, or a handler.
type waiter struct {
	woken   chan struct{}
	attempt *attempt // whose handler waits; nil for a caller
	timer   *timer
	heeds   bool // ends with the handler's context
	fired   bool
}

// newWaiter begins a wait, of a handler where a is not nil, that is over after d by the clock at the latest; d < 0 is no limit. The
// lock is held.
func (e *engine) newWaiter(a *attempt, d time.Duration) *waiter {
	w := &waiter{woken: make(chan struct{}), attempt: a}
	if d >= 0 {
		w.timer = e.after(d, plainTimer, func() { e.wakeUp(w) })
	}
	if a != nil {
		a.waits[w] = struct{}{}
		if len(a.waits) == 1 && a.working {
			e.active--
		}
	}
	return w
}

// wakeUp ends a wait. Whoever waited counts as working again before anybody else has a turn. The lock is held.
func (e *engine) wakeUp(w *waiter) {
	if w.fired {
		return
	}
	w.fired = true
	close(w.woken)
	e.stop(w.timer)
	if a := w.attempt; a != nil {
		delete(a.waits, w)
		if len(a.waits) == 0 && a.working {
			e.active++
		}
	}
}

func (e *engine) wake(w *waiter) {
	e.mu.Lock()
	defer e.done()
	e.wakeUp(w)
}

// await waits, as one of the callers, to be woken, at most so long by the machine's clock. The lock is held, but for the wait.
func (e *engine) await(ctx context.Context, callers map[*waiter]struct{}, wait time.Duration) {
	w := e.newWaiter(e.own(ctx), -1)
	w.heeds = true
	callers[w] = struct{}{}
	e.done()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-w.woken:
	case <-late.C:
	case <-ctx.Done():
	}
	e.mu.Lock()
	e.wakeUp(w)
	delete(callers, w)
}

// wakeAll ends the waits of callers. The lock is held.
func (e *engine) wakeAll(callers map[*waiter]struct{}) {
	for w := range callers {
		e.wakeUp(w)
	}
}

// sleep waits until d has passed by the clock, d < 0 is no limit, or ctx ends.
func (e *engine) sleep(ctx context.Context, d time.Duration) error {
	e.mu.Lock()
	w := e.newWaiter(e.own(ctx), d)
	w.heeds = true
	if ctx.Err() != nil {
		e.wakeUp(w)
	}
	e.done()
	defer e.wake(w)
	select {
	case <-w.woken:
	case <-ctx.Done():
	case <-e.life.Done():
		return context.Cause(e.life)
	}
	return context.Cause(ctx)
}

// own is the attempt of this engine that a context is of, or nil.
func (e *engine) own(ctx context.Context) *attempt {
	if a := attemptOf(ctx); a != nil && a.engine == e {
		return a
	}
	return nil
}

// settle waits until no handler works, or fails the test when that takes too long. The lock is held, but for the wait.
func (e *engine) settle() bool {
	e.tb.Helper()
	e.skipPauses()
	ok := e.until(e.limit, func() bool { return e.active == 0 })
	if !ok {
		e.tb.Errorf("sdktest: the server has not settled within %s: %s. A handler that waits for the test has to say so: "+
			"wait in sdktest.Wait, sdktest.Idle or Clock.Sleep", e.limit, e.working())
	}
	return ok
}

// until waits until a condition holds, at most so long by the machine's clock. The lock is held, but for the wait.
func (e *engine) until(patience time.Duration, condition func() bool) bool {
	late := false
	limit := time.AfterFunc(patience, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		late = true
		e.changed.Broadcast()
	})
	defer limit.Stop()
	for !condition() && !late && !e.closed {
		e.changed.Wait()
	}
	return condition()
}

// working says who works.
func (e *engine) working() string {
	var list []string
	for _, agent := range e.agents {
		for a := range agent.holds {
			if len(a.waits) == 0 {
				list = append(list, fmt.Sprintf("agent %s is at attempt %d.%d of task %s", agent.id, a.stage, a.number, a.run.created.ID))
			}
		}
	}
	return strings.Join(list, ", ")
}
