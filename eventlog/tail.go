package eventlog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	tailPull  = 500 // events asked for ahead
	tailRetry = 500 * time.Millisecond
)

// tail follows the end of a project's log once for all who follow it here. It gives each what its filter chooses, and waits for
// none: who is slow is told that it lags, and reads what it missed.
type tail struct {
	project *project
	stop    context.CancelFunc

	mu        sync.Mutex
	at        uint64 // everything up to here was given out
	followers map[*Follower]struct{}
	stories   map[string]map[*Follower]struct{} // of one story alone, by its subject
}

// join adds a follower and answers the position after which it will be given everything.
func (p *project) join(ctx context.Context, f *Follower) (uint64, error) {
	s, err := p.ensure(ctx)
	if err != nil {
		return 0, err
	}
	p.following.Lock()
	defer p.following.Unlock()
	if p.tail == nil {
		_, last, err := bounds(ctx, s)
		if err != nil {
			return 0, err
		}
		if p.tail, err = p.newTail(s, last); err != nil {
			return 0, err
		}
	}
	return p.tail.add(f), nil
}

// rejoin lets a follower that lagged go on.
func (p *project) rejoin(f *Follower) uint64 {
	p.following.Lock()
	defer p.following.Unlock()
	return p.tail.add(f)
}

// leave takes a follower off; the tail ends with its last one.
func (p *project) leave(f *Follower) {
	p.following.Lock()
	defer p.following.Unlock()
	if p.tail != nil && p.tail.remove(f) == 0 {
		p.tail.stop()
		p.tail = nil
	}
}

func (p *project) newTail(s jetstream.Stream, at uint64) (*tail, error) {
	ctx, stop := context.WithCancel(p.log.life)
	t := &tail{project: p, stop: stop, at: at, followers: map[*Follower]struct{}{}, stories: map[string]map[*Follower]struct{}{}}
	live, err := p.log.nc.Subscribe(livePrefix+p.id+".>", t.takeLive)
	if err != nil {
		stop()
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = live.Unsubscribe() }) // it fails only where the connection is closed
	if !p.log.spawn(func() { t.run(ctx, s) }) {
		stop()
		return nil, closed()
	}
	return t, nil
}

// run gives out what comes until ctx ends, through every loss of the connection.
func (t *tail) run(ctx context.Context, s jetstream.Stream) {
	for ctx.Err() == nil {
		err := t.pull(ctx, s)
		if ctx.Err() != nil {
			return
		}
		t.project.log.log.Warn("following the event log was interrupted; trying again", "project", t.project.id, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(tailRetry):
		}
		t.project.lost(jetstream.ErrStreamNotFound)
		if again, err := t.project.ensure(ctx); err == nil {
			s = again
		}
	}
}

func (t *tail) pull(ctx context.Context, s jetstream.Stream) error {
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: t.position() + 1, InactiveThreshold: readerIdle,
	})
	if err != nil {
		return fmt.Errorf("follow the event log: %w", err)
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(tailPull))
	if err != nil {
		return fmt.Errorf("follow the event log: %w", err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow the event log: %w", err)
		}
		record, _, err := recordOf(m)
		if err != nil {
			return err
		}
		t.give(record)
	}
}

func (t *tail) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// takeLive gives out what is not kept.
func (t *tail) takeLive(m *nats.Msg) {
	t.give(liveRecord(m))
}

// give offers a record to whoever chose it.
func (t *tail) give(r *Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Sequence > 0 {
		if r.Sequence <= t.at {
			return
		}
		t.at = r.Sequence
	}
	for f := range t.stories[r.subject] {
		f.offer(r)
	}
	for f := range t.followers {
		f.offer(r)
	}
}

// add adds a follower, or lets one go on that lagged.
func (t *tail) add(f *Follower) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.begin()
	if f.story == "" {
		t.followers[f] = struct{}{}
		return t.at
	}
	if t.stories[f.story] == nil {
		t.stories[f.story] = map[*Follower]struct{}{}
	}
	t.stories[f.story][f] = struct{}{}
	return t.at
}

// remove answers how many followers are left.
func (t *tail) remove(f *Follower) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.followers, f)
	if of := t.stories[f.story]; of != nil {
		delete(of, f)
		if len(of) == 0 {
			delete(t.stories, f.story)
		}
	}
	return len(t.followers) + len(t.stories)
}
