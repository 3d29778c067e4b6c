package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
	"github.com/rolecall-dev/rolecall/eventlog"
)

// serveEvents runs the event log alone, for parts that are processes of their own, for as long as use takes.
func serveEvents(c Config, log *slog.Logger, ready *readiness, use func() error) (err error) {
	addr, err := loopback.Check(c.EventsAddr)
	if err != nil {
		return fmt.Errorf("ROLECALL_DEV_EVENTS_ADDR: %w", err)
	}
	at, err := loopback.Reserve(addr)
	if inUse, ok := errors.AsType[*loopback.InUseError](err); ok {
		return fmt.Errorf("%w; set ROLECALL_DEV_EVENTS_ADDR to another address, or end that program", inUse)
	}
	if err != nil {
		return fmt.Errorf("ROLECALL_DEV_EVENTS_ADDR: %w", err)
	}
	server, err := eventlog.StartServer(eventlog.ServerConfig{Dir: c.eventsDir(), Addr: at.String(), Logger: log.With("part", "events")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ready.EventsURL = server.URL()
	return use()
}
