package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/rolecall-dev/rolecall/dev/bench"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
)

// serve is this process as a worker of the bench.
func serve(ctx context.Context, f flags) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	opts, err := workers.TemporalFromEnv()
	if err != nil {
		return err
	}
	switch bench.Part(f.part) {
	case bench.PartBareWorkflows:
		return bench.RunBareWorkflows(ctx, opts)
	case bench.PartBareActivities:
		return bench.RunBareActivities(ctx, opts, f.settings.Slots)
	case bench.PartRole:
		return bench.RunRole(ctx, opts, f.settings.Slots, f.settings.Acknowledge)
	default:
		return fmt.Errorf("%w: -part %q is no worker of the bench", errUsage, f.part)
	}
}

// call is this process as the callers of one block.
func call(ctx context.Context, f flags) error {
	opts, err := workers.TemporalFromEnv()
	if err != nil {
		return err
	}
	service, err := sdk.ConfigFromEnv()
	if err != nil {
		return err
	}
	called, err := bench.Call{
		Level: bench.Level(f.call), Callers: f.settings.Callers[0], WarmUp: f.settings.WarmUp, Block: f.settings.Block,
		Temporal: opts, Service: service,
	}.Run(ctx)
	if err != nil {
		return err
	}
	return called.Write(f.into)
}
