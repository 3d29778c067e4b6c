package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func taskCommand(c *console) *cobra.Command {
	return group(&cobra.Command{Use: "task", Short: "Hand out tasks, look at them, answer and cancel them"},
		taskRunCommand(c), taskGetCommand(c), taskListCommand(c), taskRetryCommand(c), taskWatchCommand(c), taskExplainCommand(c),
		taskCancelCommand(c), taskInputCommand(c))
}

// connect makes the client that the environment describes.
func connect() (*sdk.Client, error) {
	cfg, err := sdk.ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	cfg.UserAgent = "rolecall-cli"
	return sdk.NewClient(cfg)
}

func taskGetCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "get <id>",
		Short: "Show a task as it stands",
		Long:  "Show a task as it stands, with the whole chain of its attempts. The exit code is 0 whatever the task's status.",
		Args:  arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			task, err := client.GetTask(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.show(task)
		},
	}
}

func taskCancelCommand(c *console) *cobra.Command {
	var reason string
	var w waiting
	cmd := &cobra.Command{
		Use:   "cancel <id>",
		Short: "Ask a task to stop",
		Long:  "Ask a task to stop. Its agent is given time to do so; --wait sees the end. A task that has ended stays as it is.",
		Args:  arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			task, err := client.CancelTask(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			if !w.asked() || task.Status.Terminal() {
				return c.show(task)
			}
			task, err = w.wait(cmd.Context(), c, client, task)
			if err != nil {
				return err
			}
			return w.ended(c, nil, func() error { return c.show(task) }) // cancelled is what was asked for
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the agent and the record")
	w.flags(cmd)
	return cmd
}

func taskInputCommand(c *console) *cobra.Command {
	var answer, request string
	cmd := &cobra.Command{
		Use:   "input <id> --answer <JSON | @file | ->",
		Short: "Answer a task's question",
		Long:  "Answer a task's open question. The answer is JSON: a text is written with quotes, such as --answer '\"yes\"'.",
		Args:  arguments("task id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("answer") {
				return usagef("task input needs --answer: JSON, @file, or - for standard input")
			}
			raw, err := readJSON("--answer", answer, c.stdin, sdk.MaxAnswer)
			if err != nil {
				return err
			}
			client, err := connect()
			if err != nil {
				return err
			}
			if request == "" {
				if request, err = openQuestion(cmd.Context(), client, args[0]); err != nil {
					return err
				}
			}
			task, err := client.ProvideInput(cmd.Context(), args[0], request, raw)
			if err != nil {
				return err
			}
			return c.show(task)
		},
	}
	cmd.Flags().StringVar(&answer, "answer", "", "the answer as JSON, @file, or - for standard input")
	cmd.Flags().StringVar(&request, "request", "", "the id of the question; default the open one")
	return cmd
}

// openQuestion is the id of the question that a task waits for.
func openQuestion(ctx context.Context, client *sdk.Client, id string) (string, error) {
	task, err := client.GetTask(ctx, id)
	if err != nil {
		return "", err
	}
	if task.InputRequest == nil {
		return "", sdk.Errorf(sdk.CodeConflict, "task %s asks nothing: it is %s", id, task.Status)
	}
	return task.InputRequest.ID, nil
}

// show prints a task.
func (c *console) show(task *sdk.Task) error {
	if c.json {
		return c.printJSON(task)
	}
	return c.printf("%s", taskText(task))
}
