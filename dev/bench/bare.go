package bench

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The bare level's names in Temporal.
const (
	bareWorkflow      = "Bare"
	bareActivity      = "Work"
	bareWorkflowQueue = "bench-bare"
	bareActivityQueue = "bench-bare-work"
)

// Work is what goes in at every level, Done what comes out.
type Work struct {
	Say string `json:"say"`
}

// Done is the answer to [Work].
type Done struct {
	OK bool `json:"ok"`
}

// runBare is what a user of the Temporal SDK would write: one activity, once.
func runBare(ctx workflow.Context, in Work) (Done, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: bareActivityQueue, StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	var done Done
	err := workflow.ExecuteActivity(ctx, bareActivity, in).Get(ctx, &done)
	return done, err
}

func workBare(context.Context, Work) (Done, error) { return Done{OK: true}, nil }

// RunBareWorkflows serves the bare workflow until ctx ends, with the control worker's options.
func RunBareWorkflows(ctx context.Context, opts client.Options) error {
	return serve(ctx, opts, bareWorkflowQueue, worker.Options{
		MaxConcurrentWorkflowTaskPollers: workflowPollers, MaxConcurrentActivityTaskPollers: 2,
	}, func(w worker.Worker) {
		w.RegisterWorkflowWithOptions(runBare, workflow.RegisterOptions{Name: bareWorkflow})
	})
}

// RunBareActivities serves the bare workflow's activity until ctx ends, with a role worker's pollers and slots.
func RunBareActivities(ctx context.Context, opts client.Options, slots int) error {
	return serve(ctx, opts, bareActivityQueue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: slots, MaxConcurrentActivityTaskPollers: min(slots, activityPollers),
	}, func(w worker.Worker) {
		w.RegisterActivityWithOptions(workBare, activity.RegisterOptions{Name: bareActivity})
	})
}

func serve(ctx context.Context, opts client.Options, queue string, o worker.Options, register func(worker.Worker)) error {
	c, err := client.DialContext(ctx, opts)
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, queue, o)
	register(w)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	<-ctx.Done()
	return nil
}
