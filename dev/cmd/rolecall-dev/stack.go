package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/apiserver"
	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/temporal"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// readyWait bounds the time from a running Temporal to a stack that takes tasks.
const readyWait = 30 * time.Second

// listenAPI opens the API's address before anything is started.
func listenAPI(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address in use: another program listens on %s; set ROLECALL_ADDR to another address, or end that program", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s (ROLECALL_ADDR): %w", addr, err)
	}
	return l, nil
}

// parts are the API and the control worker on a Temporal that runs.
type parts struct {
	api      apiserver.Config
	shared   bool // another server may be asked about this one's leases
	agents   registry.Config
	listener net.Listener
	temporal client.Options
	log      *slog.Logger
}

func newParts(c Config, listener net.Listener, server *temporal.Server, shown *telemetry.Telemetry, logger *slog.Logger) *parts {
	if c.API.TemporalUIURL == "" {
		c.API.TemporalUIURL = server.UIURL()
	}
	c.API.Metrics, c.API.TracerProvider = shown.Registerer(), shown.TracerProvider()
	return &parts{
		api: c.API, shared: c.API.SharesLeases(c.Events), agents: c.Agents, listener: listener, log: logger,
		temporal: shown.Instrument(client.Options{
			HostPort: server.FrontendAddr(), Namespace: client.DefaultNamespace, Identity: "rolecall-dev",
			Logger: log.NewStructuredLogger(logger.With("part", "control")),
		}),
	}
}

// run serves until ctx ends or a part fails, and calls ready once tasks are taken.
func (p *parts) run(ctx context.Context, ready func() error) error {
	redaction, err := p.api.Redaction()
	if err != nil {
		return errors.Join(err, p.listener.Close())
	}
	p.agents.Logger, p.agents.Before = p.log.With("part", "agents"), redaction.Event
	agents := registry.New(p.api.Events, p.agents)
	p.api.Agents = agents
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { agents.Run(ctx); return nil })
	group.Go(func() error { return p.serveAPI(ctx, redaction.Event) })
	group.Go(func() error {
		return workers.RunControl(ctx, workers.ControlConfig{
			Temporal: p.temporal, Redaction: &redaction, Stories: p.api.Events, Agents: agents, Logger: p.log.With("part", "control"),
		})
	})
	group.Go(func() error {
		if err := p.waitReady(ctx, time.Now()); err != nil {
			return ignoreInterrupt(ctx, err)
		}
		return ready()
	})
	return group.Wait()
}

func (p *parts) serveAPI(ctx context.Context, before func(sdk.Event) sdk.Event) error {
	c, err := client.NewLazyClient(p.temporal)
	if err != nil {
		return errors.Join(fmt.Errorf("temporal client: %w", err), p.listener.Close())
	}
	defer c.Close()
	tasks := engine.New(c, engine.Config{
		Namespace: p.temporal.Namespace, UIURL: p.api.TemporalUIURL, Metrics: p.api.Metrics, Logger: p.log.With("part", "api"),
		Events: p.api.Events, Before: before, SharedLeases: p.shared,
	})
	defer tasks.Close()
	p.api.Leases, p.api.Sessions, p.api.Plans = tasks, tasks, tasks
	server, err := apiserver.New(p.api, tasks, p.log.With("part", "api"))
	if err != nil {
		return errors.Join(err, p.listener.Close())
	}
	return server.Serve(ctx, p.listener)
}

func (p *parts) url() string { return "http://" + p.listener.Addr().String() }

// waitReady returns when the API is ready and the control worker asks for work.
func (p *parts) waitReady(ctx context.Context, since time.Time) error {
	c, err := client.NewLazyClient(p.temporal)
	if err != nil {
		return fmt.Errorf("temporal client: %w", err)
	}
	defer c.Close()
	err = dev.Until(ctx, readyWait, func(ctx context.Context) error {
		if err := dev.AnswersOK(ctx, p.url()+"/readyz"); err != nil {
			return err
		}
		return dev.Polled(ctx, c, workflows.ControlQueue, enums.TASK_QUEUE_TYPE_WORKFLOW, since)
	})
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return nil
}
