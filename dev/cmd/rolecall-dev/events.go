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
	if err != nil {
		return explainEvents(err)
	}
	server, err := eventlog.StartServer(eventlog.ServerConfig{Dir: c.eventsDir(), Addr: at.String(), Logger: log.With("part", "events")})
	if err != nil {
		_, taken := loopback.Reserve(at.String()) // since it was looked at above
		return errors.Join(explainEvents(taken), err)
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	ready.EventsURL = server.URL()
	return use()
}

// explainEvents names the variable that moves the event log, where its address is what is wrong.
func explainEvents(err error) error {
	if err == nil {
		return nil
	}
	if inUse, ok := errors.AsType[*loopback.InUseError](err); ok {
		return fmt.Errorf("%w; set ROLECALL_DEV_EVENTS_ADDR to another address, or end that program", inUse)
	}
	return fmt.Errorf("ROLECALL_DEV_EVENTS_ADDR: %w", err)
}
