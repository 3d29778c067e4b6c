package apiserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// clockMargin is how far apart the clock by which a session was opened and that of the log may be.
const clockMargin = time.Minute

type streamSessionEventsInput struct {
	ID          string `path:"id" doc:"The session's id."`
	After       string `query:"after" doc:"now begins with the next event. Default: with the session's first."`
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was read, to go on after it. It goes before after."`

	query query
	last  []string
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *streamSessionEventsInput) Resolve(ctx huma.Context) []error {
	in.query, in.last = queryOf(ctx.URL()), humagin.Unwrap(ctx).Request.Header.Values(headerLastEventID)
	return nil
}

// sessionStream is what is asked of a session's stream.
type sessionStream struct {
	project string
	session sdk.Session
	last    uint64 // the position to go on after, where resumed
	resumed bool
	now     bool   // begin with the next event
	first   uint64 // where the story begins; 0 where it is not there yet, or not asked for
}

func (w sessionStream) story() eventlog.Story {
	return eventlog.Story{Kind: eventlog.KindSession, ID: w.session.ID}
}

func (in *streamSessionEventsInput) read() (want sessionStream, faults []sdk.Fault) {
	faults = append(idFaults(in.ID), in.query.faults("after")...)
	if after := in.query.values["after"]; len(after) > 0 {
		if want.now = after[0] == "now"; !want.now {
			faults = append(faults, sdk.Fault{Path: "query.after", Message: "must be now: to go on after an event send its id as Last-Event-ID"})
		}
	}
	last, given, more := lastEventID(in.last)
	want.last, want.resumed = last, given
	if given {
		want.now = false
	}
	return want, append(faults, more...)
}

// streamSessionEvents follows a session to its close: from its first event, the one after the last that was read, or the next one.
func (s *Server) streamSessionEvents(ctx context.Context, in *streamSessionEventsInput) (*huma.StreamResponse, error) {
	want, faults := in.read()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	want.project = callerOf(ctx).project
	err := s.ownedSessions(ctx)
	if err == nil {
		want.session, err = s.cfg.Sessions.GlanceAtSession(ctx, want.project, in.ID)
	}
	if err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	log, fault := s.eventLog()
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if isHead(ctx) {
		return s.streamHead(), nil
	}
	told, err := want.told(ctx, log)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	switch {
	case told == storyRead:
		return allRead(), nil
	case told == storyNone && s.silentSession(want.session):
		if err := want.gone(ctx, log); err != nil {
			return nil, s.problem(ctx, err)
		}
		if !s.allOfSessionTold(ctx, log, want.project, want.session) {
			break
		}
		return s.silence("the session has closed, and the log has none of its events"), nil
	}
	return s.followSession(ctx, log, want)
}

// told looks at the log. Where the beginning of the session's story is wanted and gone it answers history_expired.
func (w *sessionStream) told(ctx context.Context, log *eventlog.Log) (storyState, error) {
	story := w.story()
	if !w.resumed && !w.now {
		page, err := log.Read(ctx, w.project, eventlog.Query{Filter: eventlog.Filter{Story: &story}, Limit: 1})
		if err != nil || len(page.Records) == 0 {
			return storyNone, err
		}
		if first := page.Records[0]; first.Number() > 1 {
			e := sdk.Errorf(sdk.CodeHistoryExpired, "the log has no longer the beginning of the session's story: its first event is %s; send the one before as Last-Event-ID", sdk.FormatSequence(first.Sequence))
			e.FirstSequence = first.Sequence
			return storyMore, e
		}
		w.first = page.Records[0].Sequence
		return storyMore, nil
	}
	end, err := log.Terminal(ctx, w.project, story, sdk.EventSessionClosed)
	switch {
	case err != nil:
		return storyMore, err
	case end != nil && w.now:
		return storyRead, nil
	case end == nil && w.now:
		return storyMore, nil
	case end == nil: // a position that the log does not have is refused here
		_, err = log.Read(ctx, w.project, eventlog.Query{From: eventlog.After(w.last), Limit: 1, UpTo: max(w.last, 1)})
		return storyMore, err
	}
	page, err := log.Read(ctx, w.project, eventlog.Query{ // likewise
		Filter: eventlog.Filter{Types: sdk.EventPatterns{sdk.EventPattern(sdk.EventSessionClosed)}, Story: &story}, From: eventlog.After(w.last), Limit: 1,
	})
	if err == nil && len(page.Records) == 0 {
		return storyRead, nil
	}
	return storyMore, err
}

// gone answers history_expired for a session that closed before what the log has: it had the story, as far as can be told.
func (w sessionStream) gone(ctx context.Context, log *eventlog.Log) error {
	oldest, first, err := log.Oldest(ctx, w.project)
	if err != nil || oldest.IsZero() || w.session.ClosedAt != nil && !w.session.ClosedAt.Before(oldest) {
		return err
	}
	gone := sdk.Errorf(sdk.CodeHistoryExpired, "the log has no longer any of the session's story: its first event is %s; read the session itself", sdk.FormatSequence(first))
	gone.FirstSequence = first
	return gone
}

// from is where the stream begins. Without a position it is when the session was opened, and not its first event alone: while the log is away
// an event of a task can come into it before that.
func (w sessionStream) from() eventlog.Position {
	if w.resumed {
		return eventlog.After(w.last)
	}
	return w.opened()
}

// opened is a position before everything of the session.
func (w sessionStream) opened() eventlog.Position {
	opened := w.session.CreatedAt
	if now := time.Now(); opened.After(now) { // by a clock that is ahead
		opened = now
	}
	return eventlog.Since(opened.Add(-clockMargin))
}

// followSession takes a place for the stream. Its first page is read as all others are, once the stream is open: however many are opened at
// once, none of them is refused because others look through the log.
func (s *Server) followSession(ctx context.Context, log *eventlog.Log, want sessionStream) (*huma.StreamResponse, error) {
	leave, fault := s.admit(ctx)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	feed := &sessionFeed{
		server: s, log: log, project: want.project, session: want.session.ID, tasks: map[string]toldTask{}, open: map[string]bool{},
		from: want.from(), first: want.first, reached: want.last,
	}
	if want.resumed || want.now {
		feed.origin = new(want.opened())
	}
	if want.now {
		if err := feed.follow(ctx, eventlog.Now()); err != nil {
			leave()
			return nil, s.problem(ctx, err)
		}
	}
	return s.respond(func(out *sse, r *http.Request) {
		defer leave()
		defer feed.close()
		out.comment("the session's events follow")
		st := &stream{server: s, out: out, feed: feed, may: s.stillMay(r, keys.ScopeRead), told: want.last}
		st.last = func(r *eventlog.Record) bool { return r.Type == sdk.EventSessionClosed }
		st.over = func(ctx context.Context) bool {
			if feed.follower == nil { // it was not its turn yet to be read
				return false
			}
			session, err := s.cfg.Sessions.GlanceAtSession(ctx, want.project, want.session.ID)
			return err == nil && s.allOfSessionTold(ctx, log, want.project, session)
		}
		if want.now {
			st.told = feed.at()
			out.position(st.told) // so that one who loses the connection before the first event misses none
		}
		st.run(r.Context())
	}), nil
}

// silentSession reports whether a session has closed so long ago that nothing is told of it any more, unless the log was away.
func (s *Server) silentSession(session sdk.Session) bool {
	return session.Status == sdk.SessionClosed && (session.ClosedAt == nil || time.Since(*session.ClosedAt) > s.times.patience)
}

// allOfSessionTold reports whether nothing more will be told of a session although the log has not its close, as [Server.allTold] does of a task.
func (s *Server) allOfSessionTold(ctx context.Context, log *eventlog.Log, project string, session sdk.Session) bool {
	if session.Status != sdk.SessionClosed {
		return false
	}
	end, err := log.Terminal(ctx, project, eventlog.Story{Kind: eventlog.KindSession, ID: session.ID}, sdk.EventSessionClosed)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, sdk.ErrUnavailable) {
			s.foundAway()
		}
		return false
	}
	return end == nil && s.silentSession(session) && s.steady(log)
}
