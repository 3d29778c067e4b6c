package eventlog

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

const (
	maxQueued   = 16 << 20 // bytes of a project that wait to be written
	batchEvents = 500      // written together, unless one call has more
	batchBytes  = 4 << 20

	// fewest is from how many messages on a batch is quicker than each alone: whatever its length, a batch costs the server files
	// of its own, about as much as sixteen messages (go test -bench Append ./eventlog).
	fewest = 16
)

// write is one call's messages on their way.
type write struct {
	msgs  []*nats.Msg
	size  int
	story bool // each message is only to be written when the one before it was

	done   chan struct{} // closed when places and err are set
	places []place
	err    error
}

// place is where a message is.
type place struct {
	sequence  uint64
	duplicate bool
}

func newWrite() *write { return &write{done: make(chan struct{})} }

func (w *write) add(m *nats.Msg) {
	w.msgs = append(w.msgs, m)
	w.size += size(m)
}

func (w *write) finish(places []place, err error) {
	w.places, w.err = places, err
	close(w.done)
}

// again is the same to be written once more.
func (w *write) again() *write {
	n := newWrite()
	n.msgs, n.size, n.story = w.msgs, w.size, w.story
	return n
}

// enqueue lets w be written after what waits already, and waits for it. When ctx ends first, w may be written all the same. What would be
// too much waiting is refused as rate_limited: the log is there for other projects.
func (p *project) enqueue(ctx context.Context, w *write) ([]place, error) {
	if !p.log.nc.IsConnected() {
		return nil, nats.ErrDisconnected
	}
	p.mu.Lock()
	if p.queued+w.size > maxQueued && p.queued > 0 {
		p.mu.Unlock()
		return nil, tooMuch()
	}
	p.queue = append(p.queue, w)
	p.queued += w.size
	idle := !p.writing
	p.writing = true
	p.mu.Unlock()
	if idle && !p.log.spawn(p.writeQueue) {
		p.refuseQueue(closed())
	}
	select {
	case <-w.done:
		return w.places, w.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// writeQueue writes what waits until nothing does. There is one for a project at a time.
func (p *project) writeQueue() {
	for {
		if p.log.life.Err() != nil {
			p.refuseQueue(closed())
			return
		}
		group := p.next()
		if group == nil {
			return
		}
		p.commit(group)
	}
}

// next takes the calls that are written together off the queue; nil says that none waits, and that writing is over.
func (p *project) next() []*write {
	p.mu.Lock()
	defer p.mu.Unlock()
	count, bytes, n := 0, 0, 0
	for _, w := range p.queue {
		if n > 0 && (count+len(w.msgs) > batchEvents || bytes+w.size > batchBytes) {
			break
		}
		count, bytes, n = count+len(w.msgs), bytes+w.size, n+1
	}
	if n == 0 {
		p.writing = false
		return nil
	}
	group := p.queue[:n:n]
	p.queue = p.queue[n:]
	if len(p.queue) == 0 {
		p.queue = nil
	}
	p.queued -= bytes
	return group
}

func (p *project) refuseQueue(err error) {
	p.mu.Lock()
	queue := p.queue
	p.queue, p.queued, p.writing = nil, 0, false
	p.mu.Unlock()
	for _, w := range queue {
		w.finish(nil, err)
	}
}

// commit writes a group: as one batch, or each message alone where they are few or the log refuses the batch for what one of the
// calls asks.
func (p *project) commit(group []*write) {
	var msgs []*nats.Msg
	for _, w := range group {
		msgs = append(msgs, w.msgs...)
	}
	if len(msgs) < fewest {
		p.log.publishEach(group)
		return
	}
	places, err := p.log.publishBatch(msgs)
	if err != nil && (codeOf(err) != 0 || errors.Is(err, nats.ErrMaxPayload)) {
		p.log.publishEach(group)
		return
	}
	for _, w := range group {
		if err != nil {
			w.finish(nil, err)
			continue
		}
		w.finish(places[:len(w.msgs):len(w.msgs)], nil)
		places = places[len(w.msgs):]
	}
}

// isMoved reports whether a story did not end where it was expected to.
func isMoved(err error) bool {
	code := codeOf(err)
	return code == codeWrongLast || code == codeWrongLastNow
}
