package apiserver

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// clockMargin is how far apart the clock by which a run was created and that of the log may be.
const clockMargin = time.Minute

// streamedRun is a session or a plan as its stream goes by it: a run of its own with tasks below it, whose events are told together.
type streamedRun struct {
	streamedStory // its own

	filter  eventlog.Filter   // what is told
	marking sdk.EventPatterns // the types of which the voice marks a task
	again   bool              // whether a task can be marked once more after its story is over
	voice   voice
	glance  func(context.Context) (lifetime, error)
}

func (o streamedRun) newStories() *openStories { return newOpenStories(o.again) }

// runStream is what is asked of the stream of a session or a plan.
type runStream struct {
	of      streamedRun
	life    lifetime
	last    uint64 // the position to go on after, where resumed
	resumed bool
	now     bool   // begin with the next event
	first   uint64 // where the story begins; 0 where it is not there yet, or not asked for
}

// streamRun answers the stream of a run that was glanced at: from its first event, the one after the last that was read, or the next one, to
// its end.
func (s *Server) streamRun(ctx context.Context, want runStream) (*huma.StreamResponse, error) {
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
	ended, err := s.endedStream(ctx, log, want.of.streamedStory, want.life, told)
	switch {
	case err != nil:
		return nil, s.problem(ctx, err)
	case ended != nil:
		return ended, nil
	}
	return s.followRun(ctx, log, want)
}

// told looks at the log. Where the beginning of the run's story is wanted and gone it answers history_expired.
func (w *runStream) told(ctx context.Context, log *eventlog.Log) (storyState, error) {
	if !w.resumed && !w.now {
		page, err := log.Read(ctx, w.of.project, eventlog.Query{Filter: eventlog.Filter{Story: &w.of.story}, Limit: 1})
		if err != nil || len(page.Records) == 0 {
			return storyNone, err
		}
		first := page.Records[0]
		if first.Number() > 1 {
			return storyMore, beginningGone(w.of.kind, first.Sequence)
		}
		w.first = first.Sequence
		return storyMore, nil
	}
	end, err := log.Terminal(ctx, w.of.project, w.of.story, w.of.last...)
	switch {
	case err != nil:
		return storyMore, err
	case end != nil && w.now:
		return storyRead, nil
	case end == nil && w.now:
		return storyMore, nil
	case end == nil: // a position that the log does not have is refused here
		_, err = log.Read(ctx, w.of.project, eventlog.Query{From: eventlog.After(w.last), Limit: 1, UpTo: max(w.last, 1)})
		return storyMore, err
	}
	return leftOf(ctx, log, w.of.streamedStory, w.last)
}

// from is where the stream begins. Without a position it is when the run was created, and not its first event alone: while the log is away
// an event of a task can come into it before that.
func (w runStream) from() eventlog.Position {
	if w.resumed {
		return eventlog.After(w.last)
	}
	return w.began()
}

// began is a position before everything of the run.
func (w runStream) began() eventlog.Position {
	began := w.life.began
	if now := time.Now(); began.After(now) { // by a clock that is ahead
		began = now
	}
	return eventlog.Since(began.Add(-clockMargin))
}

// followRun takes a place for the stream. Its first page is read as all others are, once the stream is open: however many are opened at
// once, none of them is refused because others look through the log.
func (s *Server) followRun(ctx context.Context, log *eventlog.Log, want runStream) (*huma.StreamResponse, error) {
	leave, fault := s.admit(ctx)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	feed := &runFeed{
		server: s, log: log, of: want.of, stories: want.of.newStories(), from: want.from(), first: want.first, reached: want.last,
	}
	if want.resumed || want.now {
		feed.origin = new(want.began())
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
		out.comment("the " + want.of.kind + "'s events follow")
		st := &stream{server: s, out: out, feed: feed, may: s.stillMay(r, keys.ScopeRead), told: want.last}
		st.last = want.of.isEnd
		st.over = func(ctx context.Context) bool {
			if feed.follower == nil { // it was not its turn yet to be read
				return false
			}
			var err error
			want.life, err = want.of.glance(ctx)
			return err == nil && s.storyTold(ctx, log, want.of.streamedStory, want.life)
		}
		if want.now {
			st.told = feed.at()
			out.position(st.told) // so that one who loses the connection before the first event misses none
		}
		st.run(r.Context())
	}), nil
}
