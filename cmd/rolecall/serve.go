package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

func serveCommand(c *console) *cobra.Command {
	var api, control bool
	var readyFile string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API and run the control worker",
		Long: `Serve the HTTP API and run the control worker, both unless one is named, until SIGINT or SIGTERM. Then open requests get
ROLECALL_SHUTDOWN_GRACE to end; a second signal ends the process at once. It starts while Temporal is away and waits for it.

Both keep the events of tasks in one log: the NATS at ROLECALL_NATS_URL, which may be away for a while, or one of this process alone in
ROLECALL_DATA_DIR. So --api and --control need ROLECALL_NATS_URL.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			both := api == control
			s, err := newServe(c, both || api, both || control, readyFile)
			if err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&api, "api", false, "serve the HTTP API only")
	cmd.Flags().BoolVar(&control, "control", false, "run the control worker only")
	readyFlag(cmd, &readyFile)
	return cmd
}

func readyFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "ready-file", "", "when ready, write a line of JSON to this file")
}

// serve is the API, the control worker or both.
type serve struct {
	api, control  bool
	apiConfig     apiserver.Config
	controlConfig workers.ControlConfig
	events        eventlog.Config
	agents        registry.Config
	registry      *registry.Registry // of agents; there once it runs
	shows         telemetry.Config
	temporal      client.Options
	log           *slog.Logger
	ready         announcer
}

func newServe(c *console, api, control bool, readyFile string) (*serve, error) {
	s := &serve{api: api, control: control, ready: announcer{c, readyFile}}
	var logging logConfig
	err := readEnvironment(&logging, &s.apiConfig, &s.controlConfig, &s.events, &s.agents, &s.shows)
	if err != nil {
		return nil, err
	}
	if s.log, err = logger(c.stderr, logging); err != nil {
		return nil, err
	}
	if s.temporal, err = workers.TemporalFromEnv(); err != nil {
		return nil, usagef("%w", err)
	}
	if s.apiConfig.Capture == "" && !api { // whether the API has keys is not known here
		s.apiConfig.Capture = string(redact.CaptureMetadata)
	}
	redaction, err := s.apiConfig.Redaction()
	if err != nil {
		return nil, usagef("%w", err)
	}
	s.log, s.controlConfig.Redaction = redaction.Redactor.Logger(s.log), &redaction
	s.temporal.Logger = log.NewStructuredLogger(s.log)
	if s.temporal.Identity == "" {
		s.temporal.Identity = processIdentity("rolecall-serve")
	}
	s.controlConfig.Logger, s.events.Logger = s.log, s.log.With("part", "events")
	s.agents.Logger, s.agents.Before = s.log.With("part", "agents"), redaction.Event
	s.events.Dir = filepath.Join(s.apiConfig.DataDir, eventsDir)
	err = errors.Join(s.shows.Validate(), s.events.Validate(), s.agents.Validate())
	if s.events.URL == "" && !(api && control) {
		err = errors.Join(err, errors.New("serve --api and serve --control write and read one event log: set ROLECALL_NATS_URL to a NATS with JetStream, "+
			"the same for both, or run both in one process with rolecall serve, which has a log of its own"))
	}
	if api {
		err = errors.Join(err, s.apiConfig.Validate())
	}
	if control {
		err = errors.Join(err, s.controlConfig.Validate())
	}
	if err != nil {
		return nil, usagef("%w", err)
	}
	return s, nil
}

// eventsDir is where an embedded event log is in the data directory.
const eventsDir = "events"

// processIdentity names this process among Temporal's pollers.
func processIdentity(what string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s-%d@%s", what, os.Getpid(), host)
}

// run serves until ctx ends or one of the parts fails, which ends the other.
func (s *serve) run(ctx context.Context) (err error) {
	shown, err := telemetry.Start(ctx, telemetry.Options{
		Config: s.shows, Service: "rolecall-serve", FallbackAddr: telemetry.DefaultMetricsAddr, Logger: s.log,
		Queues: map[string]string{workflows.ControlQueue: workflows.ControlQueue},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shown.Close()) }()
	s.temporal = shown.Instrument(s.temporal)
	s.controlConfig.Temporal = s.temporal
	s.apiConfig.Metrics, s.apiConfig.TracerProvider = shown.Registerer(), shown.TracerProvider()
	events, err := eventlog.Open(ctx, s.events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	s.registry = registry.New(events, s.agents)
	s.apiConfig.Events, s.controlConfig.Stories = events, events
	s.apiConfig.Agents, s.controlConfig.Agents = s.registry, s.registry
	now := readiness{MetricsURL: shown.MetricsURL()}
	var listener net.Listener
	if s.api {
		if listener, err = listen(ctx, s.apiConfig.Addr); err != nil {
			return err
		}
		now.APIURL = "http://" + listener.Addr().String()
		if err := s.ready.announce(now); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if s.api {
		group.Go(func() error { return s.serveAPI(ctx, listener) })
	}
	if s.control {
		group.Go(func() error { return workers.RunControl(ctx, s.controlConfig) })
		if s.ready.wanted() {
			group.Go(func() error { return s.announceControl(ctx, now) })
		}
	}
	return group.Wait()
}

func (s *serve) serveAPI(ctx context.Context, listener net.Listener) error {
	temporal, err := client.NewLazyClient(s.temporal)
	if err != nil {
		return errors.Join(fmt.Errorf("temporal client: %w", err), listener.Close())
	}
	defer temporal.Close()
	tasks := engine.New(temporal, engine.Config{
		Namespace: s.temporal.Namespace, UIURL: s.apiConfig.TemporalUIURL, DataConverter: s.temporal.DataConverter,
		Metrics: s.apiConfig.Metrics, Logger: s.log, Events: s.apiConfig.Events, Before: s.controlConfig.Redaction.Event,
		SharedLeases: s.apiConfig.SharesLeases(s.events),
	})
	defer tasks.Close()
	s.apiConfig.Leases, s.apiConfig.Sessions, s.apiConfig.Plans = tasks, tasks, tasks
	server, err := apiserver.New(s.apiConfig, tasks, s.log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(ctx, listener) })
	group.Go(func() error { s.registry.Run(ctx); return nil })
	return group.Wait()
}

// announceControl announces once more when the control worker asks for work.
func (s *serve) announceControl(ctx context.Context, now readiness) error {
	err := polled(ctx, s.temporal, s.temporal.Identity, enumspb.TASK_QUEUE_TYPE_WORKFLOW, workflows.ControlQueue)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	now.Control = true
	return s.ready.announce(now)
}

// listen opens the API's address; a taken one is named with the variable that moves it.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program; set ROLECALL_ADDR to another address, or end that program: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (ROLECALL_ADDR): %w", addr, err)
	}
	return l, nil
}
