package sdktest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
)

// place is where a run stands in a list: open ones first, those created last before others; then the ended ones, those that ended
// last before others.
type place struct {
	Ended  bool `json:"ended"`
	Number int  `json:"number"`
}

func (r *run) place() place {
	if r.ended > 0 {
		return place{true, r.ended}
	}
	return place{false, r.number}
}

func (p place) compare(q place) int {
	if p.Ended != q.Ended {
		if p.Ended {
			return 1
		}
		return -1
	}
	return cmp.Compare(q.Number, p.Number)
}

// ListTasks implements [apiserver.Tasks].
func (e *engine) ListTasks(_ context.Context, project string, filter sdk.TaskFilter, cursor string) (sdk.TaskPage, error) {
	page := sdk.TaskPage{Items: []sdk.TaskSummary{}}
	query := kept.ListQuery(project, filter)
	token, err := kept.ParseCursor(query, cursor)
	if err != nil {
		return page, err
	}
	var last place
	if token != nil {
		if err := json.Unmarshal(token, &last); err != nil {
			return page, sdk.Errorf(sdk.CodeInternal, "a cursor of ours can not be read: %v", err)
		}
	}
	limit := filter.Limit
	if limit == 0 {
		limit = sdk.DefaultPage
	}
	e.mu.Lock()
	defer e.seen()
	chosen := e.chosen(project, filter, token != nil, last)
	for _, r := range chosen[:min(limit, len(chosen))] {
		page.Items = append(page.Items, summary(r.listed()))
	}
	if len(chosen) > limit {
		if token, err = json.Marshal(chosen[limit-1].place()); err != nil {
			return page, sdk.Errorf(sdk.CodeInternal, "a cursor can not be written: %v", err)
		}
		page.NextCursor = kept.NewCursor(query, token)
	}
	return page, nil
}

// chosen are the runs that a filter chooses, in the order of a list; with after only those that come after a place.
func (e *engine) chosen(project string, filter sdk.TaskFilter, after bool, last place) []*run {
	var list []*run
	for _, r := range e.runs {
		if r.in.Project == project && (!after || r.place().compare(last) > 0) && matches(filter, r.listed()) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *run) int { return a.place().compare(b.place()) })
	return list
}

// listed is the task as lists know it: with who has it now.
func (r *run) listed() sdk.Task {
	t, now := r.task(), r.course.Record()
	t.Role, t.AgentID, t.Degraded = now.Role, now.AgentID, now.Degraded
	return t
}

func matches(f sdk.TaskFilter, t sdk.Task) bool {
	priority, _ := f.Priority.Canonical()
	return (f.Role == "" || f.Role == t.Role) &&
		(f.Type == "" || f.Type == t.Type) &&
		(f.Status == "" || f.Status == t.Status || f.Status == sdk.StatusOpen && !t.Status.Terminal()) &&
		(f.Priority == "" || priority == t.Priority) &&
		(f.AgentID == "" || f.AgentID == t.AgentID) &&
		(f.ParentID == "" || f.ParentID == t.ParentID) &&
		(f.SessionID == "" || f.SessionID == t.SessionID) &&
		(f.PlanID == "" || f.PlanID == t.PlanID) &&
		(f.Since.IsZero() || !t.CreatedAt.Before(f.Since))
}

func summary(t sdk.Task) sdk.TaskSummary {
	return sdk.TaskSummary{
		ID: t.ID, Type: t.Type, Role: t.Role, Title: t.Title, Priority: t.Priority, Status: t.Status, Degraded: t.Degraded,
		AgentID: t.AgentID, FairnessKey: t.FairnessKey, ParentID: t.ParentID, RootID: t.RootID, SessionID: t.SessionID, PlanID: t.PlanID,
		RetryOf: t.RetryOf, CorrelationID: t.CorrelationID, Metadata: t.Metadata, CreatedAt: t.CreatedAt, CompletedAt: t.CompletedAt,
		Links: t.Links,
	}
}
