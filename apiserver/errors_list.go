package apiserver

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

const defaultErrorsSince = 24 * time.Hour

type listErrorsInput struct {
	Since string `query:"since" doc:"Failures that the log took at this time or later. Default 24 hours ago."`
	Limit string `query:"limit" doc:"Groups to answer."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listErrorsInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listErrorsOutput struct {
	Body sdk.ErrorGroups
}

// listErrors answers a project's failures of attempts by fingerprint, the most frequent first.
func (s *Server) listErrors(ctx context.Context, in *listErrorsInput) (*listErrorsOutput, error) {
	since, limit, faults := in.query.errorsFilter(time.Now())
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if err := s.needEvents(); err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listErrorsOutput{Body: sdk.ErrorGroups{Items: []sdk.ErrorGroup{}}}
	if s.checkOwner(ctx) != nil {
		return out, nil
	}
	project := callerOf(ctx).project
	leave, err := s.errorScans.enter(ctx, project)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	defer leave()
	groups := newErrorGroups(s.errorPart)
	if out.Body.Truncated, err = groups.read(ctx, s.cfg.Events, project, since); err != nil {
		return nil, s.problem(ctx, err)
	}
	out.Body.Items = groups.most(limit)
	return out, nil
}

// errorsFilter reads the parameters, and names everything that is wrong with them.
func (q query) errorsFilter(now time.Time) (since time.Time, limit int, faults []sdk.Fault) {
	since, limit, faults = now.Add(-defaultErrorsSince), sdk.DefaultPage, q.faults("since", "limit")
	if q.values.Has("since") {
		t, more := q.time("since")
		if t.IsZero() && len(more) == 0 {
			more = []sdk.Fault{{Path: "query.since", Message: "is empty: give it a value or leave it out"}}
		}
		since, faults = t, append(faults, more...)
	}
	if q.values.Has("limit") {
		n, err := strconv.Atoi(q.values.Get("limit"))
		if err != nil || n < 1 || n > sdk.MaxPage {
			faults = append(faults, sdk.Fault{Path: "query.limit", Message: "must be a whole number from 1 to " + strconv.Itoa(sdk.MaxPage)})
		}
		limit = n
	}
	sortFaults(faults)
	return since, limit, faults
}
