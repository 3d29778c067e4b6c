package e2e_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest/conformance"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestMeetsTheTable holds the real service to the cases that sdk/sdktest holds the one in memory to. The agents' handlers are in this
// process, as those of a worker in Go are.
func TestMeetsTheTable(t *testing.T) {
	t.Parallel()
	conformance.Run(t, conformance.Options{Open: func(t *testing.T) conformance.Target {
		return &stackTarget{scene: newScene(t, sharedStack(t))} // which is another one after some scenes
	}})
}

// stackTarget is a project of a stack as a target of the shared table.
type stackTarget struct{ *scene }

// Client implements [conformance.Target].
func (r *stackTarget) Client() *sdk.Client { return r.client }

// Pass implements [conformance.Target]: time passes by itself, and every case waits for what it brings.
func (r *stackTarget) Pass(time.Duration) {}

// Agent implements [conformance.Target]. It returns when the agent asks for work, and where it can do something when it is registered.
func (r *stackTarget) Agent(role sdk.Role, id string, h sdk.Handler, can ...string) (stop func()) {
	service := ""
	if len(can) > 0 {
		service = r.stack.URL()
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	stopped := make(chan error, 1)
	began := time.Now()
	go func() {
		stopped <- workers.RunRole(ctx, workers.Config{
			Project: r.project, Roles: []sdk.Role{role}, AgentID: id, Addressable: true, DrainGrace: -1,
			Capabilities: can, ServiceURL: service,
			Temporal: client.Options{HostPort: r.stack.TemporalAddr(), DataConverter: workflows.DataConverter()}, Logger: slog.New(slog.DiscardHandler),
		}, h)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			r.t.Errorf("agent %s: %v", id, err)
		}
	})
	r.t.Cleanup(stop)
	for _, queue := range []string{workflows.RoleQueue(r.project, role), workflows.AgentQueue(r.project, role, id)} {
		r.eventually("agent "+id, patience, func() error {
			return dev.Polled(r.t.Context(), r.stack.Temporal(), queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY, began)
		})
	}
	r.registers(id, can)
	return stop
}

// registers waits until an agent that can do something is registered.
func (r *stackTarget) registers(id string, can []string) {
	if len(can) > 0 {
		r.agentIs(r.client, id, func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle && a.Addressable })
	}
}
