package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// tailFlags choose the events that are followed.
type tailFlags struct{ types, subject, since, after string }

func eventsTailCommand(c *console) *cobra.Command {
	f := &tailFlags{}
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the project's events",
		Long: `Follow the project's events until Ctrl-C, one line each: when it happened, its place in the log, its type, what it is about and
the short of it; with --json the whole event. It begins with what comes, with --since or --after with what came since.

A connection that is cut is made again, and nothing is left out or told twice.`,
		Example: `  rolecall events tail --types 'task.*,code.generated' --since 1h
  rolecall events tail --types task.failed --json | jq .data.error`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	s := cmd.Flags()
	s.StringVar(&f.types, "types", "", "types, comma-separated: task.completed, code.* for all below, or * (default all)")
	s.StringVar(&f.subject, "subject", "", "those about this, such as task/<id>")
	s.StringVar(&f.since, "since", "", "those since: a time such as 2026-01-02T15:04:05Z, or how long ago, such as 1h")
	s.StringVar(&f.after, "after", "", "those after this place in the log; 0 is all from the first that is kept")
	return cmd
}

func (f *tailFlags) filter() (sdk.EventFilter, error) {
	types, err := sdk.ParseEventPatterns(f.types)
	if err != nil {
		return sdk.EventFilter{}, usagef("--types: %w", err)
	}
	filter := sdk.EventFilter{Types: types, Subject: f.subject, After: f.after}
	if n, err := sdk.ParseSequence(f.after); err == nil && n == 0 {
		filter.After, filter.FromStart = "", true
	}
	if f.since == "" {
		return filter, nil
	}
	if f.after != "" {
		return filter, usagef("--since and --after can not both say where it begins")
	}
	filter.Since, err = sinceFlag(f.since)
	return filter, err
}

func (f *tailFlags) run(cmd *cobra.Command, c *console) error {
	filter, err := f.filter()
	if err != nil {
		return err
	}
	client, err := connect()
	if err != nil {
		return err
	}
	last := ""
	for e, err := range client.Subscribe(cmd.Context(), filter, c.tryingAgain()) {
		if err != nil {
			return tailEnd(cmd, c, last, err)
		}
		if e.Sequence != "" {
			last = e.Sequence
		}
		if err := c.event(e); err != nil {
			return err
		}
	}
	return nil
}

// tailEnd says how to go on: after the last event, or with the first that is kept where that one is too long ago.
func tailEnd(cmd *cobra.Command, c *console, last string, err error) error {
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Code == sdk.CodeHistoryExpired && e.FirstSequence > 0 {
		c.note("The first event that is kept is %d. Go on with: rolecall events tail --after %d", e.FirstSequence, e.FirstSequence-1)
	} else if last != "" {
		c.note("Go on with: rolecall events tail --after %s", shortSequence(last))
	}
	if cmd.Context().Err() == nil {
		return flagFaults(err)
	}
	return &exitError{code: exitInterrupted}
}

// event prints an event as a line.
func (c *console) event(e *sdk.Event) error {
	if c.json {
		return c.printLine(e)
	}
	return c.printf("%s\n", eventLine(e))
}

// shortSequence is a place in the log without its zeros.
func shortSequence(s string) string {
	if s = strings.TrimLeft(printable(s, false), "0"); s == "" {
		return "0"
	}
	return s
}
