package sdk

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// StatusOpen stands in a [TaskFilter] for every status that is not terminal. No task has it.
const StatusOpen Status = "open"

// TaskFilter chooses tasks; what is left out chooses all. Several fields choose what meets all of them.
type TaskFilter struct {
	Role      Role // who has it now; a fallback may have moved it
	Type      TaskType
	Status    Status   // one status, or [StatusOpen]
	Priority  Priority // the aliases are known
	AgentID   string   // who has it, had it last, or is addressed by it
	ParentID  string
	SessionID string
	PlanID    string
	Since     time.Time // created at this time or later; zero is any
	Limit     int       // tasks of one page, 1 to [MaxPage]; 0 is [DefaultPage]. It is no part of what is chosen
}

// The sizes of a page.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Validate checks the filter and answers nil or an [Error] of code invalid_input whose Faults name each wrong field as the API's
// parameter. The client and the API both call it.
func (f TaskFilter) Validate() error {
	var wrong faults
	wrong.role("query.role", f.Role)
	if f.Type != "" && !f.Type.Valid() {
		wrong.add("query.type", "must be a dotted lower-case name of at most %d characters, such as code.write", MaxType)
	}
	switch f.Status {
	case "", StatusOpen, StatusQueued, StatusRunning, StatusInputRequired, StatusCompleted, StatusFailed, StatusCancelled:
	default:
		wrong.add("query.status", "must be open, queued, running, input_required, completed, failed or cancelled")
	}
	if _, ok := f.Priority.Canonical(); !ok {
		wrong.add("query.priority", "must be low, medium (or normal), high or critical (or urgent)")
	}
	wrong.optionalID("query.agentId", f.AgentID)
	wrong.optionalID("query.parentId", f.ParentID)
	wrong.optionalID("query.sessionId", f.SessionID)
	wrong.optionalID("query.planId", f.PlanID)
	if year := f.Since.UTC().Year(); !f.Since.IsZero() && (year < 1970 || year > 2200) {
		wrong.add("query.since", "must be a time from 1970 to 2200")
	}
	if f.Limit < 0 || f.Limit > MaxPage {
		wrong.add("query.limit", "must be a whole number from 1 to %d", MaxPage)
	}
	return wrong.err()
}

// query is the filter as parameters of the API.
func (f TaskFilter) query(cursor string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"role": string(f.Role), "type": string(f.Type), "status": string(f.Status), "priority": string(f.Priority), "agentId": f.AgentID,
		"parentId": f.ParentID, "sessionId": f.SessionID, "planId": f.PlanID, "cursor": cursor,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// TaskSummary is a task as a list has it: what is needed to tell it from others. [Client.GetTask] answers the rest, and what is
// current: a list follows creation and status within about a second.
type TaskSummary struct {
	ID            string            `json:"id"`
	Type          TaskType          `json:"type"`
	Role          Role              `json:"role" doc:"Who has it now; a fallback may have moved it."`
	Title         string            `json:"title"`
	Priority      Priority          `json:"priority"`
	Status        Status            `json:"status"`
	Degraded      bool              `json:"degraded" doc:"A stage other than the first answered."`
	AgentID       string            `json:"agentId,omitempty" doc:"Who has the current attempt, or had the last."`
	FairnessKey   string            `json:"fairnessKey,omitempty"`
	ParentID      string            `json:"parentId,omitempty"`
	RootID        string            `json:"rootId,omitempty"`
	SessionID     string            `json:"sessionId,omitempty"`
	PlanID        string            `json:"planId,omitempty"`
	RetryOf       string            `json:"retryOf,omitempty"`
	CorrelationID string            `json:"correlationId,omitempty"`
	Metadata      map[string]string `json:"metadata"`
	CreatedAt     time.Time         `json:"createdAt"`
	CompletedAt   *time.Time        `json:"completedAt,omitempty"`
	Links         Links             `json:"links"`
}

// TaskPage is one page of a list: open tasks first, the latest start first, then finished ones, the last finished first.
type TaskPage struct {
	Items      []TaskSummary `json:"items" doc:"At most limit; fewer where they are large."`
	NextCursor string        `json:"nextCursor,omitempty" doc:"Where the next page begins; not there on the last one."`
}

// ListTasks answers one page of the tasks that the filter chooses: the first with cursor "", the one after a page with its
// NextCursor and the same filter. A task that ends between two pages can be on both. [Client.Tasks] turns the pages itself.
func (c *Client) ListTasks(ctx context.Context, filter TaskFilter, cursor string) (*TaskPage, error) {
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	cl := call{method: http.MethodGet, url: c.address(filter.query(cursor), "v1", "tasks"), repeatable: true}
	return answered[TaskPage](ctx, c, cl)
}

// Tasks answers every task that the filter chooses, each once, page after page as they are asked for. What was there at the first
// page and met the filter from then on is answered; what is created meanwhile, or comes to meet the filter, or no longer does, may be
// left out. An error ends it. It remembers the id of each task it has answered until it ends.
func (c *Client) Tasks(ctx context.Context, filter TaskFilter) iter.Seq2[*TaskSummary, error] {
	return eachOnce(pages("tasks", func(cursor string) ([]TaskSummary, string, error) {
		page, err := c.ListTasks(ctx, filter, cursor)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.NextCursor, nil
	}), func(t *TaskSummary) string { return t.ID })
}
