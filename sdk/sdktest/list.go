package sdktest

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
)

// place is where a task, a session or a plan stands in a list: open ones first, those created last before others; then the ended ones, those that ended
// last before others.
type place struct {
	Ended  bool `json:"ended"`
	Number int  `json:"number"`
}

func placeOf(number, ended int) place {
	if ended > 0 {
		return place{true, ended}
	}
	return place{false, number}
}

func (r *run) place() place { return placeOf(r.number, r.ended) }

func (p place) compare(q place) int {
	if p.Ended != q.Ended {
		if p.Ended {
			return 1
		}
		return -1
	}
	return cmp.Compare(q.Number, p.Number)
}

// placed is what lists are of.
type placed interface{ place() place }

// position is where reading a list begins: after a place, or with the first, which the zero value is.
type position struct {
	after bool
	last  place
}

// inOrder are those of all that are chosen, in the order of a list.
func inOrder[T placed](all iter.Seq[T], from position, chosen func(T) bool) []T {
	var list []T
	for item := range all {
		if (!from.after || item.place().compare(from.last) > 0) && chosen(item) {
			list = append(list, item)
		}
	}
	slices.SortFunc(list, func(a, b T) int { return a.place().compare(b.place()) })
	return list
}

// turn answers the page of a list at a cursor, and the cursor of the next. query tells the list from others; limit 0 is [sdk.DefaultPage].
func turn[T placed](query, cursor string, limit int, chosen func(position) []T) (items []T, next string, err error) {
	token, err := kept.ParseCursor(query, cursor)
	if err != nil {
		return nil, "", err
	}
	from := position{after: token != nil}
	if from.after {
		if err := json.Unmarshal(token, &from.last); err != nil {
			return nil, "", sdk.Errorf(sdk.CodeInternal, "a cursor of ours can not be read: %v", err)
		}
	}
	limit = cmp.Or(limit, sdk.DefaultPage)
	list := chosen(from)
	if len(list) <= limit {
		return list, "", nil
	}
	if token, err = json.Marshal(list[limit-1].place()); err != nil {
		return nil, "", sdk.Errorf(sdk.CodeInternal, "a cursor can not be written: %v", err)
	}
	return list[:limit], kept.NewCursor(query, token), nil
}

// ListTasks implements [apiserver.Tasks].
func (e *engine) ListTasks(_ context.Context, project string, filter sdk.TaskFilter, cursor string) (sdk.TaskPage, error) {
	page := sdk.TaskPage{Items: []sdk.TaskSummary{}}
	e.mu.Lock()
	defer e.seen()
	chosen, next, err := turn(kept.ListQuery(project, filter), cursor, filter.Limit, func(from position) []*run {
		return e.chosen(project, filter, from)
	})
	for _, r := range chosen {
		page.Items = append(page.Items, summary(r.listed()))
	}
	page.NextCursor = next
	return page, err
}

// chosen are the runs that a filter chooses, in the order of a list.
func (e *engine) chosen(project string, filter sdk.TaskFilter, from position) []*run {
	return inOrder(maps.Values(e.runs), from, func(r *run) bool {
		return r.in.Project == project && matches(filter, r.listed())
	})
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
