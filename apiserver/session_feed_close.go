package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// lateClose is a session's close that came before the end of some of its tasks, as when the log was away: it is told after that, or when
// that has not come for the server's patience.
type lateClose struct {
	record *eventlog.Record
	until  time.Time
}

// putOff takes a session's close that is not to be told yet.
func (f *sessionFeed) putOff(ctx context.Context, r *eventlog.Record) (bool, error) {
	if r.Type != sdk.EventSessionClosed || f.late.record != nil {
		return false, nil
	}
	f.held = r
	if err := f.recall(ctx, r.Sequence-1); err != nil {
		return false, err
	}
	if len(f.open) == 0 {
		return false, nil
	}
	f.held, f.late = nil, lateClose{record: r, until: time.Now().Add(f.server.times.patience)}
	return true, nil
}

// closes reports whether the close that was put off is to be told now.
func (f *sessionFeed) closes() bool {
	return f.late.record != nil && (len(f.open) == 0 || !time.Now().Before(f.late.until))
}

// recall finds the tasks that had begun before the stream, and whose end it is yet to tell, up to a position. When ctx ends before, it
// goes on there next time.
func (f *sessionFeed) recall(ctx context.Context, upTo uint64) error {
	if f.origin == nil {
		return nil
	}
	if f.begun == nil {
		f.begun = map[string]bool{}
	}
	for more := true; more; {
		page, err := f.recallPage(ctx, *f.origin, upTo)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			e, err := r.Event()
			if err != nil {
				return err
			}
			if endsTask(e.Type) {
				delete(f.begun, e.Task)
			} else {
				f.begun[e.Task] = true
			}
		}
		*f.origin, more = eventlog.After(page.Next), page.More
	}
	f.open, f.origin = f.begun, nil
	return nil
}

func (f *sessionFeed) recallPage(ctx context.Context, from eventlog.Position, upTo uint64) (eventlog.Page, error) {
	leave, err := f.server.sessionScans.enter(ctx, f.project)
	for errors.Is(err, sdk.ErrRateLimited) { // others look through the log just now
		if err := pauseFor(ctx, f.server.times.again); err != nil {
			return eventlog.Page{}, err
		}
		leave, err = f.server.sessionScans.enter(ctx, f.project)
	}
	if err != nil {
		return eventlog.Page{}, err
	}
	defer leave()
	var ends sdk.EventPatterns
	for _, t := range []sdk.EventType{sdk.EventTaskCreated, sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled} {
		ends = append(ends, sdk.EventPattern(t))
	}
	return f.log.Read(ctx, f.project, eventlog.Query{
		Filter: eventlog.Filter{Types: ends, Session: f.session}, From: from, Limit: sessionPage, Bytes: sessionPageBytes, UpTo: upTo,
	})
}

// idOf is the position after which a reader goes on that was told an event last. While the close is put off that is before it: who is cut
// off then is told what comes after it once more, and the close too. No reader is sent a position that it has. The close itself comes after everything that was told.
func (f *sessionFeed) idOf(r *eventlog.Record) uint64 {
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
