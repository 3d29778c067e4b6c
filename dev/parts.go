package dev

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

// addrs are the addresses of a stack; a restarted process gets the same.
type addrs struct{ temporal, ui, events, api string }

func reserveAddrs() (a addrs, err error) {
	for _, addr := range []*string{&a.temporal, &a.ui, &a.events, &a.api} {
		got, err := loopback.Reserve(loopback.Host + ":0")
		if err != nil {
			return a, fmt.Errorf("dev: %w", err)
		}
		*addr = got.String()
	}
	return a, nil
}

func (s *Stack) profileFile() string { return filepath.Join(s.dir, "temporal.toml") }

// environ is what every process sees: ours without whatever configures rolecall or Temporal, then the stack's.
func (s *Stack) environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !configures(kv) {
			env = append(env, kv)
		}
	}
	env = append(env,
		"ROLECALL_ADDR="+s.addrs.api,
		"ROLECALL_METRICS_ADDR="+loopback.Host+":0",
		"ROLECALL_DATA_DIR="+filepath.Join(s.dir, "data"),
		"ROLECALL_DEV_TEMPORAL_ADDR="+s.addrs.temporal,
		"ROLECALL_DEV_UI_ADDR="+s.addrs.ui,
		"ROLECALL_DEV_EVENTS_ADDR="+s.addrs.events,
		"ROLECALL_NATS_URL="+s.EventsURL(),
		"ROLECALL_TEMPORAL_UI_URL="+s.UIURL(),
		"EVENTS_SERVICE_URL="+s.URL(),
		"ROLECALL_CAPTURE=full", // the control worker, which is a process of its own, does not know whether the API has keys
		"TEMPORAL_ADDRESS="+s.addrs.temporal,
		"TEMPORAL_NAMESPACE=default",
		"TEMPORAL_CONFIG_FILE="+s.profileFile(),
	)
	return append(env, s.opts.Env...)
}

// configures tells whether a variable of ours would change what the stack's processes do.
func configures(kv string) bool {
	for _, prefix := range []string{
		"ROLECALL_", "TEMPORAL_", "OTEL_", "EVENTS_", "NITY_BRIDGE_", "OPENAI_", "AGENT_ID=", "PROJECT_ID=", "ORGANIZATION_ID=", "TASK_POLLING_INTERVAL=", "AGENT_HEARTBEAT_INTERVAL=",
	} {
		if strings.HasPrefix(kv, prefix) {
			return true
		}
	}
	return false
}

func (s *Stack) startTemporal(ctx context.Context) error {
	path, err := Build(ctx, RolecallDev)
	if err != nil {
		return err
	}
	ready := s.readyFile("temporal")
	s.TemporalServer, err = s.Start(ctx, Command{
		Name: "temporal", Path: path, Args: []string{"--only", "temporal", "--ready-file", string(ready)},
		Ready: func(_ context.Context, run Run) error { return ready.check(run) },
	})
	return err
}

// StartEvents starts the event log, for a stack begun without. Its state is in the data directory.
func (s *Stack) StartEvents(ctx context.Context) error {
	path, err := Build(ctx, RolecallDev)
	if err != nil {
		return err
	}
	ready := s.readyFile("events")
	s.Events, err = s.Start(ctx, Command{
		Name: "events", Path: path, Args: []string{"--only", "events", "--ready-file", string(ready)},
		Ready: func(_ context.Context, run Run) error { return ready.check(run) },
	})
	return err
}

// StartAPI starts the API, for a stack begun without.
func (s *Stack) StartAPI(ctx context.Context) error {
	path, err := Build(ctx, Rolecall)
	if err != nil {
		return err
	}
	s.API, err = s.Start(ctx, Command{
		Name: "api", Path: path, Args: []string{"serve", "--api", "--ready-file", string(s.readyFile("api"))},
		Ready: func(ctx context.Context, _ Run) error { return AnswersOK(ctx, s.URL()+"/readyz") },
	})
	return err
}

// StartControl starts the control worker, for a stack begun without.
func (s *Stack) StartControl(ctx context.Context) error {
	path, err := Build(ctx, Rolecall)
	if err != nil {
		return err
	}
	ready := s.readyFile("control")
	s.Control, err = s.Start(ctx, Command{
		Name: "control", Path: path, Args: []string{"serve", "--control", "--ready-file", string(ready)},
		Ready: func(_ context.Context, run Run) error { return ready.check(run) },
	})
	return err
}

// silent is a logger for the clients in this process: a test that kills Temporal knows that it is away.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
