package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

func sessionCommand(c *console) *cobra.Command {
	return group(&cobra.Command{Use: "session", Short: "Open sessions, send them tasks, follow and close them"},
		sessionOpenCommand(c), sessionGetCommand(c), sessionSendCommand(c), sessionWatchCommand(c), sessionCloseCommand(c))
}

// openFlags are what is said of a session on the command line.
type openFlags struct {
	tier, orchestrator, executor, client, key string
	gates, noFallback                         bool
	maxAttempts                               int
	idle                                      time.Duration
	meta                                      []string
}

func sessionOpenCommand(c *console) *cobra.Command {
	f := &openFlags{}
	cmd := &cobra.Command{
		Use:   "open",
		Short: "Open a session",
		Long: `Open a session: a conversation, in which tasks are done one after the other and what they have taught is given to the next. It stays
open until it is closed, or was without a task for its idle timeout.`,
		Example: `  id=$(rolecall session open --tier hybrid --json | jq -r .id)
  rolecall session send $id "Add input validation to the forms"`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	s := cmd.Flags()
	s.StringVar(&f.tier, "tier", "", "which models work: free, hybrid or premium (default free)")
	s.StringVar(&f.orchestrator, "orchestrator-model", "", "the model of analyze, validate, reflect and skills; default the tier's")
	s.StringVar(&f.executor, "executor-model", "", "the model of execute; default the tier's")
	s.BoolVar(&f.gates, "quality-gates", false, "ask for quality gates, and carry their verdict in the results")
	s.BoolVar(&f.noFallback, "no-fallback", false, "do not go one tier down where a task's attempts are used up")
	s.IntVar(&f.maxAttempts, "max-attempts", 0, "how often a task is tried in each tier, 1 to 100 (default 3)")
	s.DurationVar(&f.idle, "idle-timeout", 0, "after how long without a task it closes itself (default 30m)")
	s.StringVar(&f.client, "client-id", "", "who it belongs to; the sessions of a client can be closed together")
	s.StringArrayVar(&f.meta, "meta", nil, "key=value that goes with the session; repeatable")
	s.StringVar(&f.key, "idempotency-key", "", "the same key is the same session, however often it is opened")
	return cmd
}

func (f *openFlags) config(cmd *cobra.Command) (sdk.SessionConfig, error) {
	config := sdk.SessionConfig{
		CostTier: sdk.CostTier(f.tier), OrchestratorModel: f.orchestrator, ExecutorModel: f.executor, QualityGates: f.gates, ClientID: f.client,
	}
	if f.noFallback {
		config.Fallback = new(false)
	}
	if cmd.Flags().Changed("max-attempts") {
		if f.maxAttempts == 0 {
			return config, usagef("--max-attempts must be from 1 to %d", sdk.MaxMaxAttempts)
		}
		config.Retry = &sdk.Retry{MaxAttempts: f.maxAttempts}
	}
	if cmd.Flags().Changed("idle-timeout") {
		if config.IdleTimeoutMs = f.idle.Milliseconds(); config.IdleTimeoutMs == 0 {
			return config, usagef("--idle-timeout is too short: give at least 1s")
		}
	}
	var err error
	config.Metadata, err = metadata(f.meta)
	return config, err
}

func (f *openFlags) run(cmd *cobra.Command, c *console) error {
	config, err := f.config(cmd)
	if err != nil {
		return err
	}
	var opts []sdk.CallOption
	if cmd.Flags().Changed("idempotency-key") {
		opts = append(opts, sdk.IdempotencyKey(f.key))
	}
	client, err := connect()
	if err != nil {
		return err
	}
	handle, err := client.OpenSession(cmd.Context(), config, opts...)
	if err != nil {
		return err
	}
	session, err := handle.Get(cmd.Context())
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(session)
	}
	return c.printf("%s\nSend it a task with: rolecall session send %s \"…\"\n", sessionHeadline(session), session.ID)
}

func sessionGetCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "get <id>",
		Short: "Show a session as it stands",
		Args:  arguments("session id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := connect()
			if err != nil {
				return err
			}
			session, err := client.GetSession(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.showSession(session)
		},
	}
}

// showSession prints a session.
func (c *console) showSession(s *sdk.Session) error {
	if c.json {
		return c.printJSON(s)
	}
	return c.printf("%s", sessionText(s))
}

// sessionHeadline is a session in one line.
func sessionHeadline(s *sdk.Session) string {
	text := fmt.Sprintf("session %s %s", printable(s.ID, false), printable(string(s.Status), false))
	if s.CloseReason != "" {
		text += fmt.Sprintf(" (%s)", printable(string(s.CloseReason), false))
	}
	if s.Stale {
		text += " (stale: not everything could be refreshed)"
	}
	return text + fmt.Sprintf(": %s, %s thinks and %s works", printable(string(s.CostTier), false), printable(s.OrchestratorModel, false), printable(s.ExecutorModel, false))
}

// sessionText is a session for people.
func sessionText(s *sdk.Session) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", sessionHeadline(s))
	line("  tasks: %d completed, %d failed or cancelled, %d waiting", s.CompletedTasks, s.FailedTasks, s.QueuedTasks)
	if s.CurrentTaskID != "" {
		line("  now: task %s", printable(s.CurrentTaskID, false))
	}
	for _, list := range []struct {
		name  string
		items []string
	}{{"lessons", s.Lessons}, {"to follow", s.FollowUps}, {"episodes", s.EpisodeRefs}} {
		if len(list.items) > 0 {
			line("%s", list.name)
		}
		for _, item := range list.items {
			line("  %s", printable(item, false))
		}
	}
	if s.Links.UI != "" {
		line("ui: %s", printable(s.Links.UI, false))
	}
	return b.String()
}

func sessionCloseCommand(c *console) *cobra.Command {
	var client string
	var idle time.Duration
	cmd := &cobra.Command{
		Use:   "close <id> | --client-id <id> | --idle <time>",
		Short: "Close a session, those of a client, or idle ones",
		Long: `Close a session: its running task is ended, and those that wait are not begun. Closing it again changes nothing. --client-id closes
every open session of a client, --idle those that have no task and had none for so long.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := len(args)
			for _, name := range []string{"client-id", "idle"} {
				if cmd.Flags().Changed(name) {
					given++
				}
			}
			if given != 1 {
				return usagef("session close needs one of a session id, --client-id and --idle")
			}
			api, err := connect()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				session, err := api.CloseSession(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.showSession(session)
			}
			var closed int
			if client != "" {
				closed, err = api.CloseClientSessions(cmd.Context(), client)
			} else {
				closed, err = api.CloseIdleSessions(cmd.Context(), idle)
			}
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]int{"closed": closed})
			}
			return c.printf("closed %d\n", closed)
		},
	}
	cmd.Flags().StringVar(&client, "client-id", "", "every open session of this client")
	cmd.Flags().DurationVar(&idle, "idle", 0, "open sessions that have no task and had none for so long, such as 1h")
	return cmd
}
