package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
)

// RunRole lets h work on the tasks of the configured roles until ctx ends; then it drains and answers nil. It waits for Temporal to
// be there. h is called from several goroutines when there are several slots.
//
// Draining takes no more tasks: one that a poll under way still brings is given back. Attempts that run may go on for DrainGrace;
// then their context ends with [sdk.ErrInterruptedAttempt] and they are given back with what they kept by Resume, to be gone on
// with by another worker. An agent that does not obey for 10 s is left behind, and RunRole answers an error that says so: end the
// process then. An idle worker needs up to 11 s, as long as its last poll lasts, unless the server can end polls.
func RunRole(ctx context.Context, cfg Config, h sdk.Handler) error {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return err
	}
	if h == nil {
		return errors.New("a role worker needs a handler")
	}
	polled := newPolls()
	opts := polled.bound(withTemporalDefaults(cfg.Temporal))
	opts.Identity = cfg.AgentID
	c, err := Dial(ctx, opts, cfg.Logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer c.Close()
	w := newRoleWorker(ctx, cfg, h, c)
	if err := w.metrics.register(cfg.Metrics, w.slots); err != nil {
		return err
	}
	w.polls = polled
	return w.serve(ctx, c, endsPolls(ctx, c, opts.Namespace))
}

// roleWorker is a process that serves roles: what its attempts share.
type roleWorker struct {
	cfg      Config
	handler  sdk.Handler
	port     temporalPort
	base     context.Context // the values of the caller's context; never ends
	slots    *slots
	metrics  *metrics
	polls    *polls
	pace     pace
	clean    *redact.Redactor
	outputs  outputPort // nil without a service
	presence *sdk.Presence
	*drain
}

func newRoleWorker(ctx context.Context, cfg Config, h sdk.Handler, port temporalPort) *roleWorker {
	base := context.WithoutCancel(ctx)
	clean, err := redact.Parse(cfg.Redact)
	if err != nil { // it is checked before
		clean = redact.Default()
	}
	cfg.Logger = clean.Logger(cfg.Logger)
	w := &roleWorker{
		cfg: cfg, handler: h, port: port, base: base, clean: clean,
		slots: newSlots(cfg.Slots), metrics: newMetrics(cfg), polls: newPolls(), drain: newDrain(base),
	}
	var registry sdk.Registry
	if c, err := cfg.service(); err == nil && c != nil {
		w.outputs, registry = c, c
	}
	w.presence = newPresence(cfg, registry)
	return w
}

// serve runs one Temporal worker for each queue until ctx ends or one of them fails for good, and drains.
func (w *roleWorker) serve(ctx context.Context, c client.Client, pollsEnd bool) error {
	fatal := make(chan error, 1)
	var running []worker.Worker
	workers := make([]worker.Worker, len(w.queues())) // all of them, before one polls: they know of each other
	for i, queue := range w.queues() {
		var err error
		if workers[i], err = w.queueWorker(c, queue, fatal); err != nil {
			return fmt.Errorf("poll the queue %s: %w", queue, err)
		}
	}
	for i, queue := range w.queues() {
		if err := workers[i].Start(); err != nil {
			return errors.Join(fmt.Errorf("poll the queue %s: %w", queue, err), w.stop(running, pollsEnd))
		}
		running = append(running, workers[i])
	}
	defer w.presence.Keep(w.base)() // and says at the end that it goes
	w.cfg.Logger.Info("role worker runs", "agent", w.cfg.AgentID, "queues", w.queues(), "slots", w.cfg.Slots)
	var failed error
	select {
	case <-ctx.Done():
	case err := <-fatal:
		failed = fmt.Errorf("the role worker stopped: %w", err)
	}
	w.presence.Drain()
	return errors.Join(failed, w.stop(running, pollsEnd))
}

// queues are every role's queue, and those of this very agent when it can be addressed.
func (w *roleWorker) queues() []string {
	var list []string
	for _, role := range w.cfg.Roles {
		list = append(list, workflows.RoleQueue(w.cfg.Project, role))
		if w.cfg.Addressable {
			list = append(list, workflows.AgentQueue(w.cfg.Project, role, w.cfg.AgentID))
		}
	}
	return list
}

// isOwn reports whether a queue is that of this very agent.
func (w *roleWorker) isOwn(queue string) bool {
	return slices.ContainsFunc(w.cfg.Roles, func(role sdk.Role) bool {
		return queue == workflows.AgentQueue(w.cfg.Project, role, w.cfg.AgentID)
	})
}

// queueWorker is the Temporal worker of one queue. It has no deployment options: see [Config].
func (w *roleWorker) queueWorker(c client.Client, queue string, fatal chan<- error) (worker.Worker, error) {
	permits, pollers := &queueSlots{shared: w.slots}, min(w.cfg.Slots, maxPollers)
	if w.isOwn(queue) {
		permits, pollers = w.slots.newOwnSlots(), 1
	}
	tuner, err := permits.tuner()
	if err != nil {
		return nil, err
	}
	tw := worker.New(c, queue, worker.Options{
		Identity:                         w.cfg.AgentID,
		DisableWorkflowWorker:            true,
		Tuner:                            tuner,
		MaxConcurrentActivityTaskPollers: pollers,
		WorkerStopTimeout:                w.cfg.DrainGrace + handlerStop + answerStop,
		OnFatalError:                     first(fatal),
	})
	tw.RegisterDynamicActivity(w.executeTask, activity.DynamicRegisterOptions{})
	return tw, nil
}
