package sdk

import (
	"context"
	"time"
)

// lastWords is how long the end of a task's stream is waited for when the task has ended.
const lastWords = time.Second

// push follows a task's events beside the looks at it: it says when to look, and brings live output. A nil push says nothing.
type push struct {
	wake  chan struct{} // has something when an event came since the last look
	heard chan TaskOutput
	ended chan struct{} // closed when there is no stream any more, or never was
	stop  func()

	output func(TaskOutput) // nil for none
}

// push begins to follow, where the options ask for it.
func (c *Client) push(ctx context.Context, id string, opts []FollowOption) *push {
	asked := c.follow(EventFilter{}, opts)
	if !asked.pushed && asked.output == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &push{
		wake: make(chan struct{}, 1), heard: make(chan TaskOutput), ended: make(chan struct{}), stop: cancel, output: asked.output,
	}
	if p.output != nil {
		opts = append(opts[:len(opts):len(opts)], LiveOutput(func(o TaskOutput) {
			select {
			case p.heard <- o:
			case <-ctx.Done():
			}
		}))
	}
	go func() {
		defer close(p.ended)
		for _, err := range c.TaskEvents(ctx, id, opts...) {
			if err != nil {
				return // looking goes on without
			}
			select {
			case p.wake <- struct{}{}:
			default:
			}
		}
	}()
	return p
}

// alive reports whether there may be a stream.
func (p *push) alive() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// wait passes live output on until an event came, the stream ended, or d has passed; it reports whether one came.
func (p *push) wait(ctx context.Context, d time.Duration) (woken bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case o := <-p.heard:
			p.output(o)
		case <-p.wake:
			return true, nil
		case <-p.ended:
			return false, nil
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// finish passes on what is still to come of the output of a task that has ended.
func (p *push) finish(ctx context.Context) {
	if p == nil || p.output == nil {
		return
	}
	over, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for p.alive() {
		if _, err := p.wait(over, lastWords); err != nil {
			return
		}
	}
}

// close ends the stream and waits for it.
func (p *push) close() {
	if p != nil {
		p.stop()
		<-p.ended
	}
}
