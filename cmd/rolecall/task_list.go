package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	list, listed := taskList{Items: []*sdk.TaskSummary{}}, 0
	table := newTaskTable(c.stdout)
	for task, err := range client.Tasks(cmd.Context(), filter) {
		if err != nil {
			return errors.Join(flagFaults(err), table.Flush())
		}
		if f.limit > 0 && listed == f.limit {
			list.More = true
			break
		}
		listed++
		if c.json {
			list.Items = append(list.Items, task)
			continue
		}
		if err := table.row(task); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(list)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	switch {
	case list.More:
		c.note("There are more; --limit 0 lists all.")
	case listed == 0:
		c.note("There are none.")
	}
	return nil
}

// flagFaults names the flags of a list where the service names its parameters.
func flagFaults(err error) error {
	e, ok := err.(*sdk.Error) //nolint:errorlint // what wraps a refusal is told as a whole
	if !ok {
		return err
	}
	flags := map[string]string{"agentId": "agent-id", "parentId": "parent-id", "sessionId": "session-id", "planId": "plan-id"}
	told := *e
	told.Faults = make([]sdk.Fault, len(e.Faults))
	for i, fault := range e.Faults {
		if name, ok := strings.CutPrefix(fault.Path, "query."); ok {
			if flag, other := flags[name]; other {
				name = flag
			}
			fault.Path = "--" + name
		}
		told.Faults[i] = fault
	}
	return &told
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
		filter.Limit = min(f.limit, sdk.MaxPage-1) + 1
	} else {
		filter.Limit = sdk.MaxPage
	}
	if f.since == "" {
		return filter, nil
	}
	var err error
	filter.Since, err = sinceFlag(f.since)
	return filter, err
}

// sinceFlag reads a time, or how long ago it was.
func sinceFlag(value string) (time.Time, error) {
	if ago, err := time.ParseDuration(value); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	since, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return since, usagef("--since %q is neither a time such as 2026-01-02T15:04:05Z nor how long ago, such as 24h", value)
	}
	return since, nil
}

// tableRows is how many tasks are held back to be put in line with each other.
const tableRows = 200

// taskTable writes listed tasks in columns, a heading above the first.
type taskTable struct {
	*tabwriter.Writer
	rows int
}

func newTaskTable(to io.Writer) *taskTable {
	return &taskTable{Writer: tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)}
}

func (t *taskTable) row(s *sdk.TaskSummary) error {
	if t.rows == 0 {
		if err := t.line("CREATED (UTC)", "STATUS", "ID", "TYPE", "ROLE", "PRIORITY", "AGENT", "TITLE"); err != nil {
			return err
		}
	}
	status := string(s.Status)
	if s.Degraded {
		status += " (degraded)"
	}
	agent := s.AgentID
	if agent == "" {
		agent = "-"
	}
	if err := t.line(s.CreatedAt.UTC().Format(time.DateTime), status, s.ID, string(s.Type), string(s.Role), string(s.Priority), agent, s.Title); err != nil {
		return err
	}
	if t.rows++; t.rows%tableRows == 0 {
		return t.Flush()
	}
	return nil
}

func (t *taskTable) line(cells ...string) error {
	for i := range cells {
		cells[i] = printable(cells[i], false)
	}
	_, err := fmt.Fprintln(t.Writer, strings.Join(cells, "\t"))
	return err
}
