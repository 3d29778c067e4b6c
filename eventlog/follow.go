package eventlog

import (
	"context"
	"sync/atomic"
	"time"
)

// followerQueue is how many events may wait for a follower before it has to read what it missed.
const followerQueue = 256

// Follower reads a project's log from a position on and then what comes, without a gap and without repeating. It is for one
// goroutine. It holds nobody up: one that is slow reads what it missed from the log, as long as that is kept.
type Follower struct {
	project *project
	filter  Filter
	story   string // the subject of the only story it follows, "" for any

	queue   chan *Record
	lagging atomic.Bool // more came than the queue holds: the rest is in the log

	at      uint64    // everything up to here was answered or left out
	since   time.Time // where to begin instead, before the first event
	joined  uint64    // everything after this is in the queue, unless it lags
	history *reader   // nil when there is nothing to catch up with
	page    []taken   // read and not yet answered
}

// Follow follows a project's log from a position on. It makes the project's stream where there is none. Call [Follower.Close] when
// done.
func (l *Log) Follow(ctx context.Context, project string, filter Filter, from Position) (*Follower, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	f := &Follower{project: p, filter: filter, queue: make(chan *Record, followerQueue)}
	if filter.Story != nil {
		f.story = storySubject(keptPrefix, project, *filter.Story)
	}
	if f.joined, err = p.join(ctx, f); err != nil {
		p.lost(err)
		return nil, fault(err)
	}
	if err := f.start(ctx, from); err != nil {
		f.Close()
		return nil, fault(err)
	}
	return f, nil
}

func (f *Follower) start(ctx context.Context, from Position) error {
	s, err := f.project.ensure(ctx)
	if err != nil {
		return err
	}
	first, _, err := bounds(ctx, s)
	if err != nil {
		return err
	}
	f.at, f.since, err = from.begin(first, f.joined)
	return err
}

// Next answers the next event, as soon as there is one. It answers history_expired when what comes next is not kept any more, and
// ctx's error when that ends first; then it can be called again.
func (f *Follower) Next(ctx context.Context) (*Record, error) {
	for {
		if r, err := f.caughtUp(ctx); r != nil || err != nil {
			return r, err
		}
		select {
		case r := <-f.queue:
			if f.takes(r) {
				return r, nil
			}
			continue
		default:
		}
		if f.lagging.Load() {
			f.joined = f.project.rejoin(f)
			continue
		}
		select {
		case r := <-f.queue:
			if f.takes(r) {
				return r, nil
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-f.project.log.life.Done():
			return nil, closed()
		}
	}
}

// takes reports whether a record from the queue is the next one; it may have been read from the log before.
func (f *Follower) takes(r *Record) bool {
	if r.Sequence == 0 {
		return true
	}
	if r.Sequence <= f.at {
		return false
	}
	f.at = r.Sequence
	return true
}

// caughtUp answers the next event up to where the queue begins; nil says that there is none.
func (f *Follower) caughtUp(ctx context.Context) (*Record, error) {
	for {
		for len(f.page) > 0 {
			r := f.page[0].Record
			f.page = f.page[1:]
			f.at = max(f.at, r.Sequence)
			if f.filter.match(r) {
				return r, nil
			}
		}
		if f.history == nil {
			if f.at >= f.joined {
				return nil, nil //nolint:nilnil // nothing to catch up with
			}
			if err := f.openHistory(ctx); err != nil {
				return nil, fault(err)
			}
			if f.history == nil {
				continue
			}
		}
		var err error
		if f.page, err = f.history.page(ctx); err != nil {
			f.closeHistory() // what is answered next begins after what was answered last
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fault(err)
		}
		if len(f.page) == 0 {
			f.at = max(f.at, f.joined)
			f.closeHistory()
		}
	}
}

// openHistory begins to read from where the follower is to where the queue begins.
func (f *Follower) openHistory(ctx context.Context) error {
	s, err := f.project.ensure(ctx)
	if err != nil {
		return err
	}
	first, _, err := bounds(ctx, s)
	if err != nil {
		f.project.lost(err)
		return err
	}
	if f.at+1 < first {
		return expired(first)
	}
	upTo, err := f.project.end(ctx, s, f.filter, f.joined)
	if err != nil {
		return err
	}
	if upTo <= f.at {
		f.at, f.since = f.joined, time.Time{}
		return nil
	}
	f.history, err = newReader(ctx, s, f.filter.subjects(f.project.id), f.at, f.since, upTo)
	f.since = time.Time{}
	return err
}

func (f *Follower) closeHistory() {
	if f.history != nil {
		f.history.close()
		f.history = nil
	}
}

// At is the position that everything before was answered up to, or left out: follow after it to go on.
func (f *Follower) At() uint64 { return f.at }

// Close ends the follower.
func (f *Follower) Close() {
	f.project.leave(f)
	f.closeHistory()
}

// offer gives a follower a record that its filter chooses, unless it lags. The tail calls it, one call at a time.
func (f *Follower) offer(r *Record) {
	if f.lagging.Load() || !f.filter.match(r) {
		return
	}
	select {
	case f.queue <- r:
	default:
		if r.Sequence > 0 {
			f.lagging.Store(true)
		}
	}
}

// begin empties the queue; from now on it holds everything. The tail calls it.
func (f *Follower) begin() {
	for {
		select {
		case <-f.queue:
		default:
			f.lagging.Store(false)
			return
		}
	}
}
