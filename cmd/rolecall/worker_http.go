package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/sdk"
)

// runOverHTTP works by leases of the API until ctx ends.
func (w *roleWorker) runOverHTTP(ctx context.Context, agent sdk.Handler) error {
	client, err := sdk.NewClient(sdk.Config{
		URL: w.agent.ServiceURL, APIKey: w.config.APIKey, ProjectID: w.config.Project, AgentID: w.config.AgentID, UserAgent: "rolecall-worker",
		HeartbeatIntervalMs: w.config.HeartbeatIntervalMs,
	})
	if err != nil {
		return usagef("%w", err)
	}
	worker, err := sdk.NewWorker(client, sdk.WorkerConfig{
		Roles: w.config.Roles, Name: w.config.Name, Capabilities: w.config.Capabilities, Addressable: w.config.Addressable,
		Slots: w.config.Slots, DrainGrace: w.config.DrainGrace, Logger: w.log,
	})
	if err != nil {
		return usagef("%w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return worker.StartProcessing(ctx, agent) })
	if w.ready.wanted() {
		group.Go(func() error { return w.announceOverHTTP(ctx, client) })
	}
	return group.Wait()
}

// announceOverHTTP announces once the API can be reached, and has Temporal.
func (w *roleWorker) announceOverHTTP(ctx context.Context, client *sdk.Client) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for client.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	now := readiness{AgentID: w.config.AgentID, MetricsURL: w.metricsURL}
	for _, r := range w.config.Roles {
		now.Roles = append(now.Roles, string(r))
	}
	return w.ready.announce(now)
}
