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

// silent reports whether a task has ended so long ago that nothing is told of it any more, unless the log was away.
func (s *Server) silent(t sdk.Task) bool {
	return t.Status.Terminal() && (t.CompletedAt == nil || time.Since(*t.CompletedAt) > s.times.patience)
}

// allTold reports whether nothing more will be told of a task although the log has not its end. A task that has ended while the log was
// away tells its end when the log is back, after a rest of up to a minute: so its stream ends where both are long ago.
func (s *Server) allTold(ctx context.Context, log *eventlog.Log, project string, t sdk.Task) bool {
	if !t.Status.Terminal() {
		return false
	}
	end, err := log.Terminal(ctx, project, eventlog.Story{Kind: eventlog.KindTask, ID: t.ID}, lastEvents()...)
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, sdk.ErrUnavailable) {
			s.foundAway() // asked of every task that has ended, as long as its stream is open: so none is missed that lasts
		}
		return false
	}
	return end == nil && s.silent(t) && s.steady(log)
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
