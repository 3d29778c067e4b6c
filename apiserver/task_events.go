package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

type streamTaskEventsInput struct {
	ID          string `path:"id" doc:"The task's id."`
	Output      string `query:"output" enum:"0,1" doc:"1 mixes in the agent's live output, as events named output without an id."`
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was read, to go on after it."`

	query query
	last  []string
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *streamTaskEventsInput) Resolve(ctx huma.Context) []error {
	in.query, in.last = queryOf(ctx.URL()), humagin.Unwrap(ctx).Request.Header.Values(headerLastEventID)
	return nil
}

// taskStream is what is asked of a task's stream.
type taskStream struct {
	of      streamedStory
	last    uint64 // the event to go on after, where resumed
	resumed bool
	output  bool
}

func (in *streamTaskEventsInput) read() (want taskStream, faults []sdk.Fault) {
	faults = append(idFaults(in.ID), in.query.faults("output")...)
	want.output = in.query.values.Get("output") == "1"
	if in.query.values.Has("output") && !want.output && in.query.values.Get("output") != "0" {
		faults = append(faults, sdk.Fault{Path: "query.output", Message: "must be 0 or 1"})
	}
	last, given, more := lastEventID(in.last)
	want.last, want.resumed = last, given
	return want, append(faults, more...)
}

// streamTaskEvents follows a task from its first event, or the one after the last that was read, to its terminal one.
func (s *Server) streamTaskEvents(ctx context.Context, in *streamTaskEventsInput) (*huma.StreamResponse, error) {
	want, faults := in.read()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	want.of = streamedTask(callerOf(ctx).project, in.ID)
	if err := s.checkOwner(ctx); err != nil {
		return nil, s.taskProblem(ctx, err)
	}
	task, err := s.tasks.GetTask(ctx, want.of.project, want.of.story.ID)
	if err != nil {
		return nil, s.taskProblem(ctx, err)
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
	ended, err := s.endedStream(ctx, log, want.of, lifeOf(task), told)
	switch {
	case err != nil:
		return nil, s.problem(ctx, err)
	case ended != nil:
		return ended, nil
	}
	return s.followTask(ctx, log, want)
}

// told looks at the log. Where the story's beginning is wanted and gone it answers history_expired.
func (w taskStream) told(ctx context.Context, log *eventlog.Log) (storyState, error) {
	if !w.resumed {
		page, err := log.Read(ctx, w.of.project, eventlog.Query{Filter: eventlog.Filter{Story: &w.of.story}, Limit: 1})
		if err != nil || len(page.Records) == 0 {
			return storyNone, err
		}
		if first := page.Records[0]; first.Number() > 1 {
			return storyMore, beginningGone(w.of.kind, first.Sequence)
		}
		return storyMore, nil
	}
	end, err := log.Terminal(ctx, w.of.project, w.of.story, w.of.last...)
	if err != nil || end == nil {
		return storyMore, err
	}
	return leftOf(ctx, log, w.of, w.last)
}

func (s *Server) followTask(ctx context.Context, log *eventlog.Log, want taskStream) (*huma.StreamResponse, error) {
	leave, fault := s.admit(ctx)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	from := eventlog.First()
	if want.resumed {
		from = eventlog.After(want.last)
	}
	var output *eventlog.Output
	var err error
	if want.output {
		if output, err = log.FollowOutput(want.of.project, want.of.story.ID); err != nil {
			leave()
			return nil, s.problem(ctx, err)
		}
	}
	follower, err := log.Follow(ctx, want.of.project, eventlog.Filter{Story: &want.of.story}, from)
	if err != nil {
		if output != nil {
			output.Close()
		}
		leave()
		return nil, s.problem(ctx, err)
	}
	return s.respond(func(out *sse, r *http.Request) {
		defer leave()
		defer follower.Close()
		out.comment("the task's events follow")
		st := &stream{server: s, out: out, feed: eventFeed{follower}, may: s.stillMay(r, keys.ScopeRead)}
		st.last = want.of.isEnd
		st.over = func(ctx context.Context) bool {
			task, err := s.tasks.GetTask(ctx, want.of.project, want.of.story.ID)
			return err == nil && s.storyTold(ctx, log, want.of, lifeOf(task))
		}
		if output == nil {
			st.run(r.Context())
			return
		}
		defer output.Close()
		reading, stop := context.WithCancel(r.Context())
		feed, done := newMixedFeed(reading, follower, output.C(), s.times.heartbeat)
		defer func() { stop(); <-done }()
		st.feed = feed
		st.run(r.Context())
	}), nil
}

// link leads to a task's stream, on a server that has one.
func (s *Server) link(to *sdk.Links, id string) {
	if s.cfg.Events != nil {
		to.Events = "/v1/tasks/" + id + "/events"
	}
}

// linked is a task with the link to its stream.
func (s *Server) linked(t sdk.Task) sdk.Task {
	s.link(&t.Links, t.ID)
	return t
}
