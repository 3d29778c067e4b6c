package apiserver

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

type listEventsInput struct {
	Types   string `query:"types" doc:"Types and patterns, separated by commas: task.completed,code.*; default every type."`
	Subject string `query:"subject" doc:"The events' own subject, as it was published."`
	After   string `query:"after" doc:"A sequence: only what comes after it. 0 is the very beginning of the log."`
	Cursor  string `query:"cursor" doc:"The same as after: nextCursor of the page before."`
	Since   string `query:"since" doc:"Taken by the log at this time or later; after goes before it."`
	Until   string `query:"until" doc:"Taken by the log at this time or earlier."`
	Limit   string `query:"limit" doc:"Events of a page; a page may have fewer."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listEventsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listEventsOutput struct {
	Body sdk.EventPage
}

func (s *Server) listEvents(ctx context.Context, in *listEventsInput) (*listEventsOutput, error) {
	q, faults := in.query.eventQuery()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	log, fault := s.eventLog()
	if fault != nil {
		return nil, s.problem(ctx, fault)
	}
	out := sdk.EventPage{Items: []sdk.Event{}}
	if s.checkOwner(ctx) != nil {
		return &listEventsOutput{Body: out}, nil
	}
	project := callerOf(ctx).project
	if len(q.Types) > 0 || q.Subject != "" { // much may be read that is left out
		leave, err := s.eventScans.enter(ctx, project)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		defer leave()
	}
	page, err := log.Read(ctx, project, q)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, r := range page.Records {
		e, err := r.Event()
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		out.Items = append(out.Items, e)
	}
	if page.More {
		out.NextCursor = sdk.FormatSequence(page.Next)
	}
	return &listEventsOutput{Body: out}, nil
}

// eventQuery reads the parameters of a page, and names everything that is wrong with them.
func (q query) eventQuery() (eventlog.Query, []sdk.Fault) {
	faults := append(q.faults("types", "subject", "after", "cursor", "since", "until", "limit"), q.emptyFaults()...)
	out := eventlog.Query{Limit: sdk.DefaultPage, Bytes: maxPageBytes}
	var more []sdk.Fault
	out.Filter, more = q.eventFilter()
	faults = append(faults, more...)
	out.From, more = q.position(eventlog.First(), "after", "cursor")
	faults = append(faults, more...)
	out.Until, more = q.time("until")
	faults = append(faults, more...)
	if limit := q.values.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > sdk.MaxPage {
			faults = append(faults, sdk.Fault{Path: "query.limit", Message: "must be a whole number from 1 to " + strconv.Itoa(sdk.MaxPage)})
		}
		out.Limit = n
	}
	sortFaults(faults)
	return out, faults
}
