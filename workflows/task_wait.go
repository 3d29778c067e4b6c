package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"
)

// signals are the channels of a run.
type signals struct {
	started    SignalChannel[AttemptStartedInput]
	progressed SignalChannel[TaskProgressedInput]
	cancel     SignalChannel[CancelRequestedInput]
}

func newSignals(ctx workflow.Context) signals {
	return signals{
		started:    AttemptStarted.Channel(ctx),
		progressed: TaskProgressed.Channel(ctx),
		cancel:     CancelRequested.Channel(ctx),
	}
}

// cancelled is what race answers when the run was asked to cancel.
const cancelled = -1

// race waits for the first of the futures, or the end of ctx, and says which it was. It is exact where it has to wait: what comes first in
// history wins, however much more has come by the time the run goes on. So an answer does not change when a workflow task is run again
// with more in it. Of what is there already the end of ctx wins, then the first future.
func (r *taskRun) race(ctx workflow.Context, futures ...workflow.Future) int {
	r.awaited = futures
	defer func() { r.awaited = nil }()
	return first(ctx, futures...)
}

// first is race of what the run does not go on from at once.
func first(ctx workflow.Context, futures ...workflow.Future) int {
	first := cancelled
	s := workflow.NewSelector(ctx)
	s.AddReceive(ctx.Done(), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	for i, f := range futures {
		s.AddFuture(f, func(workflow.Future) { first = i })
	}
	s.Select(ctx)
	return first
}

// deadline is a timer that the end of ctx does not touch, so that a race with it is exact. stop must be called.
func deadline(ctx workflow.Context, d time.Duration, summary string) (f workflow.Future, stop func()) {
	calm, stop := workflow.NewDisconnectedContext(ctx)
	return workflow.NewTimerWithOptions(calm, d, workflow.TimerOptions{Summary: summary}), stop
}

// listen takes signals whenever an attempt is open. Once its end is there, what is left of them is for those who know the end: a
// workflow task that has both must not tell more than one that has the end alone, and goes on from it.
func (r *taskRun) listen(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(calm, func(ctx workflow.Context) {
		for {
			if err := workflow.Await(ctx, r.hears); err != nil {
				return
			}
			r.hear(ctx)
		}
	})
}

// hears reports whether there is a signal to be taken.
func (r *taskRun) hears() bool {
	return r.open != nil && !r.open.IsReady() && r.signals.started.Len()+r.signals.progressed.Len() > 0
}

// unheard reports whether something has come that the run is about to tell of: handlers of updates are called before it goes on from there.
func (r *taskRun) unheard() bool {
	return r.open != nil && r.signals.started.Len()+r.signals.progressed.Len() > 0 || slices.ContainsFunc(r.awaited, workflow.Future.IsReady)
}

// hear takes one signal; that an attempt has begun comes before its progress.
func (r *taskRun) hear(ctx workflow.Context) {
	if in, ok := r.signals.started.ReceiveAsync(); ok {
		if r.course.AttemptStarted(workflow.Now(ctx), in) {
			r.upsert(ctx, nil)
		}
	} else if in, ok := r.signals.progressed.ReceiveAsync(); ok {
		r.course.TaskProgressed(workflow.Now(ctx), in)
	}
	if r.begun != nil && r.course.assigned {
		r.begun.SetValue(true)
		r.begun = nil
	}
}

// listenForReason takes the reason of a cancellation, which is sent just before it: what comes after it is none.
func (r *taskRun) listenForReason(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		s := workflow.NewSelector(ctx)
		s.AddReceive(r.signals.cancel.ReceiveChannel, func(workflow.ReceiveChannel, bool) {
			if in, ok := r.signals.cancel.ReceiveAsync(); ok {
				r.course.CancelRequested(in)
			}
		})
		s.AddReceive(ctx.Done(), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
		s.Select(ctx)
		r.reasoned = true
	})
}

// drain takes every signal that is left and drops it. It is called after the last await, and the run returns without another one:
// a signal that arrives in the closing workflow task would otherwise stand in history unhandled.
func (r *taskRun) drain() {
	for r.dropOne() {
	}
}

func (r *taskRun) dropOne() bool {
	if _, ok := r.signals.started.ReceiveAsync(); ok {
		return true
	}
	if _, ok := r.signals.progressed.ReceiveAsync(); ok {
		return true
	}
	_, ok := r.signals.cancel.ReceiveAsync()
	return ok
}
