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

type streamEventsInput struct {
	Types       string `query:"types" doc:"Types and patterns, separated by commas: task.completed,code.*; default every type."`
	Subject     string `query:"subject" doc:"The events' own subject, as it was published."`
	After       string `query:"after" doc:"A sequence: begin after it. 0 is the very beginning of the log. Default now."`
	Since       string `query:"since" doc:"Begin with what the log took at this time; after goes before it."`
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was read, to go on after it. It goes before after and since."`

	query query
	last  []string
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *streamEventsInput) Resolve(ctx huma.Context) []error {
	in.query, in.last = queryOf(ctx.URL()), humagin.Unwrap(ctx).Request.Header.Values(headerLastEventID)
	return nil
}

// position reads the parameters of a stream, and names everything that is wrong with them. now says that it begins with the next event.
func (in *streamEventsInput) position() (filter eventlog.Filter, from eventlog.Position, now bool, faults []sdk.Fault) {
	faults = append(in.query.faults("types", "subject", "after", "since"), in.query.emptyFaults()...)
	filter, more := in.query.eventFilter()
	faults = append(faults, more...)
	from, more = in.query.position(eventlog.Now(), "after")
	faults = append(faults, more...)
	now = !in.query.values.Has("after") && !in.query.values.Has("since")
	last, given, more := lastEventID(in.last)
	faults = append(faults, more...)
	if given {
		from, now = eventlog.After(last), false
	}
	sortFaults(faults)
	return filter, from, now, faults
}

// streamEvents follows the project's log.
func (s *Server) streamEvents(ctx context.Context, in *streamEventsInput) (*huma.StreamResponse, error) {
	filter, from, now, faults := in.position()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	log, fault := s.eventLog()
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if fault := s.checkReach(ctx); fault != nil {
		return nil, s.problem(ctx, fault)
	}
	if isHead(ctx) {
		return s.streamHead(), nil
	}
	leave, fault := s.admit(ctx)
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	follower, err := log.Follow(ctx, callerOf(ctx).project, filter, from)
	if err != nil {
		leave()
		return nil, s.problem(ctx, err)
	}
	return s.respond(func(out *sse, r *http.Request) {
		defer leave()
		defer follower.Close()
		out.comment("events follow")
		st := &stream{server: s, out: out, feed: eventFeed{follower}, may: s.stillMay(r, keys.ScopeRead)}
		if now {
			st.told = follower.At()
			out.position(st.told) // so that one who loses the connection before the first event misses none
		}
		st.run(r.Context())
	}), nil
}

// respond begins a stream and lets run write it.
func (s *Server) respond(run func(*sse, *http.Request)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		c := humagin.Unwrap(ctx)
		out := newSSE(c.Writer, s.times)
		out.begin()
		run(out, c.Request)
	}}
}

// streamHead answers what a stream's headers are.
func (s *Server) streamHead() *huma.StreamResponse { return s.respond(func(*sse, *http.Request) {}) }
