package e2e_test

import (
	"context"
	"encoding/json"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// inProcess runs a coder, or an agent of other roles, of the scene's project in this process until the test ends, or stop is called.
func (s *scene) inProcess(agentID string, slots int, h sdk.Handler, roles ...sdk.Role) (stop func()) {
	s.t.Helper()
	if len(roles) == 0 {
		roles = []sdk.Role{sdk.RoleCoder}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	stopped := make(chan error, 1)
	go func() {
		stopped <- workers.RunRole(ctx, workers.Config{
			Project: s.project, Roles: roles, AgentID: agentID, Slots: slots, DrainGrace: -1,
			Temporal: client.Options{HostPort: s.stack.TemporalAddr(), DataConverter: workflows.DataConverter()}, Logger: slog.New(slog.DiscardHandler),
		}, h)
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			s.t.Errorf("the worker: %v", err)
		}
	})
	return cancel
}

// doneAtOnce is a handler that completes every task at once.
func doneAtOnce(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
	return &sdk.Result{Output: json.RawMessage("true")}, nil
}
