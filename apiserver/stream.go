package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// How many streams may be open at once, in this process; one more is refused as rate_limited.
const (
	maxStreams            = 10_000
	maxStreamsOfAKey      = 200
	maxStreamsOfAnAttempt = 10 // of the 200 of the key that the attempt's key was made with
)

// streamTimes are the times of a stream.
type streamTimes struct {
	heartbeat time.Duration // between two comments, and two looks whether the caller still may
	slow      time.Duration // a burst that takes its reader longer is its last
	cut       time.Duration // and one that takes longer than this is given up
	again     time.Duration // between two tries to read a log that is away
	patience  time.Duration // for a log that is away, and for the story of a task that has ended
}

func defaultStreamTimes() streamTimes {
	return streamTimes{heartbeat: 15 * time.Second, slow: 10 * time.Second, cut: 15 * time.Second, again: time.Second, patience: 2 * time.Minute}
}

var errDraining = errors.New("the server is stopping")

// stream gives one caller what its feed has, until either ends.
type stream struct {
	server *Server
	out    *sse
	feed   feed
	may    func(context.Context) *sdk.Error // nil while the caller may go on
	over   func(context.Context) bool       // asked when nothing came for a while: whether nothing will; nil is never
	last   func(*eventlog.Record) bool      // whether nothing follows an event; nil is never

	delivered int       // events and output, since the last heartbeat
	told      uint64    // the last position that the reader was told
	away      time.Time // since when the log can not be read; zero while it can
}

// run ends when the feed has ended, the caller has gone, may not go on or does not read, or the server stops.
func (st *stream) run(ctx context.Context) {
	defer st.out.end()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(st.server.draining, func() { stop(errDraining) })()
	err := st.out.flush()
	for err == nil {
		tick, done := context.WithTimeout(ctx, st.server.times.heartbeat)
		err = st.deliver(tick)
		due := tick.Err() != nil
		done()
		switch {
		case errors.Is(err, errOver), errors.Is(err, errSlow): // which ends ctx too, where the connection breaks of it
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case due && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sdk.ErrUnavailable)):
			err = st.heartbeat(ctx)
		}
	}
	st.say(ctx, err)
}

// errOver ends a stream that has come to its end.
var errOver = errors.New("nothing follows")

// deliver sends what comes until ctx ends, each burst at once. It looks at ctx after every burst: a feed that always has something does not.
func (st *stream) deliver(ctx context.Context) error {
	for {
		item, err := st.feed.next(ctx)
		if err != nil {
			if err := st.missed(ctx, err); err != nil {
				return err
			}
			continue
		}
		st.away = time.Time{}
		over := false
		for more := true; more; {
			over = st.write(item)
			if over || st.out.full() {
				break
			}
			item, more = st.feed.ready()
		}
		if err := st.out.flush(); err != nil {
			return err
		}
		if over {
			return errOver
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// write appends an item and reports whether it was the last.
func (st *stream) write(i item) bool {
	st.delivered++
	if i.record == nil {
		st.out.frame(frameOutput, i.output)
		return false
	}
	if i.shown != nil {
		if i.shown.at > st.told { // a reader takes what has the id of something before for that
			st.out.id(i.shown.at)
		}
		st.out.frame(i.shown.name, i.shown.data)
		st.told = max(st.told, i.shown.at)
	} else {
		st.out.record(i.record)
		st.told = max(st.told, i.record.Sequence)
	}
	st.server.metrics.delivered.Inc()
	return st.last != nil && st.last(i.record)
}

// missed waits a moment after an error that may pass, and answers one that does not.
func (st *stream) missed(ctx context.Context, err error) error {
	if ctx.Err() != nil || !errors.Is(err, sdk.ErrUnavailable) {
		return err
	}
	st.server.foundAway()
	if st.away.IsZero() {
		st.away = time.Now()
	}
	if time.Since(st.away) > st.server.times.patience {
		return err
	}
	again := time.NewTimer(st.server.times.again)
	defer again.Stop()
	select {
	case <-again.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heartbeat keeps the connection open for a caller that may go on, and tells how far the log was read, where that is further than the
// last event: who goes on after that one later may find that what was between, and not for him, is not kept any more.
func (st *stream) heartbeat(ctx context.Context) error {
	if err := st.may(ctx); err != nil {
		return err
	}
	if st.delivered == 0 && st.over != nil && st.over(ctx) {
		return errOver
	}
	st.delivered = 0
	st.out.comment("still here")
	if at := st.feed.at(); at > st.told {
		st.out.position(at)
		st.told = at
	}
	return st.out.flush()
}

// say tells the reader why the stream ends, where that can be told and is not plain.
func (st *stream) say(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errOver), errors.Is(err, errCut), errors.Is(err, context.Canceled):
		return
	case errors.Is(err, errDraining):
		st.resume("the server is stopping")
	case errors.Is(err, errSlow):
		st.server.metrics.cut.Inc()
		st.resume("the stream was read too slowly")
	case errors.Is(err, sdk.ErrUnavailable):
		st.resume("the event log can not be reached")
	default:
		p := st.server.problem(context.WithoutCancel(ctx), err)
		if data, err := json.Marshal(p.Problem); err == nil {
			st.out.frame(frameGone, data)
		}
	}
	_ = st.out.flush() // the reader finds out by itself that the stream has ended
}

// resumption is the data of a last event after which the caller can go on, where after is.
type resumption struct {
	After  string `json:"after" doc:"What to send as Last-Event-ID; the id of the event too."`
	Reason string `json:"reason"`
}

func (st *stream) resume(reason string) {
	at := st.feed.at()
	data, err := json.Marshal(resumption{After: sdk.FormatSequence(at), Reason: reason})
	if err != nil {
		return
	}
	st.out.id(at)
	st.out.frame(frameResume, data)
}

// admit takes a place for a caller's stream; a server that stops has none.
func (s *Server) admit(ctx context.Context) (leave func(), err *sdk.Error) {
	if s.draining.Err() != nil {
		return nil, sdk.Errorf(sdk.CodeUnavailable, "the server is stopping")
	}
	return s.streams.enter(callerOf(ctx))
}

// stillMay answers a look at whether the caller of a request may go on with it.
func (s *Server) stillMay(r *http.Request, scope keys.Scope) func(context.Context) *sdk.Error {
	return func(ctx context.Context) *sdk.Error {
		if s.keys == nil {
			return nil
		}
		secret, _ := bearer(r)
		key, attempt, err := s.findKey(secret)
		if err != nil {
			return err
		}
		if !key.May(scope) {
			return sdk.Errorf(sdk.CodeForbidden, "the API key lacks the scope %s now", scope)
		}
		if _, err := projectOf(key, []string{callerOf(ctx).project}); err != nil {
			return err
		}
		if attempt == nil {
			return nil
		}
		if err := s.checkRuns(ctx, attempt); err != nil && !errors.Is(err, sdk.ErrUnavailable) {
			return err
		}
		return nil
	}
}
