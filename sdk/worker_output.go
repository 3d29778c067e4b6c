package sdk

import (
	"context"
	"strings"
	"sync"
	"time"
)

const (
	outputEvery = 100 * time.Millisecond // the shortest gap between two calls for an attempt
	outputTry   = 2 * time.Second        // of one call
	outputAway  = 5 * time.Second        // how long nothing is sent after one that failed
	outputLast  = time.Second            // for what is left when the handler has returned
	outputQueue = 2 * MaxOutputFrames    // frames that wait
	outputPiece = 1 << 10                // bytes of text in one frame
	outputRoom  = MaxOutputCall / 8      // bytes of text in one call: JSON makes at most six times that of it
)

// leaseOutput is the live output of one attempt on its way to the service: shown, and not kept. What comes faster than it can be sent
// pushes out what waits longest.
type leaseOutput struct {
	send func(context.Context, []OutputFrame) error
	news chan struct{}
	over chan struct{} // closed when the handler has returned

	mu     sync.Mutex
	frames []OutputFrame
	closed bool
}

// liveOutput begins to send the attempt's live output.
func (a *leased) liveOutput(ctx context.Context) *leaseOutput {
	o := &leaseOutput{news: make(chan struct{}, 1), over: make(chan struct{})}
	o.send = func(ctx context.Context, frames []OutputFrame) error {
		return a.w.client.SendOutput(ctx, a.lease.Task.ID, TaskOutput{Stage: a.lease.Stage, Attempt: a.lease.Attempt, Frames: frames})
	}
	go o.run(context.WithoutCancel(ctx))
	return o
}

// take queues frames, in pieces.
func (o *leaseOutput) take(frames []OutputFrame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	for _, f := range frames {
		o.pieces(f.Text, func(s string) OutputFrame { return OutputFrame{Text: s} })
		o.pieces(f.Tool, func(s string) OutputFrame { return OutputFrame{Tool: s} })
		o.pieces(f.Delta, func(s string) OutputFrame { return OutputFrame{Delta: s} })
	}
	if over := len(o.frames) - outputQueue; over > 0 {
		o.frames = o.frames[over:]
	}
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// pieces queues a text; what follows its first piece is to be added to it.
func (o *leaseOutput) pieces(text string, frame func(string) OutputFrame) {
	for text = strings.ToValidUTF8(text, "\uFFFD"); text != ""; {
		piece := Cut(text, outputPiece)
		o.frames = append(o.frames, frame(piece))
		text, frame = text[len(piece):], func(s string) OutputFrame { return OutputFrame{Delta: s} }
	}
}

// batch takes the frames of the next call off the queue.
func (o *leaseOutput) batch() []OutputFrame {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, room := 0, outputRoom
	for n < min(len(o.frames), MaxOutputFrames) && (n == 0 || room > 0) {
		room -= len(o.frames[n].Text) + len(o.frames[n].Tool) + len(o.frames[n].Delta)
		n++
	}
	batch := o.frames[:n:n]
	o.frames = o.frames[n:]
	return batch
}

// run sends until the handler has returned and what was left then is sent, which takes [outputLast] at most.
func (o *leaseOutput) run(ctx context.Context) {
	for over := false; !over; {
		select {
		case <-o.news:
		case <-o.over:
			over = true
		}
		for batch := o.batch(); len(batch) > 0 && !over; batch = o.batch() {
			over = o.pass(o.try(ctx, outputTry, batch))
		}
	}
	last, cancel := context.WithTimeout(ctx, outputLast)
	defer cancel()
	for batch := o.batch(); len(batch) > 0 && o.send(last, batch) == nil; {
		batch = o.batch()
	}
}

func (o *leaseOutput) try(ctx context.Context, most time.Duration, batch []OutputFrame) error {
	call, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return o.send(call, batch)
}

// pass waits until the next call may go out; true is the end.
func (o *leaseOutput) pass(failed error) (over bool) {
	pause := outputEvery
	if failed != nil {
		pause = outputAway
	}
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-wait.C:
		return false
	case <-o.over:
		return true
	}
}

// close takes no more: the handler has returned.
func (o *leaseOutput) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	close(o.over)
}
