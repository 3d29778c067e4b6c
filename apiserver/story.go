package apiserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
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

// streamedStory is a story of the log as its stream goes by it.
type streamedStory struct {
	project string
	story   eventlog.Story
	kind    string          // for people: task, session or plan
	over    string          // likewise, of one that is: has ended, or has closed
	end     []sdk.EventType // one of which its stream ends with
	last    []sdk.EventType // one of which the log's last of it is then
}

// isEnd reports whether the stream ends with a record.
func (o streamedStory) isEnd(r *eventlog.Record) bool { return slices.Contains(o.end, r.Type) }

func streamedTask(project, id string) streamedStory {
	return streamedStory{
		project: project, story: eventlog.Story{Kind: eventlog.KindTask, ID: id}, kind: "task", over: "has ended",
		end: terminalEvents(), last: lastEvents(),
	}
}

// storyState is what the log has of a story for one who wants to read it.
type storyState int

const (
	storyMore storyState = iota // something, or something may come
	storyNone                   // nothing at all
	storyRead                   // nothing that was not read: it has ended
)

// leftOf reports whether the log has the end of a story after a position. One that the log does not have is refused.
func leftOf(ctx context.Context, log *eventlog.Log, of streamedStory, after uint64) (storyState, error) {
	var types sdk.EventPatterns
	for _, t := range of.end {
		types = append(types, sdk.EventPattern(t))
	}
	page, err := log.Read(ctx, of.project, eventlog.Query{Filter: eventlog.Filter{Types: types, Story: &of.story}, From: eventlog.After(after), Limit: 1})
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
func storyGone(ctx context.Context, log *eventlog.Log, of streamedStory, ended *time.Time) error {
	oldest, first, err := log.Oldest(ctx, of.project)
	if err != nil || oldest.IsZero() || ended != nil && !ended.Before(oldest) {
		return err
	}
	gone := sdk.Errorf(sdk.CodeHistoryExpired, "the log has no longer any of the %s's story: its first event is %s; read the %s itself", of.kind, sdk.FormatSequence(first), of.kind)
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

// storyTold reports whether nothing more will be told of a story although the log has not its end. What has ended while the log was away
// tells its end when the log is back, after a rest of up to a minute: so its stream ends where both are long ago.
func (s *Server) storyTold(ctx context.Context, log *eventlog.Log, of streamedStory, life lifetime) bool {
	if !life.over {
		return false
	}
	end, err := log.Terminal(ctx, of.project, of.story, of.last...)
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

// endedStream is the stream of a story that is known to have nothing more for its reader, by what the log has of it; nil where it is to be
// followed.
func (s *Server) endedStream(ctx context.Context, log *eventlog.Log, of streamedStory, life lifetime, has storyState) (*huma.StreamResponse, error) {
	switch {
	case has == storyRead:
		return allRead(), nil
	case has == storyNone && s.silent(life):
		if err := storyGone(ctx, log, of, life.ended); err != nil {
			return nil, err
		}
		if s.storyTold(ctx, log, of, life) {
			return s.silence("the " + of.kind + " " + of.over + ", and the log has none of its events"), nil
		}
	}
	return nil, nil
}

// silence is the stream of a story of which the log has nothing, and never will: it says why, and ends.
func (s *Server) silence(why string) *huma.StreamResponse {
	return s.respond(func(out *sse, _ *http.Request) {
		out.comment(why)
		_ = out.flush() // nothing follows in any case
		out.end()
	})
}
