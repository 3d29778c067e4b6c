package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// run runs one command line and answers its exit code.
func run(ctx context.Context, args []string, c *console) int {
	root := rootCommand(c)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		c.complain(err)
	}
	return codeOf(err)
}

func rootCommand(c *console) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "rolecall",
		Short: "Delegate tasks to roles, and let agents do them",
		Long: `rolecall hands typed tasks to roles; agents of a role do them and answer with results.

The service and who asks are read from the environment: rolecall env lists every variable.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the service can not be reached, 4 timed out waiting.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	},
		serveCommand(c), workerCommand(c), taskCommand(c), sessionCommand(c), planCommand(c), eventsCommand(c), agentsCommand(c), rolesCommand(c), keysCommand(c), doctorCommand(c), envCommand(c), versionCommand(c))
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print JSON for programs")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	return root
}

// group is a command that only holds others: alone it prints its help, with an unknown one it says which there are.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var names []string
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				names = append(names, child.Name())
			}
		}
		text := fmt.Sprintf("%q is no command of %s; there are %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf(". Did you mean %s?", strings.Join(near, " or "))
		}
		return &exitError{code: exitUsage, err: errors.New(text)}
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// arguments wants exactly the named arguments.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		name := strings.TrimPrefix(cmd.CommandPath(), "rolecall ")
		switch {
		case len(args) == len(names):
			return nil
		case len(args) > len(names):
			return usagef("%s takes no argument %q", name, args[len(names)])
		default:
			return usagef("%s needs a %s", name, strings.Join(names[len(args):], " and a "))
		}
	}
}
