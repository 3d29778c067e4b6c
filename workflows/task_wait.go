package workflows

import (
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

// wait returns when one of the futures is ready or the run was asked to cancel, taking signals meanwhile. Where several are ready
// at once the futures come first, then the cancellation, then signals: what happens next depends on nothing else.
func (r *taskRun) wait(ctx workflow.Context, futures ...workflow.Future) {
	done := false
	s := workflow.NewSelector(ctx)
	for _, f := range futures {
		s.AddFuture(f, func(workflow.Future) { done = true })
	}
	s.AddReceive(ctx.Done(), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(ctx, nil)
		done = true
	})
	r.addSignals(ctx, s)
	for !done {
		s.Select(ctx)
	}
}

func (r *taskRun) addSignals(ctx workflow.Context, s workflow.Selector) {
	s.AddReceive(r.signals.started.ReceiveChannel, func(workflow.ReceiveChannel, bool) {
		if in, ok := r.signals.started.ReceiveAsync(); ok {
			r.attemptStarted(ctx, in)
		}
	})
	s.AddReceive(r.signals.progressed.ReceiveChannel, func(workflow.ReceiveChannel, bool) {
		if in, ok := r.signals.progressed.ReceiveAsync(); ok {
			r.course.TaskProgressed(in)
		}
	})
	s.AddReceive(r.signals.cancel.ReceiveChannel, func(workflow.ReceiveChannel, bool) {
		if in, ok := r.signals.cancel.ReceiveAsync(); ok {
			r.course.CancelRequested(in)
		}
	})
}

// drain takes every signal that is already there. It is called after the last await, and the run returns without another one:
// a signal that arrives in the closing workflow task would otherwise stand in history unhandled.
func (r *taskRun) drain(ctx workflow.Context) {
	for {
		if in, ok := r.signals.started.ReceiveAsync(); ok {
			r.attemptStarted(ctx, in)
			continue
		}
		if in, ok := r.signals.progressed.ReceiveAsync(); ok {
			r.course.TaskProgressed(in)
			continue
		}
		in, ok := r.signals.cancel.ReceiveAsync()
		if !ok {
			return
		}
		r.course.CancelRequested(in)
	}
}

func timer(ctx workflow.Context, d time.Duration, summary string) workflow.Future {
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary})
}
