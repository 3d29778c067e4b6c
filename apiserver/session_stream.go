package apiserver

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

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

func (in *streamSessionEventsInput) read() (want runStream, faults []sdk.Fault) {
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
	want.of = s.streamedSession(callerOf(ctx).project, in.ID)
	err := s.ownedSessions(ctx)
	if err == nil {
		want.life, err = want.of.glance(ctx)
	}
	if err != nil {
		return nil, s.sessionProblem(ctx, err)
	}
	return s.streamRun(ctx, want)
}

// streamedSession is a session as its stream goes by it.
func (s *Server) streamedSession(project, id string) streamedRun {
	marking := sdk.EventPatterns{sdk.EventPattern(sdk.EventTaskCreated)}
	for _, t := range terminalEvents() {
		marking = append(marking, sdk.EventPattern(t))
	}
	ends := []sdk.EventType{sdk.EventSessionClosed}
	return streamedRun{
		streamedStory: streamedStory{
			project: project, story: eventlog.Story{Kind: eventlog.KindSession, ID: id}, kind: "session", over: "has closed",
			end: ends, last: ends,
		},
		filter: eventlog.Filter{Types: sessionSources(), Session: id}, marking: marking,
		voice: &sessionVoice{server: s, log: s.cfg.Events, project: project, session: id, tasks: map[string]toldTask{}},
		glance: func(ctx context.Context) (lifetime, error) {
			session, err := s.cfg.Sessions.GlanceAtSession(ctx, project, id)
			return lifetime{began: session.CreatedAt, over: session.Status == sdk.SessionClosed, ended: session.ClosedAt}, err
		},
	}
}
