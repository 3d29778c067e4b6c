package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func eventsCommand(c *console) *cobra.Command {
	return group(&cobra.Command{Use: "events", Short: "Follow the project's events, and publish some"},
		eventsTailCommand(c), eventsPublishCommand(c))
}

// publishFlags are what is said of an event.
type publishFlags struct{ kind, data, subject, id, correlation string }

func eventsPublishCommand(c *console) *cobra.Command {
	f := &publishFlags{}
	cmd := &cobra.Command{
		Use:   "publish --type <type>",
		Short: "Publish an event",
		Long: `Publish an event. When it exits with 0 the event is on the log's disk. --data takes JSON, @file, or - for standard input.

Types that begin with task., session., plan. or agent. are rolecall's own and are refused.`,
		Example: `  rolecall events publish --type code.deployed --subject service/uploader --data '{"version": "1.4.2"}'
  jq -c . report.json | rolecall events publish --type report.made --data - --id report-2026-01-02`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	s := cmd.Flags()
	s.StringVar(&f.kind, "type", "", "what happened, as a dotted lower-case name (required)")
	s.StringVar(&f.data, "data", "", "what there is to say of it: JSON, @file, or - for standard input")
	s.StringVar(&f.subject, "subject", "", "what it is about, such as task/<id>")
	s.StringVar(&f.id, "id", "", "the same id is the same event, however often it is published within a while (default a new one)")
	s.StringVar(&f.correlation, "correlation-id", "", "your own id, which goes with it")
	return cmd
}

func (f *publishFlags) run(cmd *cobra.Command, c *console) error {
	if f.kind == "" {
		return usagef("events publish needs --type; see rolecall events publish --help")
	}
	var data json.RawMessage
	if cmd.Flags().Changed("data") {
		var err error
		if data, err = readJSON("--data", f.data, c.stdin, sdk.MaxEventData); err != nil {
			return err
		}
	}
	client, err := connect()
	if err != nil {
		return err
	}
	done, err := client.Publish(cmd.Context(), sdk.EventRequest{
		Type: sdk.EventType(f.kind), Data: data, Subject: f.subject, ID: f.id, CorrelationID: f.correlation,
	})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(done[0])
	}
	again := ""
	if done[0].Duplicate {
		again = ", which was there before"
	}
	return c.printf("event %s at %s%s\n", printable(done[0].ID, false), shortSequence(done[0].Sequence), again)
}
