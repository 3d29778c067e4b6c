package e2e_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/registry"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// awayLog is an event log that keeps nothing, and may be away.
type awayLog struct{ away atomic.Bool }

func (l *awayLog) set(away bool) error {
	l.away.Store(away)
	return nil
}

// Tell acknowledges everything unless it is away.
func (l *awayLog) Tell(context.Context, string, string, string, int, []sdk.Event) error {
	if l.away.Load() {
		return sdk.Errorf(sdk.CodeUnavailable, "the event log can not be reached; try again")
	}
	return nil
}

// surroundings are what scenarios change around a run.
type surroundings struct {
	away func(bool) error                              // lets the event log go away, and come back
	able func(project, id string, can ...string) error // registers an addressable coder
}

// registerAgent registers an addressable coder with the stack's event log.
func registerAgent(t *testing.T, stack *dev.Stack, project, id string, can []string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := eventlog.Open(ctx, eventlog.Config{URL: stack.EventsURL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = events.Close() }() // nothing waits in it
	if err := events.Await(ctx); err != nil {
		return err
	}
	_, err = registry.New(events, registry.Config{Logger: slog.New(slog.DiscardHandler)}).Register(ctx, project, project, sdk.AgentRequest{
		ID: id, Name: id, Role: sdk.RoleCoder, Capabilities: can, Slots: 1, Addressable: true,
	})
	return err
}

// looksBesideAnAsk waits until the run looks for another agent while it asks one again.
func (s *scene) looksBesideAnAsk(id string) {
	s.t.Helper()
	s.eventually("a look beside an ask", patience+30*time.Second, func() error {
		return atLeast(5, s.history(id)[enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]) // two looks, two asks, and it
	})
}

// signalled waits until a run has had n signals.
func (s *scene) signalled(id string, n int) {
	s.t.Helper()
	s.eventually("signals of the run", patience, func() error {
		return atLeast(n, s.history(id)[enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED])
	})
}

// controlWithoutCache runs a control worker in this process, where TestMain sees to it that no run is kept in memory. It fails a run
// that does not replay instead of waiting for a mended worker. log and agents may be nil.
func controlWithoutCache(t *testing.T, stack *dev.Stack, log activities.StoryLog, agents activities.Agents) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() {
		stopped <- workers.RunControl(ctx, workers.ControlConfig{
			FailOnPanic: true, Stories: log, Agents: agents, Logger: slog.New(slog.DiscardHandler),
			Temporal: client.Options{
				HostPort: stack.TemporalAddr(), Identity: "control", Logger: slog.New(slog.DiscardHandler), DataConverter: workflows.DataConverter(),
			},
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("the control worker: %v", err)
		}
	})
	if err := dev.Until(t.Context(), patience, func(ctx context.Context) error {
		return dev.Polled(ctx, stack.Temporal(), workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW, time.Time{})
	}); err != nil {
		t.Fatal(err)
	}
}
