package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func planRunCommand(c *console) *cobra.Command {
	var in planInputs
	var key string
	var w planWaiting
	cmd := &cobra.Command{
		Use:   "run <file | ->",
		Short: "Run the plan in a file of YAML or JSON",
		Long: `Run the plan in a file of YAML or JSON, or on standard input. Without --wait it answers at once with the plan's id.

The file is read strictly: a field that no plan has is refused, and so are a value of another type, a number that JSON does not have, such as
010 or 0x1F, a name twice, YAML's aliases and its tags; every fault is told with its line and column. With --wait or --follow the exit code
says how the plan ended: 0 completed, 1 failed or cancelled, 4 not ended after --wait-timeout. On a terminal its steps are drawn as a table
that follows what happens; --follow prints lines where there is none. Ctrl-C ends the waiting, never the plan.`,
		Example: `  rolecall plan run plan.yaml --follow
  rolecall plan run review.yaml --input branch=main --input-json limits='{"minutes": 10}' --wait --json
  jq '.title = "Again"' plan.json | rolecall plan run -`,
		Args: arguments("file of a plan"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			file, err := planIn(args[0], in, c)
			if err != nil {
				return err
			}
			var opts []sdk.CallOption
			if cmd.Flags().Changed("idempotency-key") {
				opts = append(opts, sdk.IdempotencyKey(key))
			}
			client, err := connect()
			if err != nil {
				return err
			}
			plan, err := client.CreatePlan(cmd.Context(), file.Request, opts...)
			if err != nil {
				return file.Explain(err)
			}
			if w.asked() {
				return w.toEnd(cmd.Context(), c, client, plan)
			}
			if c.json {
				return c.printJSON(plan)
			}
			return c.printf("%s\nLook at it with: rolecall plan get %s\n", planHeadline(plan), plan.ID)
		},
	}
	in.flags(cmd)
	cmd.Flags().StringVar(&key, "idempotency-key", "", "the same key is the same plan, however often it is run")
	w.flags(cmd)
	return cmd
}

// planWaiting is how a command waits for the end of a plan.
type planWaiting struct {
	waiting
	opts []sdk.FollowOption // from where its events are told
}

func (w *planWaiting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wanted, "wait", false, "wait until it has ended")
	cmd.Flags().BoolVar(&w.follow, "follow", false, "wait, and print what happens; with --json one event a line")
	w.timeoutFlag(cmd)
}

// wait shows a plan until it has ended and answers it then.
func (w *planWaiting) wait(ctx context.Context, c *console, client *sdk.Client, plan *sdk.Plan) (*sdk.Plan, error) {
	bounded, cancel := w.bounded(ctx)
	defer cancel()
	if w.follow || c.width() > 0 && !c.json {
		s := newPlanScreen(c, plan, len(w.opts) > 0)
		switch err := s.watch(bounded, client, w.opts...); {
		case err == nil:
		case w.follow || bounded.Err() != nil:
			s.goOn()
			return nil, w.stopped(ctx, c, "plan", plan.ID, err)
		default: // its end can be waited for all the same
			c.note("rolecall: %s; waiting for the end of plan %s without showing its steps", printable(err.Error(), false), plan.ID)
		}
	}
	done, err := client.WaitForPlan(bounded, plan.ID)
	if err != nil {
		return nil, w.stopped(ctx, c, "plan", plan.ID, err)
	}
	return done, nil
}

// toEnd waits for the end of a plan, prints it and answers exit code 1 unless it completed.
func (w *planWaiting) toEnd(ctx context.Context, c *console, client *sdk.Client, plan *sdk.Plan) error {
	done, err := w.wait(ctx, c, client, plan)
	if err != nil {
		return err
	}
	return w.ended(c, done.Err(), func() error { return c.showPlan(done) })
}
