package main

import (
	"github.com/spf13/cobra"
)

func taskWatchCommand(c *console) *cobra.Command {
	w := waiting{follow: true}
	cmd := &cobra.Command{
		Use:   "watch <id>",
		Short: "Follow a task to its end",
		Long: `Follow a task to its end and print what happens, as rolecall task run --follow does; with --json one task a line.

The exit code says how it ended: 0 completed, 1 failed or cancelled, 4 still running after --wait-timeout. Ctrl-C ends the watching,
never the task.`,
		Args: arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			task, err := client.GetTask(cmd.Context(), args[0]) // one that is not there is said so at once
			if err != nil {
				return err
			}
			return w.toEnd(cmd.Context(), c, client, task)
		},
	}
	w.timeoutFlag(cmd)
	return cmd
}
