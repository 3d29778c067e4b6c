package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// sendFlags are what is said of a session's task on the command line.
type sendFlags struct {
	kind, role, priority, context, key string
	tokens                             int
	noWait                             bool
	waiting                            waiting
}

// maxContext bounds what is read of --context, in bytes.
const maxContext = sdk.MaxBody

func sessionSendCommand(c *console) *cobra.Command {
	f := &sendFlags{}
	cmd := &cobra.Command{
		Use:   "send <id> <prompt | @file | ->",
		Short: "Send a task to a session, and wait for its end",
		Long: `Send a task to a session, and wait for its end with a progress bar. It is done after those that were sent before. With --no-wait it
answers at once with the task's id.

The exit code says how it ended: 0 completed, 1 failed or cancelled, 4 not ended after --wait-timeout. A task that fails leaves the
session as usable as it was. Ctrl-C ends the waiting, never the task.`,
		Example: `  rolecall session send $id "Add input validation to the forms"
  rolecall session send $id --type validate "Check the auth module" --follow
  git diff | rolecall session send $id --type analyze - --context @known.json --json`,
		Args: arguments("session id", "prompt"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, c, args[0], args[1]) },
	}
	s := cmd.Flags()
	s.StringVar(&f.kind, "type", string(sdk.TypeExecute), "analyze, execute, validate, reflect or skills; another type needs a role or one of its own")
	s.StringVar(&f.role, "role", "", "who does it; default the type's own role")
	s.StringVar(&f.priority, "priority", "", "low, medium, high or critical (default medium)")
	s.StringVar(&f.context, "context", "", "what was known before, as JSON: episodes, memory, skillHints, metadata; @file or - reads it")
	s.IntVar(&f.tokens, "max-prompt-tokens", 0, "the budget of the whole prompt at 4 characters a token; what is beyond is cut (default none)")
	s.StringVar(&f.key, "idempotency-key", "", "the same key is the same task, however often it is sent")
	s.BoolVar(&f.noWait, "no-wait", false, "answer at once")
	s.BoolVar(&f.waiting.follow, "follow", false, "print what happens; with --json one task a line")
	f.waiting.timeoutFlag(cmd)
	return cmd
}

func (f *sendFlags) run(cmd *cobra.Command, c *console, id, prompt string) error {
	if f.noWait && f.waiting.asked() {
		return usagef("--no-wait does not go with --follow and --wait-timeout")
	}
	if err := f.waiting.check(); err != nil {
		return err
	}
	if prompt == "-" && f.context == "-" {
		return usagef("the prompt and --context can not both be standard input")
	}
	request := sdk.SessionTaskRequest{
		Type: sdk.TaskType(f.kind), Role: sdk.Role(f.role), Priority: sdk.Priority(f.priority), MaxPromptTokens: f.tokens,
	}
	var err error
	if request.Prompt, err = readText("the prompt", prompt, c.stdin, 4*sdk.MaxSessionPrompt); err != nil {
		return err
	}
	if cmd.Flags().Changed("context") {
		if request.Context, err = readContext(f.context, c); err != nil {
			return err
		}
	}
	var opts []sdk.CallOption
	if cmd.Flags().Changed("idempotency-key") {
		opts = append(opts, sdk.IdempotencyKey(f.key))
	}
	client, err := connect()
	if err != nil {
		return err
	}
	session, err := client.Session(cmd.Context(), id)
	if err != nil {
		return err
	}
	task, err := session.Send(cmd.Context(), request, opts...)
	if err != nil {
		return err
	}
	f.waiting.wanted = !f.noWait
	return f.waiting.handedOut(cmd.Context(), c, client, task)
}

// readContext reads what is known before a task.
func readContext(value string, c *console) (*sdk.SessionContext, error) {
	raw, err := readJSON("--context", value, c.stdin, maxContext)
	if err != nil {
		return nil, err
	}
	var known sdk.SessionContext
	if err := json.Unmarshal(raw, &known); err != nil {
		return nil, usagef("--context: must be an object with episodes, memory, skillHints and metadata: %w", err)
	}
	return &known, nil
}
