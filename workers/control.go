package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	controlStop = 10 * time.Second
	// controlThinks is how long a run may go on within a workflow task before it is taken for stuck. The expressions of a large plan are
	// compiled at once, and may all be evaluated then, which takes up to about a second where nothing else runs, most of it for reading
	// outputs: Temporal's own second would not do for that. A workflow task has 10 seconds in all.
	controlThinks = 5 * time.Second
)

// ControlConfig is a control worker: it runs every workflow and needs no agent.
type ControlConfig struct {
	// DeploymentName and BuildID turn Worker Deployment Versioning on; both are set or neither. Runs stay on the version they
	// began on. A version becomes current by itself only when the deployment has none; later ones are promoted with the
	// Temporal CLI, and get nothing before that.
	DeploymentName string `env:"TEMPORAL_WORKER_DEPLOYMENT_NAME" doc:"With TEMPORAL_WORKER_BUILD_ID: the deployment that the control worker is a version of. Empty: no versioning."`
	BuildID        string `env:"TEMPORAL_WORKER_BUILD_ID" doc:"With TEMPORAL_WORKER_DEPLOYMENT_NAME: the version of the control worker."`
	// CachedRuns is how many runs, of tasks and sessions, stay in the control worker's memory; one that is not there is replayed from its
	// history when it goes on. All control workers of a process share the size that the first of them has. Zero: the process's own, which is
	// 10000 unless [worker.SetStickyWorkflowCacheSize] was called.
	CachedRuns int `env:"ROLECALL_CONTROL_CACHED_RUNS" envDefault:"10000" doc:"How many runs, of tasks and sessions, the control worker keeps in memory; what others do costs reading their history again."`

	// Redaction is what the events of tasks carry, and what is taken out of the log. Default nil: without secrets of the common formats, and
	// all of a task.
	Redaction *redact.Events `env:"-"`
	// FailOnPanic fails a run whose code panics or does not replay, instead of holding it until a mended worker comes. For tests.
	FailOnPanic bool `env:"-"`
	// Stories keeps the events of tasks. Nil: none are published.
	Stories activities.StoryLog `env:"-"`
	// Agents are looked at for tasks that need capabilities. Nil: such tasks wait in vain.
	Agents activities.Agents `env:"-"`
	// AfterEvents is told of events that are kept, before the run that told them hears of it. For tests.
	AfterEvents func(activities.PublishEventsInput) `env:"-"`
	// Temporal says where Temporal is; make it with [TemporalFromEnv].
	Temporal client.Options `env:"-"`
	// Logger gets the worker's log and Temporal's. Default [slog.Default].
	Logger *slog.Logger `env:"-"`
}

// Validate checks the configuration and names every fault at once.
func (c ControlConfig) Validate() error {
	var problems []error
	if (c.DeploymentName == "") != (c.BuildID == "") {
		problems = append(problems, errors.New("worker versioning needs both TEMPORAL_WORKER_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID: set the other one too, or neither"))
	}
	if c.CachedRuns < 0 {
		problems = append(problems, fmt.Errorf("ROLECALL_CONTROL_CACHED_RUNS is %d: set how many runs the control worker keeps in memory, such as 10000", c.CachedRuns))
	}
	return errors.Join(problems...)
}

func (c ControlConfig) versioned() bool { return c.DeploymentName != "" }

// RunControl runs the control worker until ctx ends and answers nil then. It waits for Temporal to be there. A run that is under
// way when the worker stops goes on with the next one.
func RunControl(ctx context.Context, cfg ControlConfig) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Redaction == nil {
		cfg.Redaction = &redact.Events{Redactor: redact.Default(), Capture: redact.CaptureFull}
	}
	cfg.Logger = cfg.Redaction.Redactor.Logger(cfg.Logger)
	c, err := Dial(ctx, cfg.Temporal, cfg.Logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer c.Close()
	if cfg.CachedRuns > 0 {
		worker.SetStickyWorkflowCacheSize(cfg.CachedRuns)
	}
	fatal := make(chan error, 1)
	w := worker.New(c, workflows.ControlQueue, cfg.options(fatal))
	workflows.Register(w)
	cfg.registerActivities(w)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the control worker: %w", err)
	}
	defer w.Stop()
	if cfg.versioned() {
		if err := cfg.promoteFirst(ctx, c.WorkerDeploymentClient().GetHandle(cfg.DeploymentName), fatal); err != nil {
			return unlessStopped(ctx, err)
		}
	}
	cfg.Logger.Info("control worker runs", "queue", workflows.ControlQueue, "deployment", cfg.DeploymentName, "build", cfg.BuildID)
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return stoppedBy(err)
	}
}

// registerActivities registers the activities that the control worker serves, ordinary and local ones.
func (c ControlConfig) registerActivities(w worker.ActivityRegistry) {
	p := &activities.Publisher{Stories: c.Stories, Before: c.Redaction.Event, After: c.AfterEvents}
	w.RegisterActivityWithOptions(p.PublishEvents, activity.RegisterOptions{Name: activities.PublishEventsName})
	w.RegisterActivityWithOptions(activities.NewFinder(c.Agents).FindAgent, activity.RegisterOptions{Name: activities.FindAgentName})
	w.RegisterActivityWithOptions(p.PublishEventsLocally, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
}

func stoppedBy(err error) error { return fmt.Errorf("the control worker stopped: %w", err) }

func (c ControlConfig) options(fatal chan<- error) worker.Options {
	opts := worker.Options{
		MaxConcurrentWorkflowTaskPollers: 4,
		MaxConcurrentActivityTaskPollers: 2,
		WorkerStopTimeout:                controlStop,
		DeadlockDetectionTimeout:         controlThinks,
		OnFatalError:                     first(fatal),
	}
	if c.FailOnPanic {
		opts.WorkflowPanicPolicy = worker.FailWorkflow
	}
	if c.versioned() {
		opts.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning:             true,
			Version:                   worker.WorkerDeploymentVersion{DeploymentName: c.DeploymentName, BuildID: c.BuildID},
			DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
		}
	}
	return opts
}

// first keeps the first error and drops the others.
func first(into chan<- error) func(error) {
	return func(err error) {
		select {
		case into <- err:
		default:
		}
	}
}

// unlessStopped is nil when ctx has ended: being told to stop is no failure.
func unlessStopped(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
