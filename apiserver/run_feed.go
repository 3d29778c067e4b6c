package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	feedPage      = 500     // events of a session or a plan that are read at once
	feedPageBytes = 1 << 20 // beyond which no more are
)

// runFeed is the stream of a session or of a plan, made of the project's log: of what its own run and the runs of its tasks write. What is
// there is read by pages, each of which takes a turn among those who look through the log; then the log is followed.
type runFeed struct {
	server *Server
	log    *eventlog.Log
	of     streamedRun

	stories  *openStories       // of the tasks that have begun, as far as the run's last event waits for their ends
	origin   *eventlog.Position // where to look on for those that began before the stream does; nil: there are none, or they are found
	begun    *openStories       // those, as far as was looked
	from     eventlog.Position  // where the next page begins
	first    uint64             // what the first page has to hold; 0 for nothing
	reached  uint64             // everything up to here was read
	told     uint64             // the last position of what was told
	page     []*eventlog.Record // read and not yet told
	held     *eventlog.Record   // taken, and not yet told
	late     lateEnd            // which is put off
	behind   *lookBehind        // what was looked for behind the one that is held; nil before that, and after
	follower *eventlog.Follower // nil while there may be another page
}

// voice says how the events of a run and of its tasks are told. It is for one stream.
type voice interface {
	// lacks reports whether something has to be looked up before an event is told.
	lacks(r *eventlog.Record) bool
	// learn looks that up.
	learn(ctx context.Context, r *eventlog.Record) error
	// tell is what is told of an event; at is the position after which to go on.
	tell(r *eventlog.Record, at uint64) (*shown, error)
	// marks answers the tasks that an event shows to have begun, or their stories to be over.
	marks(r *eventlog.Record) ([]storyMark, error)
}

// next waits for the next event.
func (f *runFeed) next(ctx context.Context) (item, error) {
	for {
		r, err := f.take(ctx)
		if err != nil {
			return item{}, err
		}
		if later, err := f.putOff(ctx, r); err != nil {
			return item{}, err
		} else if later {
			continue
		}
		if f.of.voice.lacks(r) {
			f.held = r
			if err := f.of.voice.learn(ctx, r); err != nil {
				return item{}, err
			}
		}
		return f.tell(r)
	}
}

// ready answers an event that is at hand, unless something has to be looked up before it is told.
func (f *runFeed) ready() (item, bool) {
	var r *eventlog.Record
	switch {
	case f.held != nil:
		r = f.held
	case f.ends():
		r = f.late.record
	case len(f.page) > 0:
		r, f.page = f.page[0], f.page[1:]
	case f.follower != nil:
		r = f.follower.Ready()
	}
	if r == nil {
		return item{}, false
	}
	if f.of.isEnd(r) && r != f.late.record || f.of.voice.lacks(r) { // it may have to be put off
		f.held = r
		return item{}, false
	}
	i, err := f.tell(r)
	return i, err == nil // next answers what it is, if it stays
}

// tell makes an event of the stream of a record, which is held until that is done.
func (f *runFeed) tell(r *eventlog.Record) (item, error) {
	f.held = r
	marks, err := f.of.voice.marks(r)
	if err != nil {
		return item{}, err
	}
	told, err := f.of.voice.tell(r, f.idOf(r))
	if err != nil {
		return item{}, err
	}
	f.stories.mark(marks)
	f.held, f.reached, f.told = nil, max(f.reached, r.Sequence), max(f.told, r.Sequence)
	if r == f.late.record {
		f.late = lateEnd{}
	}
	return item{record: r, shown: told}, nil
}

// at is the position after which to go on later.
func (f *runFeed) at() uint64 {
	switch {
	case f.late.record != nil:
		return f.late.record.Sequence - 1
	case f.held != nil:
		return f.held.Sequence - 1
	case len(f.page) > 0:
		return f.page[0].Sequence - 1
	case f.follower != nil:
		return max(f.reached, f.follower.At())
	default:
		return f.reached
	}
}

func (f *runFeed) close() {
	if f.follower != nil {
		f.follower.Close()
	}
}

// take answers the next record that the stream is made of.
func (f *runFeed) take(ctx context.Context) (*eventlog.Record, error) {
	for {
		switch {
		case f.held != nil:
			return f.held, nil
		case f.ends():
			return f.late.record, nil
		case len(f.page) > 0:
			r := f.page[0]
			f.page = f.page[1:]
			return r, nil
		case f.follower != nil:
			return f.follower.Next(ctx)
		}
		err := f.read(ctx)
		if errors.Is(err, sdk.ErrRateLimited) { // others look through the log just now
			err = pauseFor(ctx, f.server.times.again)
		}
		if err != nil {
			return nil, err
		}
	}
}

// read reads the next page, and follows the log after the last one.
func (f *runFeed) read(ctx context.Context) error {
	leave, err := f.server.runScans.enter(ctx, f.of.project)
	if err != nil {
		return err
	}
	defer leave()
	query := eventlog.Query{Filter: f.of.filter, From: f.from, Limit: feedPage, Bytes: feedPageBytes}
	page, err := f.log.Read(ctx, f.of.project, query)
	if err == nil && f.first > 0 && page.Begin >= f.first { // the clocks are further apart than was thought
		query.From = eventlog.After(f.first - 1)
		page, err = f.log.Read(ctx, f.of.project, query)
	}
	if err != nil {
		return err
	}
	f.first = 0
	if !page.More {
		if err := f.follow(ctx, eventlog.After(page.Next)); err != nil {
			return err
		}
	}
	f.page, f.reached, f.from = page.Records, page.Next, eventlog.After(page.Next)
	return nil
}

// follow begins to follow the log.
func (f *runFeed) follow(ctx context.Context, from eventlog.Position) (err error) {
	f.follower, err = f.log.Follow(ctx, f.of.project, f.of.filter, from)
	return err
}

// pauseFor waits so long; it answers ctx's error where that ends first.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
