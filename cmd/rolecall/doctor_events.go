package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// eventsWait bounds the look at the event log.
const eventsWait = 5 * time.Second

// eventsAway is what the API's readiness says of an event log that it can not reach.
const eventsAway = "unavailable"

// eventsSeen is the event log: at ROLECALL_NATS_URL, or as the API speaks of its own.
type eventsSeen struct {
	URL     string `json:"url,omitempty"` // empty: the API was asked
	Status  string `json:"status"`        // reachable, or what the API says
	Streams int    `json:"streams,omitempty"`
	Events  uint64 `json:"events,omitempty"`
	Bytes   uint64 `json:"bytes,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// eventsConfig reads where the log is. Only the variables of a log that is a server of its own matter here.
func eventsConfig() (eventlog.Config, error) {
	var cfg eventlog.Config
	if err := readEnvironment(&cfg); err != nil {
		return cfg, err
	}
	if cfg.URL == "" {
		return cfg, nil
	}
	cfg.Logger = silent()
	if err := cfg.Validate(); err != nil {
		return cfg, usagef("%w", err)
	}
	return cfg, nil
}

// lookAtEvents looks at the event log; nil where nobody tells of one.
func lookAtEvents(ctx context.Context, cfg eventlog.Config, service string) *eventsSeen {
	ctx, cancel := context.WithTimeout(ctx, eventsWait)
	defer cancel()
	if cfg.URL == "" {
		return eventsOfService(ctx, service)
	}
	seen := &eventsSeen{URL: redacted(variable{}, cfg.URL), Status: "reachable"}
	u, err := usageOf(ctx, cfg)
	if err != nil {
		seen.Status, seen.Problem = eventsAway, err.Error()
		if e, ok := errors.AsType[*sdk.Error](err); ok {
			seen.Problem = e.Message
		}
	}
	seen.Streams, seen.Events, seen.Bytes = u.Streams, u.Events, u.Bytes
	return seen
}

func usageOf(ctx context.Context, cfg eventlog.Config) (u eventlog.Usage, err error) {
	log, err := eventlog.Open(ctx, cfg)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if err := log.Await(ctx); err != nil {
		return u, err
	}
	return log.Usage(ctx)
}

// eventsOfService is what the API's readiness says of its log; nil where it says nothing.
func eventsOfService(ctx context.Context, service string) *eventsSeen {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(service, "/")+"/readyz", nil)
	if err != nil {
		return nil
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var said struct {
		Events string `json:"events"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) != nil || said.Events == "" {
		return nil
	}
	return &eventsSeen{Status: said.Events}
}

// faults are what is to be done about the log.
func (e *eventsSeen) faults() []finding {
	const meanwhile = "; tasks run without it meanwhile, and their events come when it is back"
	switch {
	case e == nil || e.Status != eventsAway:
		return nil
	case e.URL == "":
		return []finding{{"the API can not reach its event log", "look at ROLECALL_NATS_URL of rolecall serve, and at its log" + meanwhile}}
	default:
		return []finding{{
			"the event log can not be reached: " + e.Problem, "start the NATS at ROLECALL_NATS_URL, or look at that and the other ROLECALL_NATS_* variables" + meanwhile,
		}}
	}
}

func (e *eventsSeen) text() string {
	if e.URL == "" {
		return printable(e.Status, false) + ", says the API"
	}
	if e.Status == eventsAway {
		return "cannot be reached"
	}
	return fmt.Sprintf("%s, %d events in %d streams, %s", e.Status, e.Events, e.Streams, sizeText(e.Bytes))
}

// sizeText is a number of bytes for people.
func sizeText(bytes uint64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case bytes >= gib:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
	case bytes >= mib:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/mib)
	default:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/kib)
	}
}
