package workers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/worker"
)

const (
	maxPollers  = 4
	handlerStop = 10 * time.Second // for a handler to return once its context has ended
	answerStop  = 20 * time.Second // for the last answers to be delivered after that
)

// drain is how far a worker has got with stopping. Each of its contexts ends when its stage begins.
type drain struct {
	draining, interrupt, abandoned, delivering context.Context
	begin, cut, abandon, giveUp                context.CancelFunc
	left                                       atomic.Int64 // handlers that were left behind
}

func newDrain(base context.Context) *drain {
	d := &drain{}
	d.draining, d.begin = context.WithCancel(base)
	d.interrupt, d.cut = context.WithCancel(base)
	d.abandoned, d.abandon = context.WithCancel(base)
	d.delivering, d.giveUp = context.WithCancel(base)
	return d
}

// stop drains: no more polls, a grace for what runs, an interruption, then the end. pollsEnd says that the server ends polls.
func (w *roleWorker) stop(running []worker.Worker, pollsEnd bool) error {
	w.cfg.Logger.Info("role worker drains", "attempts", w.pace.running(), "grace", w.cfg.DrainGrace)
	w.slots.close()
	w.begin()
	for _, stage := range []struct {
		last time.Duration
		then context.CancelFunc
	}{{w.cfg.DrainGrace, w.cut}, {handlerStop, w.abandon}, {answerStop, w.giveUp}} {
		if w.quiet(stage.last) {
			break
		}
		stage.then()
	}
	if !pollsEnd {
		w.pollsRunOut()
	}
	w.cut()
	w.abandon()
	var wait sync.WaitGroup
	for _, tw := range running {
		wait.Go(tw.Stop)
	}
	wait.Wait()
	w.giveUp()
	if left := w.left.Load(); left > 0 {
		return fmt.Errorf("%d agents did not stop within %s after they were told to; their attempts will be seen as lost", left, handlerStop)
	}
	w.cfg.Logger.Info("role worker stopped")
	return nil
}

// quiet waits until no attempt is left, at most for a time; it reports whether none is.
func (w *roleWorker) quiet(most time.Duration) bool {
	ctx, cancel := context.WithTimeout(w.base, most)
	defer cancel()
	return w.slots.until(ctx, func() bool { return w.pace.running() == 0 }) == nil
}

// pollsRunOut waits until no poll is under way and what they brought has been given back.
func (w *roleWorker) pollsRunOut() {
	ctx, cancel := context.WithTimeout(w.base, pollTimeout)
	defer cancel()
	if err := w.slots.idle(ctx); err != nil {
		w.cfg.Logger.Warn("a poll did not end in time; should it have brought a task, that is seen as lost after its heartbeat timeout")
	}
}
