package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/rolecall-dev/rolecall/cmd/telemetry"
	"github.com/rolecall-dev/rolecall/dev/temporal"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/workflows"
)

// run starts what the flags ask for, announces it and ends it when ctx does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	f, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	c, err := parseConfig()
	if err != nil {
		return err
	}
	log := c.logger(stderr)
	c.Events.Logger = log.With("part", "events")
	ready := readiness{PID: os.Getpid()}
	announce := func() error { return ready.announce(f, c, stdout) }
	untilDone := func() error {
		if err := announce(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	switch f.only {
	case onlyTemporal:
		return withTemporal(ctx, c, log, &ready, func(*temporal.Server) error { return untilDone() })
	case onlyEvents:
		return serveEvents(c, log, &ready, untilDone)
	}
	listener, err := listenAPI(ctx, c.API.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // once served it has been closed
	shown, err := telemetry.Start(ctx, telemetry.Options{
		Config: c.Shows, Service: "rolecall-dev", FallbackAddr: telemetry.DefaultMetricsAddr, Logger: log,
		Queues: map[string]string{workflows.ControlQueue: workflows.ControlQueue},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shown.Close()) }()
	events, err := eventlog.Open(ctx, c.Events)
	if err != nil {
		return ignoreInterrupt(ctx, err)
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	c.API.Events = events
	return withTemporal(ctx, c, log, &ready, func(server *temporal.Server) error {
		p := newParts(c, listener, server, shown, log)
		ready.APIURL, ready.MetricsURL = p.url(), shown.MetricsURL()
		return p.run(ctx, announce)
	})
}

// withTemporal runs Temporal and its Web UI for as long as use takes.
func withTemporal(ctx context.Context, c Config, log *slog.Logger, ready *readiness, use func(*temporal.Server) error) (err error) {
	server, err := startTemporal(ctx, c, log)
	if err != nil {
		return ignoreInterrupt(ctx, explain(err))
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ready.TemporalAddr, ready.UIURL = server.FrontendAddr(), server.UIURL()
	return use(server)
}

func startTemporal(ctx context.Context, c Config, log *slog.Logger) (*temporal.Server, error) {
	return temporal.Start(ctx, temporal.Options{
		FrontendAddr:     c.TemporalAddr,
		UIAddr:           c.UIAddr,
		DBFile:           c.dbFile(),
		SearchAttributes: workflows.SearchAttributes(),
		Logger:           log.With("part", "temporal"),
		LogLevel:         c.temporalLogLevel(),
	})
}

// ignoreInterrupt makes an interrupted start a clean end.
func ignoreInterrupt(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
