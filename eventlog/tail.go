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
	tailPull      = 500 // events asked for ahead
	tailRetry     = 100 * time.Millisecond
	tailHeartbeat = 5 * time.Second // of the server, while nothing comes
)

// tail follows the end of a project's log once for all who follow it here. It gives each what its filter chooses, and waits for
// none: who is slow misses events, and reads them from the log.
type tail struct {
	project *project
	stop    context.CancelFunc

	mu        sync.Mutex
	at        uint64    // everything up to here was given out
	created   time.Time // when the stream was made that at is a position of
	followers map[*Follower]struct{}
	stories   map[string]map[*Follower]struct{} // of one story alone, by its subject
}

// join adds a follower of a stream that holds e, and answers the position after which it will be given everything.
func (p *project) join(f *Follower, e extent) (uint64, error) {
	p.following.Lock()
	defer p.following.Unlock()
	if p.tail == nil {
		var err error
		if p.tail, err = p.newTail(e); err != nil {
			return 0, err
		}
	}
	return p.tail.add(f)
}

// rejoin lets a follower go on that missed events.
func (p *project) rejoin(f *Follower) (uint64, error) {
	p.following.Lock()
	defer p.following.Unlock()
	if p.tail == nil {
		return 0, closed()
	}
	return p.tail.add(f)
}

// given answers up to where a follower was offered everything; ok is false for one that is offered nothing.
func (p *project) given(f *Follower) (upTo uint64, ok bool) {
	p.following.Lock()
	defer p.following.Unlock()
	if p.tail == nil {
		return 0, false
	}
	return p.tail.given(f)
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

func (p *project) newTail(e extent) (*tail, error) {
	ctx, stop := context.WithCancel(p.log.life)
	t := &tail{
		project: p, stop: stop, at: e.last, created: e.created,
		followers: map[*Follower]struct{}{}, stories: map[string]map[*Follower]struct{}{},
	}
	live, err := p.log.nc.Subscribe(livePrefix+p.id+".>", t.takeLive)
	if err != nil {
		stop()
		return nil, fmt.Errorf("follow the event log: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = live.Unsubscribe() }) // it fails only where the connection is closed
	if !p.log.spawn(func() { t.run(ctx) }) {
		stop()
		return nil, closed()
	}
	return t, nil
}

// run gives out what comes until ctx ends, through every loss of the connection.
func (t *tail) run(ctx context.Context) {
	said := false
	for {
		began := t.position()
		err := t.pull(ctx)
		if ctx.Err() != nil {
			return
		}
		if said = said && t.position() == began; !said {
			t.project.log.log.Warn("following the event log was interrupted; trying again", "project", t.project.id, "error", err)
			said = true
		}
		t.project.lost(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(tailRetry):
		}
	}
}

// pull gives out what comes until something fails: the consumer, the connection, or a message on the way.
func (t *tail) pull(ctx context.Context) error {
	s, e, err := t.project.ensured(ctx)
	if err != nil {
		return err
	}
	t.meet(e)
	ctx, cancel := t.project.log.while(ctx)
	defer cancel()
	c, err := t.consumer(s)
	if err != nil {
		return err
	}
	defer t.project.log.dismiss(streamName(t.project.id), c.CachedInfo().Name)
	return t.consume(ctx, c)
}

// consume gives out what a consumer has until something fails. It takes messages as they come in and not from the client library's
// iterator: that has room for as many as are asked for, and the server's word that these were all is one more.
func (t *tail) consume(ctx context.Context, c jetstream.Consumer) error {
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default: // something failed before
		}
	}
	delivered, broken := uint64(0), false
	consuming, err := c.Consume(func(m jetstream.Msg) {
		if broken {
			return
		}
		delivered++
		if err := t.take(m, delivered); err != nil {
			broken = true
			fail(err)
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(tailPull, fetchBytes), jetstream.PullHeartbeat(tailHeartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { fail(err) }))
	if err != nil {
		return err
	}
	defer func() {
		consuming.Stop()
		<-consuming.Closed()
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take gives out the message that the consumer sends as its n-th.
func (t *tail) take(m jetstream.Msg, n uint64) error {
	record, meta, err := recordOf(m)
	if err != nil {
		return err
	}
	if meta.Sequence.Consumer != n {
		return fmt.Errorf("the consumer's message %d came after its message %d", meta.Sequence.Consumer, n-1)
	}
	t.give(record)
	return nil
}

// consumer makes the tail's consumer. It waits for the answer though the tail ends meanwhile: the server may take the word that a consumer
// is not needed before the one that makes it.
func (t *tail) consumer(s jetstream.Stream) (jetstream.Consumer, error) {
	ctx, cancel := t.project.log.during(t.project.log.life, callTimeout)
	defer cancel()
	return t.project.log.consumerFrom(ctx, s, t.position(), everything(t.project.id))
}

func (t *tail) position() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at
}

// meet compares where the tail is with what the stream holds, before it goes on. A stream that was made anew, or set back, ends who
// follows: their positions are of another one.
func (t *tail) meet(e extent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.created.Equal(t.created) && e.last >= t.at {
		t.skip(e.first - 1)
		return
	}
	for f := range t.all {
		f.fail(renewed(e.first))
	}
	clear(t.followers)
	clear(t.stories)
	t.at, t.created = e.last, e.created
}

// skip says that everything up to a sequence is gone, as far as it was not given out.
func (t *tail) skip(upTo uint64) {
	if upTo <= t.at {
		return
	}
	for f := range t.all {
		f.miss(t.at + 1)
	}
	t.at = upTo
}

// all yields every follower.
func (t *tail) all(yield func(*Follower) bool) {
	for f := range t.followers {
		if !yield(f) {
			return
		}
	}
	for _, of := range t.stories {
		for f := range of {
			if !yield(f) {
				return
			}
		}
	}
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
		t.skip(r.Sequence - 1) // what is between was removed before it came here
		t.at = r.Sequence
	}
	for f := range t.stories[r.subject] {
		f.offer(r)
	}
	for f := range t.followers {
		f.offer(r)
	}
}

// add adds a follower, or lets one go on that missed events.
func (t *tail) add(f *Follower) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.failed != nil {
		return 0, f.failed
	}
	f.resume()
	if f.story == "" {
		t.followers[f] = struct{}{}
		return t.at, nil
	}
	if t.stories[f.story] == nil {
		t.stories[f.story] = map[*Follower]struct{}{}
	}
	t.stories[f.story][f] = struct{}{}
	return t.at, nil
}

func (t *tail) given(f *Follower) (upTo uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.story == "" {
		_, ok = t.followers[f]
	} else {
		_, ok = t.stories[f.story][f]
	}
	return t.at, ok
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
