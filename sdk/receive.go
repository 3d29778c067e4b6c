package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// How long an event that a handler failed with rests before it comes again, unless the handler's error says it.
const (
	firstRedelivery = time.Second
	lastRedelivery  = 5 * time.Minute
)

// Run receives events of the subscription, which must be there, and calls the handler with each, until ctx ends; then it takes no more,
// waits for the handlers that run, see [DrainGrace], and answers nil. It outlives restarts of the service. An error of the service that
// trying again does not mend ends it in the same way and is answered.
//
// An event is acknowledged when the handler returns nil. With an error, or a panic, it is given back: it comes again after a second, twice
// that with every further delivery, at most five minutes, or what [AgentError.RetryAfter] asks for, until the subscription's MaxDeliveries are used
// up and it is dead. While the handler runs more time is asked for, however long it takes. Where that fails for too long the event may be
// another's: the handler's context ends with the cause [ErrLeaseLost]. So an event can come more than once, and a handler must
// bear that.
func (d *Durable) Run(ctx context.Context, handler func(context.Context, *Delivery) error, opts ...RunOption) error {
	how, err := receivingOf(opts)
	if err != nil {
		return err
	}
	return d.receive(ctx, handler, how)
}

func (d *Durable) receive(ctx context.Context, handler func(context.Context, *Delivery) error, how receiving) error {
	r := &receiver{Durable: d, receiving: how, handler: handler, slots: make(chan struct{}, how.concurrency)}
	return r.run(ctx)
}

// receiver is one run of [Durable.Run].
type receiver struct {
	*Durable
	receiving
	handler func(context.Context, *Delivery) error
	ackWait atomic.Int64 // a [time.Duration]: how long an event is a receiver's; learnt, and anew when an event was lost before that

	slots   chan struct{} // one is in it for each event that is handled
	running sync.WaitGroup
}

func (r *receiver) run(ctx context.Context) error {
	// Handlers go on when ctx has ended.
	working, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	retry := backoff{initial: 100 * time.Millisecond, limit: longestPause}
	err := r.learn(ctx, &retry)
	for err == nil && ctx.Err() == nil {
		err = r.turn(ctx, working, &retry)
	}
	late := time.AfterFunc(r.grace, func() { stop(ErrInterruptedAttempt) })
	defer late.Stop()
	r.running.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// learn asks how long an event is a receiver's.
func (r *receiver) learn(ctx context.Context, retry *backoff) error {
	for {
		s, err := r.Get(ctx)
		if err == nil {
			return r.learnt(s)
		}
		if err := r.patient(ctx, retry, err); err != nil {
			return err
		}
	}
}

func (r *receiver) learnt(s *Subscription) error {
	if s.AckWaitMs <= 0 {
		return Errorf(CodeInternal, "the service says nothing of how long an event is a receiver's")
	}
	r.ackWait.Store(int64(time.Duration(s.AckWaitMs) * time.Millisecond))
	return nil
}

// relearn asks once more, since an event was lost in what should have been its time: the subscription may have been given another.
func (r *receiver) relearn(ctx context.Context) {
	s, err := r.Get(ctx)
	if err == nil {
		err = r.learnt(s)
	}
	if err != nil && ctx.Err() == nil {
		r.tell(nil, err)
	}
}

// patient waits after a failure; it answers one that trying again does not mend.
func (r *receiver) patient(ctx context.Context, retry *backoff, err error) error {
	if ctx.Err() != nil || !transient(err) {
		return err
	}
	r.tell(nil, err)
	pause, _ := retry.next(err)
	return sleep(ctx, pause)
}

// turn waits until an event can be handled, asks for as many as can be, and has them handled.
func (r *receiver) turn(ctx, working context.Context, retry *backoff) error {
	select {
	case r.slots <- struct{}{}:
		<-r.slots // only this goroutine fills them
	case <-ctx.Done():
		return ctx.Err()
	}
	asked := time.Now()
	list, err := r.Pull(ctx, PullRequest{Max: r.concurrency - len(r.slots), WaitMs: waitSlice.Milliseconds()})
	if err != nil {
		return r.patient(ctx, retry, err)
	}
	retry.reset()
	since := asked // or later: an event that was waited for came at the end
	if wait := time.Duration(r.ackWait.Load()); time.Since(asked) > wait/3 {
		since = time.Now()
	}
	for i := range list {
		r.slots <- struct{}{}
		r.running.Add(1)
		go func() {
			defer func() { <-r.slots; r.running.Done() }()
			r.handle(working, &list[i], since)
		}()
	}
	// An answer before its time comes from a service that is stopping, or from one that does not hold waits.
	if len(list) == 0 && time.Since(asked) < waitSlice/2 {
		return sleep(ctx, r.client.pollingInterval())
	}
	return nil
}

// handle takes one event to its end, which is this receiver's since then.
func (r *receiver) handle(ctx context.Context, d *Delivery, since time.Time) {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	ended := make(chan error, 1)
	go func() { ended <- r.try(life, d) }()
	wait := time.Duration(r.ackWait.Load())
	held := lease{d.Ack, since.Add(wait)}
	tick := time.NewTicker(wait / 3)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				r.tell(d, err)
			}
			r.done(d, held, err)
			return
		case <-tick.C:
		case <-time.After(time.Until(held.until)):
		}
		if r.keep(ctx, &held, wait) {
			continue
		}
		end(ErrLeaseLost)
		r.relearn(ctx)
		if err := <-ended; err != nil {
			r.tell(d, err)
		}
		return
	}
}

// lease is by what a receiver has an event, and until when at least: then it may be another's.
type lease struct {
	ack   string
	until time.Time
}

// keep asks for more time, and reports whether the event is this receiver's still, with it or without.
func (r *receiver) keep(ctx context.Context, held *lease, wait time.Duration) bool {
	asked := time.Now() // the service counts from no earlier
	if !asked.Before(held.until) {
		return false
	}
	next, stale, err := r.extend(ctx, *held)
	if err != nil {
		r.tell(nil, err)
		return time.Now().Before(held.until)
	}
	*held = lease{next, asked.Add(wait)}
	return !stale
}

// extend asks for more time as long as the event is this receiver's.
func (r *receiver) extend(ctx context.Context, held lease) (next string, stale bool, err error) {
	once, cancel := context.WithDeadline(context.WithoutCancel(ctx), held.until)
	defer cancel()
	list, err := r.Extend(once, held.ack)
	if err != nil {
		return "", false, err
	}
	if e := list[0].Error; e != nil {
		return "", false, Errorf(CodeUnavailable, "more time for an event was not given: %s", e.Message)
	}
	return list[0].Ack, list[0].Stale, nil
}

// done settles an event that was handled, as long as it is this receiver's.
func (r *receiver) done(d *Delivery, held lease, failed error) {
	ctx, cancel := context.WithDeadline(context.Background(), held.until)
	defer cancel()
	retry := backoff{initial: 100 * time.Millisecond, limit: 2 * time.Second}
	for sent := 1; ; sent++ {
		err := r.settleOne(ctx, d, held.ack, failed)
		if err == nil {
			return
		}
		r.tell(nil, fmt.Errorf("event %s, which was handled, could not be settled: %w", d.Event.ID, err))
		pause, _ := retry.next(err)
		if sent == maxSends || errors.Is(err, ErrLeaseLost) || sleep(ctx, pause) != nil {
			return
		}
	}
}

func (r *receiver) settleOne(ctx context.Context, d *Delivery, ack string, failed error) error {
	var list []Settled
	var err error
	if failed == nil {
		list, err = r.Ack(ctx, ack)
	} else {
		list, err = r.Nack(ctx, redelivery(d.Deliveries, failed), ack)
	}
	switch {
	case err != nil:
		return err
	case list[0].Stale:
		return Errorf(CodeLeaseLost, "the event may be another receiver's by now")
	case list[0].Error != nil:
		return Errorf(CodeUnavailable, "%s", list[0].Error.Message)
	default:
		return nil
	}
}

// redelivery is after which time an event that was given out so often comes again.
func redelivery(deliveries int, failed error) time.Duration {
	if errors.Is(failed, ErrInterruptedAttempt) {
		return 0
	}
	if e, ok := errors.AsType[*AgentError](failed); ok && e.RetryAfter > 0 {
		return min(e.RetryAfter, MaxAckWaitMs*time.Millisecond)
	}
	return min(firstRedelivery<<min(max(deliveries-1, 0), 20), lastRedelivery)
}

// try calls the handler.
func (r *receiver) try(ctx context.Context, d *Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	err = r.handler(ctx, d)
	if err != nil && errors.Is(context.Cause(ctx), ErrInterruptedAttempt) {
		err = fmt.Errorf("%w: %w", ErrInterruptedAttempt, err)
	}
	return err
}
