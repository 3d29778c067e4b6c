package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	sessionPage      = 500     // events of a session that are read at once
	sessionPageBytes = 1 << 20 // beyond which no more are
)

// sessionFeed is the stream of a session, made of the project's log: of what the session's own run and the runs of its tasks write. What is
// there is read by pages, each of which takes a turn among those who look through the log; then the log is followed.
type sessionFeed struct {
	server           *Server
	log              *eventlog.Log
	project, session string

	tasks    map[string]toldTask // those that have begun and not ended, by id
	open     map[string]bool     // of which the same can be said, as far as the session's close waits for them
	origin   *eventlog.Position  // where to look on for those that began before the stream does; nil: there are none, or they are found
	begun    map[string]bool     // those, as far as was looked
	from     eventlog.Position   // where the next page begins
	first    uint64              // what the first page has to hold; 0 for nothing
	reached  uint64              // everything up to here was read
	page     []*eventlog.Record  // read and not yet told
	held     *eventlog.Record    // taken, and not yet told
	late     lateClose           // which is put off
	follower *eventlog.Follower  // nil while there may be another page
}

func (f *sessionFeed) filter() eventlog.Filter {
	return eventlog.Filter{Types: sessionSources(), Session: f.session}
}

// next waits for the session's next event.
func (f *sessionFeed) next(ctx context.Context) (item, error) {
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
		return f.tell(r, func(e sdk.Event) (toldTask, error) { return f.task(ctx, r, e) })
	}
}

// ready answers an event that is at hand, unless something has to be looked up before it is told.
func (f *sessionFeed) ready() (item, bool) {
	var r *eventlog.Record
	switch {
	case f.held != nil:
		r = f.held
	case f.closes():
		r = f.late.record
	case len(f.page) > 0:
		r, f.page = f.page[0], f.page[1:]
	case f.follower != nil:
		r = f.follower.Ready()
	}
	if r == nil {
		return item{}, false
	}
	if r.Type == sdk.EventSessionClosed && r != f.late.record { // it may have to be put off
		f.held = r
		return item{}, false
	}
	i, err := f.tell(r, f.known)
	return i, err == nil // next answers what it is, if it stays
}

// tell makes an event of the stream of a record, which is held until that is done.
func (f *sessionFeed) tell(r *eventlog.Record, taskOf func(sdk.Event) (toldTask, error)) (item, error) {
	f.held = r
	e, err := r.Event()
	if err != nil {
		return item{}, err
	}
	d, err := sourceOf(e)
	if err != nil {
		return item{}, sdk.Errorf(sdk.CodeInternal, "event %d of the log has data of another shape than its type: %v", r.Sequence, err)
	}
	task, err := taskOf(e)
	if err != nil {
		return item{}, err
	}
	told := sessionEvent(f.session, e, d, task)
	data, err := json.Marshal(told)
	if err != nil {
		return item{}, err
	}
	id := f.idOf(r)
	f.remember(e, task.after(e, d))
	f.held, f.reached = nil, max(f.reached, r.Sequence)
	if r == f.late.record {
		f.late = lateClose{}
	}
	return item{record: r, shown: &shown{name: string(told.Type), data: data, at: id}}, nil
}

// at is the position after which to go on later.
func (f *sessionFeed) at() uint64 {
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

func (f *sessionFeed) close() {
	if f.follower != nil {
		f.follower.Close()
	}
}

// take answers the next record that the stream is made of.
func (f *sessionFeed) take(ctx context.Context) (*eventlog.Record, error) {
	for {
		switch {
		case f.held != nil:
			return f.held, nil
		case f.closes():
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
func (f *sessionFeed) read(ctx context.Context) error {
	leave, err := f.server.sessionScans.enter(ctx, f.project)
	if err != nil {
		return err
	}
	defer leave()
	query := eventlog.Query{Filter: f.filter(), From: f.from, Limit: sessionPage, Bytes: sessionPageBytes}
	page, err := f.log.Read(ctx, f.project, query)
	if err == nil && f.first > 0 && page.Begin >= f.first { // the clocks are further apart than was thought
		query.From = eventlog.After(f.first - 1)
		page, err = f.log.Read(ctx, f.project, query)
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
func (f *sessionFeed) follow(ctx context.Context, from eventlog.Position) (err error) {
	f.follower, err = f.log.Follow(ctx, f.project, f.filter(), from)
	return err
}

// errUnknownTask says that the beginning of a task has to be read first.
var errUnknownTask = errors.New("the task's beginning was told to an earlier connection")

// known is what is remembered of the task that an event is about.
func (f *sessionFeed) known(e sdk.Event) (toldTask, error) {
	known, ok := f.tasks[e.Task]
	if ok || e.Task == "" || e.Type == sdk.EventTaskCreated {
		return known, nil
	}
	return toldTask{}, errUnknownTask
}

// task is that too. That of a task whose beginning was told to an earlier connection is made up from its story.
func (f *sessionFeed) task(ctx context.Context, r *eventlog.Record, e sdk.Event) (toldTask, error) {
	known, err := f.known(e)
	if err == nil {
		return known, nil
	}
	before := eventlog.Query{
		Filter: eventlog.Filter{Types: sessionSources(), Story: &eventlog.Story{Kind: eventlog.KindTask, ID: e.Task}},
		Limit:  sessionPage, Bytes: sessionPageBytes, UpTo: r.Sequence - 1,
	}
	for more := true; more; {
		page, err := f.log.Read(ctx, f.project, before)
		if err != nil {
			return toldTask{}, err
		}
		for _, r := range page.Records {
			e, err := r.Event()
			if err != nil {
				return toldTask{}, err
			}
			d, err := sourceOf(e)
			if err != nil {
				return toldTask{}, err
			}
			known = known.after(e, d)
		}
		before.From, more = eventlog.After(page.Next), page.More
	}
	if known.kind == "" {
		return f.expired(ctx, e.Task, known)
	}
	return known, nil
}

// expired asks the engine what a task is whose beginning the log has no longer.
func (f *sessionFeed) expired(ctx context.Context, id string, known toldTask) (toldTask, error) {
	task, err := f.server.tasks.GetTask(ctx, f.project, id)
	switch {
	case isNotFound(err):
		return known, nil
	case err != nil:
		return known, err
	}
	known.kind, known.began = task.Type, task.CreatedAt
	if task.StartedAt != nil {
		known.began = *task.StartedAt
	}
	return known, nil
}

func (f *sessionFeed) remember(e sdk.Event, now toldTask) {
	switch {
	case e.Task == "":
	case endsTask(e.Type):
		delete(f.tasks, e.Task)
		delete(f.open, e.Task)
	default:
		f.tasks[e.Task], f.open[e.Task] = now, true
	}
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
