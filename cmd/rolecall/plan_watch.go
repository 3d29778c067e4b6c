package main

import (
	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func planWatchCommand(c *console) *cobra.Command {
	w := planWaiting{waiting: waiting{follow: true}}
	var after string
	cmd := &cobra.Command{
		Use:   "watch <id>",
		Short: "Follow a plan to its end",
		Long: `Follow a plan to its end as rolecall plan run --follow does: its steps as a table on a terminal, lines elsewhere, and with --json one
event of it and of its tasks a line. A connection that is cut is made again, and nothing is left out or told twice.

The exit code says how it ended: 0 completed, 1 failed or cancelled, 4 not ended after --wait-timeout. Ctrl-C ends the watching, never the
plan.`,
		Example: `  rolecall plan watch $id
  rolecall plan watch $id --json | jq -c 'select(.type == "plan.step") | .data'`,
		Args: arguments("plan id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			plan, err := client.GetPlan(cmd.Context(), args[0]) // one that is not there is said so at once
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("after") {
				w.opts = []sdk.FollowOption{sdk.ResumeAfter(after)}
			}
			return w.toEnd(cmd.Context(), c, client, plan)
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "what happened after this place in the log; default all from the plan's first event")
	w.timeoutFlag(cmd)
	return cmd
}
