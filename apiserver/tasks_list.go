package apiserver

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolecall-dev/rolecall/sdk"
)

type listTasksInput struct {
	Role      string `query:"role" doc:"Who has it now; a fallback may have moved it."`
	Type      string `query:"type" doc:"What is to be done, such as code.write."`
	Status    string `query:"status" doc:"open is every status that is not terminal."`
	Priority  string `query:"priority"`
	AgentID   string `query:"agentId" doc:"Who has it, had it last, or is addressed by it."`
	ParentID  string `query:"parentId"`
	SessionID string `query:"sessionId"`
	PlanID    string `query:"planId"`
	Since     string `query:"since" doc:"Created at this time or later."`
	Limit     string `query:"limit" doc:"Tasks of a page; a page of large ones may have fewer."`
	Cursor    string `query:"cursor" doc:"nextCursor of the page before, with the same other parameters; limit may change."`

	query query
}

// Resolve takes the whole query, so that unknown parameters are refused.
func (in *listTasksInput) Resolve(ctx huma.Context) []error {
	in.query = queryOf(ctx.URL())
	return nil
}

type listTasksOutput struct {
	Body sdk.TaskPage
}

func (s *Server) listTasks(ctx context.Context, in *listTasksInput) (*listTasksOutput, error) {
	filter, faults := in.query.taskFilter()
	if len(faults) > 0 {
		return nil, s.problem(ctx, invalid(faults))
	}
	if s.checkOwner(ctx) != nil {
		return &listTasksOutput{Body: sdk.TaskPage{Items: []sdk.TaskSummary{}}}, nil
	}
	page, err := s.tasks.ListTasks(ctx, callerOf(ctx).project, filter, in.query.values.Get("cursor"))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for i := range page.Items {
		s.link(&page.Items[i].Links, page.Items[i].ID)
	}
	return &listTasksOutput{Body: page}, nil
}

// taskFilter reads the parameters of a list, and names everything that is wrong with them. One that is there and empty is wrong:
// it may be a variable that was not set.
func (q query) taskFilter() (sdk.TaskFilter, []sdk.Fault) {
	faults := q.faults("role", "type", "status", "priority", "agentId", "parentId", "sessionId", "planId", "since", "limit", "cursor")
	for name, values := range q.values {
		if len(values) == 1 && values[0] == "" {
			faults = append(faults, sdk.Fault{Path: "query." + sdk.Cut(name, sdk.MaxMetadataKey), Message: "is empty: give it a value or leave it out"})
		}
	}
	get := q.values.Get
	f := sdk.TaskFilter{
		Role: sdk.Role(get("role")), Type: sdk.TaskType(get("type")), Status: sdk.Status(get("status")), Priority: sdk.Priority(get("priority")),
		AgentID: get("agentId"), ParentID: get("parentId"), SessionID: get("sessionId"), PlanID: get("planId"),
	}
	if since := get("since"); since != "" {
		t, err := time.Parse(time.RFC3339, since)
		if err != nil {
			faults = append(faults, sdk.Fault{Path: "query.since", Message: "must be a time such as 2026-01-02T15:04:05Z; a + is sent as %2B"})
		}
		f.Since = t
	}
	f.Limit = q.limit()
	if e, ok := errors.AsType[*sdk.Error](f.Validate()); ok {
		faults = append(faults, e.Faults...)
	}
	sortFaults(faults)
	return f, faults
}

// describeFilter says of the parameters of a list what their handler checks.
func describeFilter(params []*huma.Param) {
	low, high := 1.0, float64(sdk.MaxPage)
	for name, schema := range map[string]*huma.Schema{
		"limit": {Type: huma.TypeInteger, Minimum: &low, Maximum: &high, Default: sdk.DefaultPage},
		"since": {Type: huma.TypeString, Format: "date-time"},
		"status": {Type: huma.TypeString, Enum: []any{
			sdk.StatusOpen, sdk.StatusQueued, sdk.StatusRunning, sdk.StatusInputRequired, sdk.StatusCompleted, sdk.StatusFailed, sdk.StatusCancelled,
		}},
		"priority": {Type: huma.TypeString, Enum: []any{sdk.PriorityLow, sdk.PriorityMedium, "normal", sdk.PriorityHigh, sdk.PriorityCritical, "urgent"}},
	} {
		for _, p := range params {
			if p.Name == name {
				p.Schema = schema
			}
		}
	}
}
