package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// defaultListed is how many tasks a list shows unless it is told otherwise.
const defaultListed = 50

// listFlags choose what is listed.
type listFlags struct {
	role, kind, status, priority, agent, parent, session, plan, since string
	limit                                                             int
}

// taskList is what task list prints with --json.
type taskList struct {
	Items []*sdk.TaskSummary `json:"items"`
	More  bool               `json:"more,omitempty"`
}

func taskListCommand(c *console) *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tasks",
		Long: `List tasks: open ones first, the latest start first, then finished ones, the last finished first. The list follows what
happens within about a second; rolecall task get is current.`,
		Example: `  rolecall task list --status open --role coder
  rolecall task list --status failed --since 24h --limit 0 --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	s := cmd.Flags()
	s.StringVar(&f.role, "role", "", "those that this role has now")
	s.StringVar(&f.kind, "type", "", "those of this type, such as code.write")
	s.StringVar(&f.status, "status", "", "open (every one that has not ended), queued, running, input_required, completed, failed or cancelled")
	s.StringVar(&f.priority, "priority", "", "low, medium, high or critical")
	s.StringVar(&f.agent, "agent-id", "", "those that this agent has, had last, or is addressed by")
	s.StringVar(&f.parent, "parent-id", "", "the children of this task")
	s.StringVar(&f.session, "session-id", "", "those of this session")
	s.StringVar(&f.plan, "plan-id", "", "those of this plan")
	s.StringVar(&f.since, "since", "", "those created since: a time such as 2026-01-02T15:04:05Z, or how long ago, such as 24h")
	s.IntVar(&f.limit, "limit", defaultListed, "how many at most; 0 is all")
	return cmd
}

func (f *listFlags) run(cmd *cobra.Command, c *console) error {
	filter, err := f.filter()
	if err != nil {
		return err
	}
	client, err := connect()
	if err != nil {
		return err
	}
	list := taskList{Items: []*sdk.TaskSummary{}}
	for task, err := range client.Tasks(cmd.Context(), filter) {
		if err != nil {
			return err
		}
		if f.limit > 0 && len(list.Items) == f.limit {
			list.More = true
			break
		}
		list.Items = append(list.Items, task)
		if c.json {
			continue
		}
		if err := c.printf("%s\n", summaryText(task)); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(list)
	}
	switch {
	case list.More:
		c.note("There are more; --limit 0 lists all.")
	case len(list.Items) == 0:
		c.note("There are none.")
	}
	return nil
}

func (f *listFlags) filter() (sdk.TaskFilter, error) {
	filter := sdk.TaskFilter{
		Role: sdk.Role(f.role), Type: sdk.TaskType(f.kind), Status: sdk.Status(f.status), Priority: sdk.Priority(f.priority),
		AgentID: f.agent, ParentID: f.parent, SessionID: f.session, PlanID: f.plan,
	}
	if f.limit < 0 {
		return filter, usagef("--limit must not be negative; 0 lists all")
	}
	if f.limit > 0 { // one more than is shown, to know whether there are more
		filter.Limit = min(f.limit+1, sdk.MaxPage)
	} else {
		filter.Limit = sdk.MaxPage
	}
	if f.since == "" {
		return filter, nil
	}
	if ago, err := time.ParseDuration(f.since); err == nil && ago >= 0 {
		filter.Since = time.Now().Add(-ago)
		return filter, nil
	}
	since, err := time.Parse(time.RFC3339, f.since)
	if err != nil {
		return filter, usagef("--since %q is neither a time such as 2026-01-02T15:04:05Z nor how long ago, such as 24h", f.since)
	}
	filter.Since = since
	return filter, nil
}

// summaryText is a listed task in one line.
func summaryText(t *sdk.TaskSummary) string {
	as := sdk.Task{
		ID: t.ID, Type: t.Type, Role: t.Role, Title: t.Title, Priority: t.Priority, Status: t.Status, CreatedAt: t.CreatedAt, CompletedAt: t.CompletedAt,
	}
	text := headline(&as)
	if t.AgentID != "" {
		text += " at " + printable(t.AgentID, false)
	}
	if t.Degraded {
		text += " (degraded)"
	}
	return fmt.Sprintf("%s  %s", t.CreatedAt.UTC().Format(time.DateTime), text)
}
