package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults and bounds of a [Worker].
const (
	DefaultWorkerSlots = 1
	MaxWorkerSlots     = 1000
	DefaultWorkerGrace = 30 * time.Second
)

const (
	claimWait     = 10 * time.Second // of one claim
	claimTurn     = 2 * time.Second  // of one claim where several roles take turns
	claimEarly    = time.Second      // after a claim that ends empty sooner than this the next one is not sent at once
	claimPause    = 200 * time.Millisecond
	claimPauseMax = 5 * time.Second
	handlerStop   = 10 * time.Second // for a handler to return once its context has ended
)

// WorkerConfig is a [Worker]. Only Roles is required; every other zero value means its default.
type WorkerConfig struct {
	// Roles to work for, each once. Several take turns, so that a task may wait up to 2 s more for each other role.
	Roles []Role
	// AgentID names the agent in a task's attempts. Default: the client's own (AGENT_ID), else host name and process id.
	AgentID string
	// Name is what people call the agent in the registry. Default: AgentID.
	Name string
	// Capabilities is what the agent can do, for tasks that ask for it; at most 50.
	Capabilities []string
	// Addressable also takes tasks of its roles that ask for this very AgentID, which should then be one that stays.
	Addressable bool
	// Slots is how many tasks run at once, over all roles; 1 to 1000. Default 1.
	Slots int
	// DrainGrace is how long running tasks may go on once the worker is told to stop. Default 30 s; negative is none.
	DrainGrace time.Duration
	// Logger gets the worker's log. It never sees inputs, outputs, keys or leases. Default [slog.Default].
	Logger *slog.Logger
}

// Worker is an agent over HTTP: it claims tasks of its roles, keeps their leases while handlers work, and answers with what they return. It
// is what a role worker is to Temporal, with the same [Handler], for an agent that has nothing but an API key with the scope work. While it
// works it is in the registry of agents, for its first role, with a heartbeat each HeartbeatIntervalMs of the client or more often.
type Worker struct {
	client   *Client
	cfg      WorkerConfig
	presence *Presence

	mu       sync.Mutex
	handlers map[TaskType]Handler
	started  bool

	running atomic.Int64 // attempts in hand
	left    atomic.Int64 // handlers that did not stop
}

// NewWorker makes a worker that does nothing yet. A configuration that is not valid is an [Error] of code invalid_input that names each fault.
func NewWorker(client *Client, cfg WorkerConfig) (*Worker, error) {
	if cfg.AgentID == "" {
		cfg.AgentID = client.cfg.AgentID
	}
	if cfg.AgentID == "" {
		cfg.AgentID = DefaultAgentID()
	}
	if cfg.Slots == 0 {
		cfg.Slots = DefaultWorkerSlots
	}
	switch {
	case cfg.DrainGrace == 0:
		cfg.DrainGrace = DefaultWorkerGrace
	case cfg.DrainGrace < 0:
		cfg.DrainGrace = 0
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var f faults
	if len(cfg.Roles) == 0 {
		f.add("Roles", "name at least one role to work for, such as coder")
	}
	for i, r := range cfg.Roles {
		if !r.Valid() {
			f.add("Roles", "%q must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -", r)
		}
		if slices.Contains(cfg.Roles[:i], r) {
			f.add("Roles", "%q is named twice", r)
		}
	}
	if !ValidID(cfg.AgentID) {
		f.add("AgentID", "%q must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -", cfg.AgentID)
	}
	if cfg.Slots < 1 || cfg.Slots > MaxWorkerSlots {
		f.add("Slots", "must be from 1 to %d", MaxWorkerSlots)
	}
	agent := AgentRequest{
		ID: cfg.AgentID, Name: cfg.Name, Capabilities: cfg.Capabilities, Slots: cfg.Slots, Addressable: cfg.Addressable,
	}.ForRoles(cfg.Roles...)
	f = append(f, registryFaults(agent)...)
	if len(f) > 0 {
		return nil, &Error{Code: CodeInvalidInput, Message: "the worker's configuration is not valid", Faults: f}
	}
	presence := NewPresence(PresenceConfig{
		Registry: client, Agent: agent, Interval: time.Duration(client.cfg.HeartbeatIntervalMs) * time.Millisecond, Logger: cfg.Logger,
	})
	return &Worker{client: client, cfg: cfg, presence: presence, handlers: map[TaskType]Handler{}}, nil
}

// registryFaults are what the registry would refuse of a worker's name and capabilities.
func registryFaults(agent AgentRequest) (found faults) {
	e, _ := errors.AsType[*Error](agent.Validate())
	if e == nil {
		return nil
	}
	for _, f := range e.Faults {
		switch {
		case f.Path == "$.name" && agent.Name != agent.ID:
			found.add("Name", "%s", f.Message)
		case strings.HasPrefix(f.Path, "$.capabilities"):
			found.add("Capabilities"+strings.TrimPrefix(f.Path, "$.capabilities"), "%s", f.Message)
		}
	}
	return found
}

// AgentID is the id that the worker works as.
func (w *Worker) AgentID() string { return w.cfg.AgentID }

// OnTask has a handler do the tasks of a type; a type has one handler, the last. Call it before [Worker.StartProcessing].
func (w *Worker) OnTask(kind TaskType, h Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handlers[kind] = h
}

// StartProcessing works until ctx ends; then it drains and answers nil. h does the tasks of every type that has no handler by [Worker.OnTask];
// it may be nil where there is one, and then a task of another type fails with unsupported_type, so that its next stage is tried. Handlers
// are called from several goroutines where there are several slots. A service that is away or fails is waited for; one that refuses, as for a
// key without the scope work, ends the worker with its error.
//
// Draining claims nothing more and breaks claims off; what one still brings is given back. What runs may go on for DrainGrace; then its context ends with [ErrInterruptedAttempt] and it is given back with what it kept by Resume. A handler that
// does not obey for 10 s is left behind, and StartProcessing answers an error that says so: end the process then.
func (w *Worker) StartProcessing(ctx context.Context, h Handler) error {
	w.mu.Lock()
	again, idle := w.started, h == nil && len(w.handlers) == 0
	w.started = true
	w.mu.Unlock()
	switch {
	case again:
		return Errorf(CodeInvalidInput, "the worker is started already; make another one")
	case idle:
		return Errorf(CodeInvalidInput, "the worker has nothing to do: give it a handler, or add some with OnTask")
	}
	w.cfg.Logger.Info("worker runs over HTTP", "agent", w.cfg.AgentID, "roles", w.cfg.Roles, "slots", w.cfg.Slots)
	claiming, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	interrupted, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(claiming, func() {
		grace := time.AfterFunc(w.cfg.DrainGrace, cut)
		context.AfterFunc(interrupted, func() { grace.Stop() })
	})()
	defer context.AfterFunc(claiming, w.presence.Drain)()
	defer w.presence.Keep(context.WithoutCancel(ctx))()
	w.presence.begun(claiming) // a claim of an agent that nobody knows is not one that the registry sees
	var slots sync.WaitGroup
	for n := range w.cfg.Slots {
		slots.Go(func() {
			if err := w.serve(claiming, interrupted, n, h); err != nil {
				stop(err)
			}
		})
	}
	slots.Wait()
	if left := w.left.Load(); left > 0 {
		return fmt.Errorf("%d agents did not stop within %s after they were told to; their attempts will be seen as lost", left, handlerStop)
	}
	if err := context.Cause(claiming); ctx.Err() == nil && err != nil {
		return err
	}
	w.cfg.Logger.Info("worker stopped")
	return nil
}

// serve is one slot: it claims and works in turn until claiming ends. It answers an error when the service refuses.
func (w *Worker) serve(claiming, interrupted context.Context, turn int, fallback Handler) error {
	wait := claimWait
	if len(w.cfg.Roles) > 1 {
		wait = claimTurn
	}
	retry, early := backoff{initial: claimPause, limit: claimPauseMax}, backoff{initial: claimPause, limit: claimPauseMax}
	for ; claiming.Err() == nil; turn++ {
		role := w.cfg.Roles[turn%len(w.cfg.Roles)]
		began := time.Now()
		// The service gives back, or hands on, what comes for a claim that is broken off.
		lease, err := w.client.Claim(claiming, role, ClaimRequest{AgentID: w.cfg.AgentID, WaitMs: wait.Milliseconds()})
		switch {
		case err != nil && claiming.Err() != nil:
			return nil
		case err != nil && refused(err):
			return fmt.Errorf("claim a task of the role %s: %w", role, err)
		case err != nil:
			pause, _ := retry.next(err)
			w.cfg.Logger.Warn("no task could be claimed; trying again", "role", role, "after", pause, "error", err)
			if sleep(claiming, pause) != nil {
				return nil
			}
		case lease != nil:
			retry.reset()
			early.reset()
			w.work(claiming, interrupted, lease, w.handlerOf(lease.Task.Type, fallback))
		case time.Since(began) < claimEarly: // the service stops, or does not wait
			retry.reset()
			pause, _ := early.next(nil)
			if sleep(claiming, pause) != nil {
				return nil
			}
		default:
			retry.reset()
			early.reset()
		}
	}
	return nil
}

// refused reports whether an agent's call is refused for good. Any other failure may be over when the call is sent again.
func refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		return true
	case 0:
		return e.Code == CodeInvalidInput || e.Code == CodeInvalidJSON
	default:
		return false
	}
}

// handlerOf is the handler for tasks of a type.
func (w *Worker) handlerOf(kind TaskType, fallback Handler) Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.handlers[kind]; h != nil {
		return h
	}
	if fallback != nil {
		return fallback
	}
	return HandlerFunc(func(context.Context, *Assignment, Reporter) (*Result, error) {
		return nil, Final("unsupported_type", fmt.Errorf("this agent does no tasks of the type %s", kind))
	})
}
