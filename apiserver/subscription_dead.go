package apiserver

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type listDeadInput struct {
	Name   string `path:"name" doc:"The subscription's name."`
	Cursor string `query:"cursor" doc:"nextCursor of the page before."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listDeadInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listDeadOutput struct {
	Body sdk.DeadEventPage
}

// listDead answers the events that were given out as often as the subscription allows.
func (s *Server) listDead(ctx context.Context, in *listDeadInput) (*listDeadOutput, error) {
	if faults := append(subscriptionFaults(in.Name), in.query.faults("cursor")...); len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.ownedEvents(ctx); err != nil {
		return nil, s.problem(ctx, err)
	}
	project := callerOf(ctx).project
	var after uint64
	if in.query.values.Has("cursor") {
		var ok bool
		if after, ok = s.openDeadCursor(project, in.Name, in.query.values.Get("cursor")); !ok {
			return nil, s.problem(ctx, invalid([]sdk.Fault{{Path: "query.cursor", Message: "is not one that a page of this subscription's dead events answered"}}))
		}
	}
	list, next, err := s.cfg.Events.ListDead(ctx, project, in.Name, after)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listDeadOutput{Body: sdk.DeadEventPage{Items: []sdk.DeadEvent{}}}
	for _, d := range list {
		event, err := d.Record.Event()
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		out.Body.Items = append(out.Body.Items, sdk.DeadEvent{Event: event, Deliveries: d.Deliveries, At: d.At.UTC()})
	}
	if next > 0 {
		if out.Body.NextCursor, err = s.seals.Seal(purposeDead(project, in.Name), strconv.AppendUint(nil, next, 10)); err != nil {
			return nil, s.problem(ctx, err)
		}
	}
	return out, nil
}

// purposeDead keeps a cursor to its subscription. Sealed, it does not tell how many events of other projects are dead.
func purposeDead(project, name string) string { return "dead/" + project + "/" + name }

func (s *Server) openDeadCursor(project, name, cursor string) (after uint64, ok bool) {
	raw, err := s.seals.Open(purposeDead(project, name), cursor)
	if err != nil {
		return 0, false
	}
	after, err = strconv.ParseUint(string(raw), 10, 64)
	return after, err == nil
}
