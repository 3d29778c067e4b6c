package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	beatEvery      = time.Second // the longest gap between two heartbeats while few attempts run, and the shortest
	beatsPerSecond = 50          // that one process sends, as far as a lease allows
	beatsPerLease  = 3           // that one lease needs at least
	answerMargin   = 5 * time.Second
	answerTry      = 2 * time.Second // of one call that ends a lease, at least
)

// leased is one attempt in the worker's hands.
type leased struct {
	w        *Worker
	lease    *Lease
	reporter *leaseReporter
	log      *slog.Logger
	length   time.Duration

	ctx    context.Context // the handler's; ends with one of three causes
	end    context.CancelCauseFunc
	heard  atomic.Int64  // when the last word was sent that the service took, in ns
	cancel atomic.Bool   // the task's cancellation was requested
	gone   atomic.Bool   // the service has said that nobody wants the attempt any more
	speaks chan struct{} // holds one while a word is on its way: what it says is not said again meanwhile
}

// work does one attempt, from its claim to its answer.
func (w *Worker) work(claiming, interrupted context.Context, lease *Lease, h Handler) {
	w.running.Add(1)
	defer w.running.Add(-1)
	defer w.presence.Begin(lease.Task.ID)()
	assignment := lease.Assignment()
	a := &leased{
		w: w, lease: lease, length: time.Duration(lease.HeartbeatMs) * time.Millisecond, reporter: newLeaseReporter(),
		speaks: make(chan struct{}, 1),
		log:    w.cfg.Logger.With("task", lease.Task.ID, "stage", lease.Stage, "attempt", lease.Attempt),
	}
	a.heard.Store(time.Now().UnixNano())
	a.ctx, a.end = context.WithCancelCause(context.WithoutCancel(claiming))
	defer a.end(nil)
	if claiming.Err() != nil {
		a.answer(nil, ErrInterruptedAttempt, ErrInterruptedAttempt) // without what it came with: it is as if no agent had had it
		return
	}
	a.reporter.resume = lease.Resume
	defer context.AfterFunc(interrupted, func() { a.end(ErrInterruptedAttempt) })()
	beating, quiet := context.WithCancel(context.WithoutCancel(claiming))
	defer quiet()
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		a.beat(beating)
	}()
	out := a.liveOutput(beating)
	a.reporter.live = out
	done := handleLease(a.ctx, h, &assignment, a.reporter, a.log)
	d, ok := a.await(interrupted, done)
	a.reporter.close()
	out.close()
	if ok {
		a.answer(d.result, d.err, context.Cause(a.ctx))
	}
	quiet()
	<-beats
}

// await waits for the handler, however long it ignores the end of its context: only a worker that ends leaves it behind.
func (a *leased) await(interrupted context.Context, done <-chan handled) (d handled, ok bool) {
	select {
	case d = <-done:
		return d, true
	case <-interrupted.Done():
	}
	late := time.NewTimer(handlerStop)
	defer late.Stop()
	select {
	case d = <-done:
		return d, true
	case <-late.C:
		a.log.Error("the worker ends before the agent has stopped; the attempt will be seen as lost")
		a.w.left.Add(1)
		return d, false
	}
}

// handled is what a handler returned.
type handled struct {
	result *Result
	err    error
}

// handleLease calls the handler; a panic, or a handler that ends its goroutine, is a retryable agent_panicked. The stack goes to the log only.
func handleLease(ctx context.Context, h Handler, a *Assignment, r Reporter, log *slog.Logger) <-chan handled {
	done := make(chan handled, 1)
	go func() {
		out := handled{err: Retryable(CodeAgentPanicked, errors.New("the agent panicked: it ended its goroutine"))}
		defer func() {
			if p := recover(); p != nil {
				log.Error("the agent panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				out = handled{err: Retryable(CodeAgentPanicked, fmt.Errorf("the agent panicked: %v", p))}
			}
			done <- out
		}()
		result, err := h.Handle(ctx, a, r)
		out = handled{result: result, err: err}
	}()
	return done
}

// beat keeps the lease until ctx ends or nobody wants the attempt any more: at once when there is something new to tell, and at least
// every second while few attempts run.
func (a *leased) beat(ctx context.Context) {
	lapse := time.AfterFunc(a.length/10*9, a.checkLapse)
	defer lapse.Stop()
	var last time.Time
	for {
		every := a.beatInterval()
		news := a.reporter.changed
		if last.IsZero() { // the claim was the first word
			last = time.Now()
		} else if gap := time.Until(last.Add(min(beatEvery, every))); gap > 0 {
			if sleep(ctx, gap) != nil {
				return
			}
		}
		tick := time.NewTimer(time.Until(last.Add(every)))
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-news:
		case <-tick.C:
		}
		tick.Stop()
		last = time.Now()
		if !a.report(ctx) {
			return
		}
		if left := a.heldFor(); left > 0 {
			lapse.Reset(left)
		}
	}
}

// beatInterval is the time between two heartbeats: stretched where many attempts share the process, and never so far that a lease gets fewer
// than three.
func (a *leased) beatInterval() time.Duration {
	share := time.Duration(a.w.running.Load()) * time.Second / beatsPerSecond
	return min(max(beatEvery, share), a.length/beatsPerLease)
}

// report sends one heartbeat with what is new; false means that no more is wanted.
func (a *leased) report(ctx context.Context) bool {
	sent := time.Now()
	call, cancel := context.WithTimeout(ctx, min(max(a.length/6, time.Second), 5*time.Second))
	defer cancel()
	select {
	case a.speaks <- struct{}{}:
		defer func() { <-a.speaks }()
	case <-ctx.Done():
		return false
	}
	word, taken := a.reporter.word()
	status, err := a.w.client.reportOnce(call, a.lease.Token, word)
	switch {
	case err == nil:
		taken()
		a.heard.Store(sent.UnixNano())
		if status.CancelRequested {
			a.cancel.Store(true)
			a.end(ErrCancelRequested)
		}
	case errors.Is(err, ErrLeaseLost), errors.Is(err, ErrNotFound):
		a.gone.Store(true)
		a.end(ErrLeaseLost)
		return false
	case ctx.Err() != nil:
		return false
	default:
		a.log.Warn("the agent's word was not taken; it goes on", "left", a.heldFor().Round(time.Millisecond), "error", err)
	}
	return true
}

// heldFor is how long the lease can still be taken for held: a tenth less than the service gives it, for the agent to have stopped by then.
func (a *leased) heldFor() time.Duration {
	return time.Until(time.Unix(0, a.heard.Load()).Add(a.length / 10 * 9))
}

// checkLapse stops the agent when it was not heard of in time: another one may have the task.
func (a *leased) checkLapse() {
	if a.heldFor() > 0 {
		return
	}
	a.log.Error("the service was not reached in time; stopping the agent", "lease", a.length)
	a.end(ErrLeaseLost)
}
