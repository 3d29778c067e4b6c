package eventlog

import (
	"context"
	"sync/atomic"
	"time"
)

// followerQueue is how many events may wait for a follower before it has to read what it missed, which costs the log far more. The
// largest batch that is published at once has room. It takes 8 KiB of memory for each follower.
const followerQueue = 1024

// followerBytes is how many bytes of events may wait likewise. The largest batch has room here too.
const followerBytes = 2 << 20

// Follower reads a project's log from a position on and then what comes, without a gap and without repeating. It is for one
// goroutine. It holds nobody up: one that is slow reads what it missed from the log, as long as that is kept.
type Follower struct {
	project *project
	filter  Filter
	story   string    // the subject of the only story it follows, "" for any
	since   time.Time // what the log took before is left out
	created time.Time // when the stream was made that it follows

	queue  chan *Record
	queued atomic.Int64  // bytes in the queue, about
	missed atomic.Uint64 // from this sequence on the queue has nothing, since it was full; 0 while it has everything
	wake   chan struct{} // has something when missed was set: the queue may be empty by then
	broken chan struct{} // closed when failed is set
	failed error         // what ended it

	at      uint64  // everything up to here was answered or left out
	number  int     // of the last event that was answered, where it follows one story
	begins  bool    // nothing was answered, and whatever is first is as good as what follows at
	joined  uint64  // everything after this is in the queue, unless it missed some
	history *reader // nil when there is nothing to catch up with
	page    []taken // read and not yet answered
}

// Follow follows a project's log from a position on. It makes the project's stream where there is none. Call [Follower.Close] when
// done.
func (l *Log) Follow(ctx context.Context, project string, filter Filter, from Position) (*Follower, error) {
	p, err := l.project(project)
	if err != nil {
		return nil, err
	}
	if err := filter.check(); err != nil {
		return nil, err
	}
	f := &Follower{
		project: p, filter: filter, since: from.since,
		queue: make(chan *Record, followerQueue), wake: make(chan struct{}, 1), broken: make(chan struct{}),
	}
	if filter.Story != nil {
		f.story = storySubject(keptPrefix, project, *filter.Story)
	}
	_, e, err := p.ensured(ctx)
	if err != nil {
		return nil, fault(ctx, err)
	}
	begin, err := p.start(ctx, from, e)
	if err != nil {
		return nil, fault(ctx, err)
	}
	f.at, f.begins, f.created = begin.after, begin.loose, e.created
	if f.joined, err = p.join(f, e); err != nil {
		return nil, fault(ctx, err)
	}
	return f, nil
}

// Next answers the next event, as soon as there is one. It answers history_expired when what comes next is not kept any more, or
// when the log was made anew, and ctx's error when that ends first; then, and when the log cannot be reached, it can be called again.
func (f *Follower) Next(ctx context.Context) (*Record, error) {
	for {
		if r, err := f.caughtUp(ctx); r != nil || err != nil {
			return r, err
		}
		missed := f.missed.Load() // the queue is complete up to here
		select {
		case r := <-f.queue:
			if f.pops(r) {
				return r, nil
			}
			continue
		default:
		}
		if missed > 0 {
			f.at = max(f.at, missed-1)
			if err := f.rejoin(); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case r := <-f.queue:
			if f.pops(r) {
				return r, nil
			}
		case <-f.wake:
		case <-f.broken:
			if len(f.queue) == 0 {
				return nil, f.failed
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-f.project.log.life.Done():
			return nil, closed()
		}
	}
}

// Ready answers the next event where it is at hand; nil says that Next has to wait or to read for it.
func (f *Follower) Ready() *Record {
	for len(f.page) > 0 {
		r := f.page[0].Record
		f.page = f.page[1:]
		if f.takes(r) && f.filter.match(r) {
			return r
		}
	}
	if f.at < f.joined || f.history != nil {
		return nil
	}
	for {
		select {
		case r := <-f.queue:
			if f.pops(r) {
				return r
			}
		default:
			return nil
		}
	}
}

// takes reports whether a record is the next one; it may have been read from the log before.
func (f *Follower) takes(r *Record) bool {
	if r.Sequence == 0 {
		return true
	}
	if r.Sequence <= f.at || r.at.Before(f.since) {
		return false
	}
	f.at, f.begins = r.Sequence, false
	if f.story != "" {
		f.number = r.number
	}
	return true
}

// caughtUp answers the next event up to where the queue begins; nil says that there is none.
func (f *Follower) caughtUp(ctx context.Context) (*Record, error) {
	for {
		for len(f.page) > 0 {
			r := f.page[0].Record
			f.page = f.page[1:]
			if f.takes(r) && f.filter.match(r) {
				return r, nil
			}
		}
		if f.at >= f.joined && f.history == nil {
			return nil, nil //nolint:nilnil // nothing to catch up with
		}
		if err := f.openHistory(ctx); err != nil {
			return nil, fault(ctx, err)
		}
		if f.history == nil {
			continue
		}
		var err error
		if f.page, err = f.history.page(ctx); err != nil {
			f.page = nil
			f.closeHistory() // what is answered next begins after what was answered last
			return nil, fault(ctx, err)
		}
		if len(f.page) == 0 {
			f.at = max(f.at, f.joined)
			f.closeHistory()
		}
	}
}

// openHistory begins to read from where the follower is to where the queue begins.
func (f *Follower) openHistory(ctx context.Context) error {
	if f.history != nil {
		return nil
	}
	s, e, err := f.project.ensured(ctx)
	if err != nil {
		return err
	}
	if !e.created.Equal(f.created) || e.last < f.joined {
		return renewed(e.first)
	}
	if f.begins {
		f.at = max(f.at, e.first-1)
	}
	gone := f.at < e.first-1
	if gone && f.number == 0 { // of a story the numbers say what is gone
		return expired(e.first)
	}
	upTo, err := f.project.end(ctx, f.filter, f.joined)
	if err != nil {
		return err
	}
	if upTo <= f.at {
		if gone {
			return expired(e.first)
		}
		f.at = max(f.at, f.joined)
		return nil
	}
	f.history = f.project.log.newReader(reading{
		stream: s, subject: f.filter.subject(f.project.id), from: start{after: f.at, loose: f.begins}, upTo: upTo, created: e.created, number: f.number, bytes: followBytes,
	})
	return nil
}

func (f *Follower) closeHistory() {
	if f.history != nil {
		f.history.close()
		f.history = nil
	}
}

// At is the position that everything before was answered up to, or left out: follow after it to go on. It moves on, too, with what others
// write and the filter leaves out, as far as there is nothing to answer.
func (f *Follower) At() uint64 {
	if f.at < f.joined || f.history != nil || len(f.page) > 0 {
		return f.at
	}
	given, all := f.project.given(f)
	if all && f.missed.Load() == 0 && len(f.queue) == 0 { // looked at after given was: what was offered up to there was answered
		f.at = max(f.at, given)
	}
	return f.at
}

// Close ends the follower.
func (f *Follower) Close() {
	f.project.leave(f)
	f.closeHistory()
}

// rejoin lets a follower go on that missed events: it reads those from the log.
func (f *Follower) rejoin() error {
	joined, err := f.project.rejoin(f)
	f.joined = max(f.joined, joined)
	return err
}
