package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planList is what plan list prints with --json.
type planList struct {
	Items []*sdk.Plan `json:"items"`
	More  bool        `json:"more,omitempty"`
}

func planListCommand(c *console) *cobra.Command {
	var status string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List plans",
		Long: `List plans: open ones first, the newest of them first. The list follows what happens within about a second and leaves out outputs;
rolecall plan get is current and whole.`,
		Example: `  rolecall plan list --status open
  rolecall plan list --status failed --limit 0 --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := sdk.PlanFilter{Status: sdk.Status(status), Limit: sdk.MaxPage}
			switch {
			case limit < 0:
				return usagef("--limit must not be negative; 0 lists all")
			case limit > 0: // one more than is shown, to know whether there are more
				filter.Limit = min(limit, sdk.MaxPage-1) + 1
			}
			client, err := connect()
			if err != nil {
				return err
			}
			list := planList{Items: []*sdk.Plan{}}
			var failed error
			for plan, err := range client.Plans(cmd.Context(), filter) {
				if err != nil {
					failed = flagFaults(err)
					break
				}
				if limit > 0 && len(list.Items) == limit {
					list.More = true
					break
				}
				list.Items = append(list.Items, plan)
			}
			if failed != nil && len(list.Items) == 0 {
				return failed
			}
			return joined(failed, c.showPlans(list))
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "open (every one that has not ended), queued, running, completed, failed or cancelled")
	cmd.Flags().IntVar(&limit, "limit", defaultListed, "how many at most; 0 is all")
	return cmd
}

func (c *console) showPlans(list planList) error {
	if c.json {
		return c.printJSON(list)
	}
	if len(list.Items) == 0 {
		c.note("There are none.")
		return nil
	}
	table := newTaskTable(c.stdout)
	if err := table.line("CREATED (UTC)", "STATUS", "ID", "STEPS", "PRIORITY", "TITLE"); err != nil {
		return err
	}
	for _, p := range list.Items {
		steps := "to be planned"
		if len(p.Steps) > 0 {
			steps = fmt.Sprintf("%d of %d ended", endedSteps(p), len(p.Steps))
		}
		if err := table.line(p.CreatedAt.UTC().Format(time.DateTime), string(p.Status), p.ID, steps, string(p.Priority), p.Title); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if list.More {
		c.note("There are more; --limit 0 lists all.")
	}
	return nil
}

func endedSteps(p *sdk.Plan) int {
	n := 0
	for _, s := range p.Steps {
		if s.Status.Terminal() {
			n++
		}
	}
	return n
}
