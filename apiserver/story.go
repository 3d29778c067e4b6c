package apiserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

func terminalEvents() []sdk.EventType {
	return []sdk.EventType{sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled}
}

// lastEvents are those that a story can end with: the terminal ones, and what it may have after one.
func lastEvents() []sdk.EventType {
	return append(terminalEvents(), sdk.EventCodeGenerated, sdk.EventCodeReviewed, sdk.EventCodeTested, sdk.EventCodeDeployed)
}

// storyState is what the log has of a story for one who wants to read it.
type storyState int

const (
	storyMore storyState = iota // something, or something may come
	storyNone                   // nothing at all
	storyRead                   // nothing that was not read: it has ended
)

// leftOf reports whether the log has the last event of a story, which is of one of these types, after a position. One that the log does not
// have is refused.
func leftOf(ctx context.Context, log *eventlog.Log, project string, story eventlog.Story, last []sdk.EventType, after uint64) (storyState, error) {
	var types sdk.EventPatterns
	for _, t := range last {
		types = append(types, sdk.EventPattern(t))
	}
	page, err := log.Read(ctx, project, eventlog.Query{Filter: eventlog.Filter{Types: types, Story: &story}, From: eventlog.After(after), Limit: 1})
	if err == nil && len(page.Records) == 0 {
		return storyRead, nil
	}
	return storyMore, err
}

// beginningGone says that a story is not there from its beginning on any more.
func beginningGone(kind string, first uint64) *sdk.Error {
	e := sdk.Errorf(sdk.CodeHistoryExpired, "the log has no longer the beginning of the %s's story: its first event is %s; send the one before as Last-Event-ID", kind, sdk.FormatSequence(first))
	e.FirstSequence = first
	return e
}

// storyGone answers history_expired for what ended before what the log has: it had the story, as far as can be told.
func storyGone(ctx context.Context, log *eventlog.Log, project, kind string, ended *time.Time) error {
	oldest, first, err := log.Oldest(ctx, project)
	if err != nil || oldest.IsZero() || ended != nil && !ended.Before(oldest) {
		return err
	}
	gone := sdk.Errorf(sdk.CodeHistoryExpired, "the log has no longer any of the %s's story: its first event is %s; read the %s itself", kind, sdk.FormatSequence(first), kind)
	gone.FirstSequence = first
	return gone
}

// lifetime is when a task, a session or a plan was created, and whether and when it has ended.
type lifetime struct {
	began time.Time
	over  bool
	ended *time.Time // nil where that is not known
}

func lifeOf(t sdk.Task) lifetime {
	return lifetime{began: t.CreatedAt, over: t.Status.Terminal(), ended: t.CompletedAt}
}

// silent reports whether something has ended so long ago that nothing is told of it any more, unless the log was away.
func (s *Server) silent(life lifetime) bool {
	return life.over && (life.ended == nil || time.Since(*life.ended) > s.times.patience)
}

// allTold reports whether nothing more will be told of a task although the log has not its end.
func (s *Server) allTold(ctx context.Context, log *eventlog.Log, project string, t sdk.Task) bool {
	return s.storyTold(ctx, log, project, eventlog.Story{Kind: eventlog.KindTask, ID: t.ID}, lifeOf(t), lastEvents())
}

// storyTold reports whether nothing more will be told of something although the log has not the end of its story, which is of one of these
// types. What has ended while the log was away tells its end when the log is back, after a rest of up to a minute: so its stream ends where
// both are long ago.
func (s *Server) storyTold(ctx context.Context, log *eventlog.Log, project string, story eventlog.Story, life lifetime, last []sdk.EventType) bool {
	if !life.over {
		return false
	}
	end, err := log.Terminal(ctx, project, story, last...)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, sdk.ErrUnavailable) {
			s.foundAway() // asked of everything that has ended, as long as its stream is open: so none is missed that lasts
		}
		return false
	}
	return end == nil && s.silent(life) && s.steady(log)
}

// foundAway remembers that the event log is away.
func (s *Server) foundAway() {
	now := time.Now()
	s.eventsAway.Store(&now)
}

// steady reports whether the log has been there for so long that what waited for it has come, as far as this server knows.
func (s *Server) steady(log *eventlog.Log) bool {
	since := log.Connected()
	if away := s.eventsAway.Load(); away != nil && away.After(since) {
		since = *away
	}
	return !since.IsZero() && time.Since(since) > s.times.patience
}

// allRead answers who has read a story to its end: there is no content.
func allRead() *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) { humagin.Unwrap(c).Status(http.StatusNoContent) }}
}

// silence is the stream of a story of which the log has nothing, and never will: it says why, and ends.
func (s *Server) silence(why string) *huma.StreamResponse {
	return s.respond(func(out *sse, _ *http.Request) {
		out.comment(why)
		_ = out.flush() // nothing follows in any case
		out.end()
	})
}
