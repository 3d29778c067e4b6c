package main

import (
	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func taskRetryCommand(c *console) *cobra.Command {
	var key string
	var w waiting
	cmd := &cobra.Command{
		Use:   "retry <id>",
		Short: "Hand a finished task out anew",
		Long: `Hand a finished task out anew: a new task of the same request. One that has not ended is refused.

With --wait or --follow the exit code says how the new task ended, as with rolecall task run.`,
		Args: arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			var opts []sdk.CallOption
			if cmd.Flags().Changed("idempotency-key") {
				opts = append(opts, sdk.IdempotencyKey(key))
			}
			task, err := client.RetryTask(cmd.Context(), args[0], opts...)
			if err != nil {
				return err
			}
			return w.handedOut(cmd.Context(), c, client, task)
		},
	}
	cmd.Flags().StringVar(&key, "idempotency-key", "", "the same key is the same new task, however often it is run")
	w.flags(cmd)
	return cmd
}
