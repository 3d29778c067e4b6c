package e2e_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest/conformance"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestMeetsTheTableOverHTTP holds agents over leases to the cases of role workers: one set of features, two transports.
func TestMeetsTheTableOverHTTP(t *testing.T) {
	t.Parallel()
	stack := ownStack(t) // with projects of its own: a server without keys has at most 100
	conformance.Run(t, conformance.Options{
		Open: func(t *testing.T) conformance.Target { return &leaseTarget{stackTarget{newScene(t, stack)}} },
		Skip: []string{"an addressed agent has it"}, // over HTTP only one that has registered so is, as those that can do something
	})
}

// leaseTarget is a project whose agents work over HTTP.
type leaseTarget struct{ stackTarget }

// Agent implements [conformance.Target]. It returns when the agent's role is asked for work, and where it can do something when it is
// registered so.
func (r *leaseTarget) Agent(role sdk.Role, id string, h sdk.Handler, can ...string) (stop func()) {
	w, err := sdk.NewWorker(r.client, sdk.WorkerConfig{
		Roles: []sdk.Role{role}, AgentID: id, DrainGrace: -1, Capabilities: can, Addressable: len(can) > 0, Logger: slog.New(slog.DiscardHandler),
	})
	r.do(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	stopped := make(chan error, 1)
	began := time.Now()
	go func() { stopped <- w.StartProcessing(ctx, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			r.t.Errorf("agent %s: %v", id, err)
		}
	})
	r.t.Cleanup(stop)
	r.eventually("agent "+id, patience, func() error {
		return dev.Polled(r.t.Context(), r.stack.Temporal(), workflows.RoleQueue(r.project, role), enumspb.TASK_QUEUE_TYPE_ACTIVITY, began)
	})
	r.registers(id, can)
	return stop
}
