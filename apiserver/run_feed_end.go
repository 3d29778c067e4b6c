package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// lateEnd is a run's last event that came before the end of some of its tasks' stories, as when the log was away: it is told after that, or
// when that has not come for the server's patience, since the log has the last event or else since it is put off.
type lateEnd struct {
	record *eventlog.Record
	until  time.Time
	behind uint64 // told when that was, since nothing more will come; 0 where more may
}

// storyMark is what an event shows of a task: it has begun, or its story is over. The task "" is none.
type storyMark struct {
	task string
	over bool
}

// openStories are the tasks that have begun and whose stories are not over.
type openStories struct {
	open map[string]bool
	over map[string]bool // those that are; nil: none of them is spoken of again
}

func newOpenStories(again bool) *openStories {
	s := &openStories{open: map[string]bool{}}
	if again {
		s.over = map[string]bool{}
	}
	return s
}

// mark enters what an event has shown of tasks.
func (s *openStories) mark(marks []storyMark) {
	for _, m := range marks {
		switch {
		case m.task == "", s.over[m.task]:
		case !m.over:
			s.open[m.task] = true
		default:
			if delete(s.open, m.task); s.over != nil {
				s.over[m.task] = true
			}
		}
	}
}

// putOff takes a last event that is not to be told yet.
func (f *runFeed) putOff(ctx context.Context, r *eventlog.Record) (bool, error) {
	if !f.of.isEnd(r) || f.late.record != nil {
		return false, nil
	}
	f.held = r
	if err := f.recall(ctx, r.Sequence-1); err != nil {
		return false, err
	}
	marks, err := f.of.voice.marks(r)
	if err != nil {
		return false, err
	}
	there, err := f.allThere(ctx, r, marks)
	if err != nil {
		return false, err
	}
	f.stories.mark(marks)
	if len(f.stories.open) == 0 {
		return false, nil
	}
	late := lateEnd{record: r, until: time.Now().Add(f.server.times.patience)}
	if there {
		if late.behind, err = f.lastBehind(ctx, r.Sequence); err != nil || late.behind == 0 {
			return false, err
		}
	}
	f.held, f.late, f.behind = nil, late, nil
	return true, nil
}

// allThere reports whether nothing more comes into the log of what the last event waits for: that is long ago, or it waits for nothing but what
// it shows itself of tasks, which may be gone with the beginning of the run's own story.
func (f *runFeed) allThere(ctx context.Context, r *eventlog.Record, marks []storyMark) (bool, error) {
	switch {
	case f.behind != nil: // it was so
		return true, nil
	case time.Since(r.Taken()) > f.server.times.patience && f.server.steady(f.log):
		return true, nil
	case len(f.stories.open) > 0 || len(marks) == 0:
		return false, nil
	}
	page, err := f.log.Read(ctx, f.of.project, eventlog.Query{Filter: eventlog.Filter{Story: &f.of.story}, Limit: 1})
	return err == nil && (len(page.Records) == 0 || page.Records[0].Number() > 1), err
}

// ends reports whether the last event that was put off is to be told now.
func (f *runFeed) ends() bool {
	late := f.late
	return late.record != nil && (len(f.stories.open) == 0 || late.behind > 0 && f.told >= late.behind || !time.Now().Before(late.until))
}

// lookBehind is how far a feed has looked for the last event behind a position.
type lookBehind struct {
	from uint64 // everything up to here was looked at
	upTo uint64 // where the log ended when it began to look: however fast that grows, the looking ends
	last uint64 // found so far; 0 for none
	more bool
}

// lastBehind is the position of the last event that the stream is made of, 0 where none is behind a position. When ctx ends before, it goes
// on there next time.
func (f *runFeed) lastBehind(ctx context.Context, position uint64) (uint64, error) {
	for f.behind == nil || f.behind.more {
		if err := f.lookOn(ctx, position); err != nil {
			return 0, err
		}
	}
	last := f.behind.last
	f.behind = nil
	return last, nil
}

// lookOn looks at the next page behind a position.
func (f *runFeed) lookOn(ctx context.Context, position uint64) error {
	if f.behind == nil {
		end, err := f.log.Read(ctx, f.of.project, eventlog.Query{From: eventlog.Now(), Limit: 1})
		if err != nil {
			return err
		}
		f.behind = &lookBehind{from: position, upTo: end.Next, more: true}
	}
	b := f.behind
	page, err := f.readInTurn(ctx, eventlog.Query{Filter: f.of.filter, From: eventlog.After(b.from), UpTo: b.upTo})
	if err != nil {
		return err
	}
	if n := len(page.Records); n > 0 {
		b.last = page.Records[n-1].Sequence
	}
	b.from, b.more = page.Next, page.More
	return nil
}

// recall finds the tasks that had begun before the stream, and whose end it is yet to tell, up to a position. When ctx ends before, it
// goes on there next time.
func (f *runFeed) recall(ctx context.Context, upTo uint64) error {
	if f.origin == nil {
		return nil
	}
	if f.begun == nil {
		f.begun = f.of.newStories()
	}
	marking := f.of.filter
	marking.Types = f.of.marking
	for more := true; more; {
		page, err := f.readInTurn(ctx, eventlog.Query{Filter: marking, From: *f.origin, UpTo: upTo})
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			marks, err := f.of.voice.marks(r)
			if err != nil {
				return err
			}
			f.begun.mark(marks)
		}
		*f.origin, more = eventlog.After(page.Next), page.More
	}
	f.stories, f.origin = f.begun, nil
	return nil
}

// readInTurn reads a page when it is its turn.
func (f *runFeed) readInTurn(ctx context.Context, q eventlog.Query) (eventlog.Page, error) {
	leave, err := f.server.runScans.enter(ctx, f.of.project)
	for errors.Is(err, sdk.ErrRateLimited) { // others look through the log just now
		if err := pauseFor(ctx, f.server.times.again); err != nil {
			return eventlog.Page{}, err
		}
		leave, err = f.server.runScans.enter(ctx, f.of.project)
	}
	if err != nil {
		return eventlog.Page{}, err
	}
	defer leave()
	q.Limit, q.Bytes = feedPage, feedPageBytes
	return f.log.Read(ctx, f.of.project, q)
}

// idOf is the position after which a reader goes on that was told an event last. While the last one is put off that is before it: who is cut
// off then is told what comes after it once more, and the last one too. No reader is sent a position that it has. The last one itself comes
// after everything that was told.
func (f *runFeed) idOf(r *eventlog.Record) uint64 {
	switch late := f.late.record; {
	case late == nil:
		return r.Sequence
	case late == r:
		return max(r.Sequence, f.reached)
	default:
		return late.Sequence - 1
	}
}

// endsTask reports whether an event of this type is a task's end.
func endsTask(t sdk.EventType) bool {
	return t == sdk.EventTaskCompleted || t == sdk.EventTaskFailed || t == sdk.EventTaskCancelled
}
