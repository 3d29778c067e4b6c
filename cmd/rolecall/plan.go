package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/cmd/planfile"
)

func planCommand(c *console) *cobra.Command {
	return group(&cobra.Command{Use: "plan", Short: "Run plans of several tasks, check, look at, follow and cancel them"},
		planRunCommand(c), planValidateCommand(c), planGetCommand(c), planListCommand(c), planWatchCommand(c), planCancelCommand(c))
}

func planGetCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "get <id>",
		Short: "Show a plan as it stands",
		Long:  "Show a plan as it stands, with its steps and, where it has ended, its outputs. The exit code is 0 whatever the plan's status.",
		Args:  arguments("plan id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			plan, err := client.GetPlan(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.showPlan(plan)
		},
	}
}

func planCancelCommand(c *console) *cobra.Command {
	var reason string
	var w planWaiting
	cmd := &cobra.Command{
		Use:   "cancel <id>",
		Short: "Ask a plan to stop",
		Long: `Ask a plan to stop: none of its steps begins any more, and the tasks of those that run are cancelled. Their agents are given time to
stop; --wait sees the end. A plan that has ended stays as it is.`,
		Args: arguments("plan id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			plan, err := client.CancelPlan(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			if !w.asked() || plan.Status.Terminal() {
				return c.showPlan(plan)
			}
			if plan, err = w.wait(cmd.Context(), c, client, plan); err != nil {
				return err
			}
			return w.ended(c, nil, func() error { return c.showPlan(plan) }) // cancelled is what was asked for
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the agents and the record")
	w.flags(cmd)
	return cmd
}

// planInputs are inputs of a plan that are given on the command line.
type planInputs struct{ texts, values []string }

func (in *planInputs) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&in.texts, "input", nil, "name=text: an input of the plan, in place of the one in the file; name=@file reads it; repeatable")
	cmd.Flags().StringArrayVar(&in.values, "input-json", nil, "name=JSON, or name=@file: the same for an input of any type; repeatable")
}

// planIn reads the plan in a file, or - for standard input, with its inputs.
func planIn(file string, in planInputs, c *console) (*planfile.File, error) {
	f, err := openPlan(file, c.stdin)
	if err != nil {
		return nil, err
	}
	if err := in.into(&f.Request); err != nil {
		return nil, err
	}
	return f, nil
}

func openPlan(file string, stdin io.Reader) (*planfile.File, error) {
	if file == "-" {
		return planfile.Read("standard input", stdin)
	}
	from, err := os.Open(file)
	if err != nil {
		return nil, usagef("%w", err)
	}
	defer func() { _ = from.Close() }() // nothing was written
	return planfile.Read(file, from)
}
