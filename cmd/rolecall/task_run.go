package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall-dev/rolecall/sdk"
)

// runFlags are what is said of a task on the command line.
type runFlags struct {
	kind, role, title, description, input, priority string
	agent, parent, correlation, fairness, key       string
	detached                                        bool
	meta, fallback, needs                           []string
	maxAttempts                                     int
	timeouts                                        map[string]*time.Duration
	waiting                                         waiting
}

func taskRunCommand(c *console) *cobra.Command {
	f := &runFlags{timeouts: map[string]*time.Duration{}}
	cmd := &cobra.Command{
		Use:   "run --type <type> --title <title>",
		Short: "Hand out a task",
		Long: `Hand out a task. Without --wait it answers at once with the task's id.

--input takes JSON, @file, or - for standard input. With --wait or --follow the exit code says how the task ended: 0 completed,
1 failed or cancelled, 4 still running after --wait-timeout. Ctrl-C ends the waiting, never the task.`,
		Example: `  rolecall task run --type code.write --title "Add a retry to the uploader" --follow
  rolecall task run --type code.review --title "Review it" --input @change.json --fallback coder --wait --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, c) },
	}
	f.register(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.kind, "type", "", "what is to be done, such as code.write (required)")
	s.StringVar(&f.title, "title", "", "one line for people (required)")
	s.StringVar(&f.role, "role", "", "who does it; default the type's own role")
	s.StringVar(&f.description, "description", "", "the whole of what is wanted; @file or - reads it")
	s.StringVar(&f.input, "input", "", "what the agent works on: JSON, @file, or - for standard input")
	s.StringVar(&f.priority, "priority", "", "low, medium, high or critical (default medium)")
	s.StringArrayVar(&f.meta, "meta", nil, "key=value that goes with the task; repeatable")
	s.StringArrayVar(&f.fallback, "fallback", nil, "role that is tried when the one before is used up; repeatable, in order")
	s.StringVar(&f.agent, "agent-id", "", "address one agent of the role")
	s.StringArrayVar(&f.needs, "capability", nil, "what an agent must be able to do, which must have registered as addressable; repeatable, all are needed")
	s.StringVar(&f.parent, "parent-id", "", "make it a child of this running task: it is cancelled when that one ends")
	s.BoolVar(&f.detached, "detached", false, "with --parent-id: it outlives its parent")
	s.StringVar(&f.correlation, "correlation-id", "", "your own id, carried through to events")
	s.StringVar(&f.fairness, "fairness-key", "", "tasks of different keys take turns")
	s.StringVar(&f.key, "idempotency-key", "", "the same key is the same task, however often it is run")
	s.IntVar(&f.maxAttempts, "max-attempts", 0, "how often it is tried, 1 to 100 (default 3)")
	for _, t := range []struct{ name, usage string }{
		{"queue", "how long an attempt may wait for somebody to take it"},
		{"attempt", "how long one attempt may run (default 1h)"},
		{"total", "how long it may take in all (default 168h)"},
		{"heartbeat", "how soon a lost worker is noticed (default 30s)"},
		{"input", "how long a question waits for its answer (default 24h)"},
	} {
		f.timeouts[t.name] = s.Duration("timeout-"+t.name, 0, t.usage)
	}
	f.waiting.flags(cmd)
}

func (f *runFlags) run(cmd *cobra.Command, c *console) error {
	if err := f.waiting.check(); err != nil {
		return err
	}
	request, err := f.request(cmd, c)
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
	task, err := client.CreateTask(cmd.Context(), request, opts...)
	if err != nil {
		return err
	}
	return f.waiting.handedOut(cmd.Context(), c, client, task)
}

// request is the task that the flags describe. What they hold is checked by the client, all at once.
func (f *runFlags) request(cmd *cobra.Command, c *console) (sdk.TaskRequest, error) {
	r := sdk.TaskRequest{
		Type: sdk.TaskType(f.kind), Role: sdk.Role(f.role), Title: f.title, Description: f.description, Priority: sdk.Priority(f.priority),
		AgentID: f.agent, Capabilities: f.needs, ParentID: f.parent, Detached: f.detached, CorrelationID: f.correlation, FairnessKey: f.fairness,
	}
	if f.kind == "" || f.title == "" {
		return r, usagef("task run needs --type and --title; see rolecall task run --help")
	}
	if f.description == "-" && f.input == "-" {
		return r, usagef("--description and --input can not both be standard input")
	}
	var err error
	if r.Description, err = readText("--description", f.description, c.stdin, sdk.MaxDescription); err != nil {
		return r, err
	}
	if cmd.Flags().Changed("input") {
		if r.Input, err = readJSON("--input", f.input, c.stdin, sdk.MaxInput); err != nil {
			return r, err
		}
	}
	if r.Metadata, err = metadata(f.meta); err != nil {
		return r, err
	}
	for _, role := range f.fallback {
		if role == "" {
			return r, usagef("--fallback needs a role")
		}
		r.Fallback = append(r.Fallback, sdk.Stage{Role: sdk.Role(role)})
	}
	if cmd.Flags().Changed("max-attempts") {
		if f.maxAttempts == 0 {
			return r, usagef("--max-attempts must be from 1 to %d", sdk.MaxMaxAttempts)
		}
		r.Retry = &sdk.Retry{MaxAttempts: f.maxAttempts}
	}
	r.Timeouts, err = f.timeoutsGiven(cmd)
	return r, err
}

func metadata(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return nil, usagef("--meta %q is not key=value", p)
		}
		m[key] = value
	}
	return m, nil
}

// timeoutsGiven is nil when no --timeout flag was given. One below a millisecond would mean the default and is refused.
func (f *runFlags) timeoutsGiven(cmd *cobra.Command) (*sdk.Timeouts, error) {
	var given sdk.Timeouts
	into := map[string]*int64{
		"queue": &given.QueueMs, "attempt": &given.AttemptMs, "total": &given.TotalMs, "heartbeat": &given.HeartbeatMs, "input": &given.InputMs,
	}
	found := false
	for _, name := range slices.Sorted(maps.Keys(into)) {
		if !cmd.Flags().Changed("timeout-" + name) {
			continue
		}
		found = true
		if *into[name] = f.timeouts[name].Milliseconds(); *into[name] == 0 {
			return nil, usagef("--timeout-%s is too short: give at least 1s", name)
		}
	}
	if !found {
		return nil, nil
	}
	return &given, nil
}
