package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/openai"
	"github.com/rolecall-dev/rolecall/workers/agents/pi"
	"github.com/rolecall-dev/rolecall/workflows"
)

// The adapters: any program that speaks JSON lines, the pi coding agent, and the model of an OpenAI-compatible endpoint.
const (
	adapterCommand = "command"
	adapterPi      = "pi"
	adapterOpenAI  = "openai"
)

// How a worker takes its tasks: from Temporal itself, or over the HTTP API.
const (
	overTemporal = "temporal"
	overHTTP     = "http"
)

// workerFlags are what is said of a worker on the command line; each wins over its variable.
type workerFlags struct {
	roles       []string
	adapter     string
	over        string
	slots       int
	workdir     string
	agentID     string
	can         []string
	addressable bool
	readyFile   string
}

func workerCommand(c *console) *cobra.Command {
	var f workerFlags
	cmd := &cobra.Command{
		Use:   "worker --role <role>[,<role>] --agent command|pi|openai [-- <program> [argument …]]",
		Short: "Work on the tasks of a role",
		Long: `Work on the tasks of one or more roles until SIGINT or SIGTERM. Then no new task is taken, running ones get ROLECALL_DRAIN_GRACE,
and what still runs after it is handed to another worker; a second signal ends the process at once.

The adapter "command" starts the given program once per attempt, without a shell: it reads the task as JSON on standard input and
writes progress and result as lines of JSON. The adapter "pi" runs the pi coding agent; what stands after -- are further arguments of
pi. The adapter "openai" runs no program: it asks the model of an OpenAI-compatible endpoint, such as Ollama on this machine.

With --over http the worker needs nothing but the API at EVENTS_SERVICE_URL and a key with the scope work, and takes its tasks by leases. By
default it needs Temporal (TEMPORAL_*), which lets it at every project of the namespace.`,
		Example: `  rolecall worker --role tester --agent command -- ./my-agent --flag
  rolecall worker --role coder --agent pi --workdir ~/src/project -- --no-extensions
  ROLECALL_OPENAI_MODEL=qwen3:8b rolecall worker --role reviewer --agent openai --slots 2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := newWorker(cmd, c, f, args)
			if err != nil {
				return err
			}
			return w.run(cmd.Context())
		},
	}
	s := cmd.Flags()
	s.StringSliceVar(&f.roles, "role", nil, "roles to work for, comma-separated (required; or ROLECALL_ROLES)")
	s.StringVar(&f.adapter, "agent", "", "how the agent is run: command, pi or openai (required)")
	s.StringVar(&f.over, "over", overTemporal, "how tasks are taken: temporal, or http for the API alone")
	s.IntVar(&f.slots, "slots", 0, "how many tasks run at once (default 1; or ROLECALL_SLOTS)")
	s.StringVar(&f.workdir, "workdir", "", "directory the program runs in, locked for one task at a time (default a fresh one per attempt)")
	s.StringVar(&f.agentID, "agent-id", "", "the id this agent works as (default host name and process id; or AGENT_ID)")
	s.StringSliceVar(&f.can, "capability", nil, "what the agent can do, comma-separated, for tasks that ask for it (or ROLECALL_CAPABILITIES)")
	s.BoolVar(&f.addressable, "addressable", false, "also take tasks that address this agent's id")
	readyFlag(cmd, &f.readyFile)
	return cmd
}

// roleWorker is a role worker with its agent.
type roleWorker struct {
	config  workers.Config
	shows   telemetry.Config
	adapter string
	over    string
	agent   command.Config
	pi      pi.Config // beside agent
	openai  openai.Config
	log     *slog.Logger
	ready   announcer

	metricsURL string // empty until it runs, and when metrics are not served
}

func newWorker(cmd *cobra.Command, c *console, f workerFlags, program []string) (*roleWorker, error) {
	if err := f.checkAdapter(program); err != nil {
		return nil, err
	}
	if f.over != overTemporal && f.over != overHTTP {
		return nil, usagef("--over must be temporal or http")
	}
	w := &roleWorker{adapter: f.adapter, over: f.over, ready: announcer{c, f.readyFile}}
	var logging logConfig
	err := readEnvironment(&logging, &w.config, &w.agent, &w.pi, &w.openai, &w.shows)
	if err != nil {
		return nil, err
	}
	if w.log, err = logger(c.stderr, logging); err != nil {
		return nil, err
	}
	clean, err := redact.Parse(w.config.Redact)
	if err != nil {
		return nil, usagef("ROLECALL_REDACT: %w", err)
	}
	w.log = clean.Logger(w.log)
	if f.over == overTemporal {
		if w.config.Temporal, err = workers.TemporalFromEnv(); err != nil {
			return nil, usagef("%w", err)
		}
	}
	w.config.Temporal.Logger, w.config.Logger, w.agent.Logger = log.NewStructuredLogger(w.log), w.log, w.log
	f.apply(cmd, w)
	w.agent.Argv, w.pi.Args = program, program
	w.config.AcknowledgeStart = f.adapter != adapterOpenAI // a program that takes its worker down with it is to be found in the chain
	return w, w.complete()
}

// apply lets the flags that were given win over their variables.
func (f workerFlags) apply(cmd *cobra.Command, w *roleWorker) {
	if len(f.roles) > 0 {
		w.config.Roles = nil
		for _, r := range f.roles {
			w.config.Roles = append(w.config.Roles, sdk.Role(strings.TrimSpace(r)))
		}
	}
	if cmd.Flags().Changed("slots") {
		w.config.Slots = f.slots
	}
	if cmd.Flags().Changed("addressable") {
		w.config.Addressable = f.addressable
	}
	if len(f.can) > 0 {
		w.config.Capabilities = f.can
	}
	if f.agentID != "" {
		w.config.AgentID = f.agentID
	}
	if f.workdir != "" {
		w.agent.Workdir = f.workdir
	}
}

// complete fills in what worker and agent share, and checks it.
func (w *roleWorker) complete() error {
	if w.config.AgentID == "" {
		w.config.AgentID = workers.DefaultAgentID()
	}
	if w.config.Slots == 0 {
		return usagef("--slots must be from 1 to %d", workers.MaxSlots)
	}
	if err := errors.Join(w.config.Validate(), w.shows.Validate()); err != nil {
		return usagef("%w", err)
	}
	w.agent.WorkerID, w.agent.Project = w.config.AgentID, w.config.Project
	if w.agent.ServiceURL == "" {
		w.agent.ServiceURL = sdk.DefaultURL
	}
	dir, err := filepath.Abs(w.agent.DataDir)
	if err != nil {
		return fmt.Errorf("ROLECALL_DATA_DIR: %w", err)
	}
	w.agent.DataDir = dir
	return nil
}

// run works until ctx ends.
func (w *roleWorker) run(ctx context.Context) (err error) {
	agent, err := w.newAgent()
	if err != nil {
		return usagef("%w", err)
	}
	defer func() { err = errors.Join(err, agent.Close()) }()
	shown, err := telemetry.Start(ctx, telemetry.Options{
		Config: w.shows, Service: "rolecall-worker", Queues: w.queueLabels(), Logger: w.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shown.Close()) }()
	w.config.Temporal, w.config.Metrics = shown.Instrument(w.config.Temporal), shown.Registerer()
	w.metricsURL = shown.MetricsURL()
	if w.over == overHTTP {
		return w.runOverHTTP(ctx, agent)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return workers.RunRole(ctx, w.config, agent) })
	if w.ready.wanted() {
		group.Go(func() error { return w.announce(ctx) })
	}
	return group.Wait()
}

// queueLabels are what metrics call the queues of the worker: the role, and apart from it what is for this very agent.
func (w *roleWorker) queueLabels() map[string]string {
	labels := map[string]string{}
	for _, r := range w.config.Roles {
		labels[workflows.RoleQueue(w.config.Project, r)] = string(r)
		labels[workflows.AgentQueue(w.config.Project, r, w.config.AgentID)] = string(r) + ".agent"
	}
	return labels
}

// announce announces once the worker asks for the work of every role.
func (w *roleWorker) announce(ctx context.Context) error {
	now := readiness{AgentID: w.config.AgentID, MetricsURL: w.metricsURL}
	var queues []string
	for _, r := range w.config.Roles {
		now.Roles = append(now.Roles, string(r))
		queues = append(queues, workflows.RoleQueue(w.config.Project, r))
	}
	opts := w.config.Temporal
	err := polled(ctx, opts, w.config.AgentID, enumspb.TASK_QUEUE_TYPE_ACTIVITY, queues...)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	return w.ready.announce(now)
}
