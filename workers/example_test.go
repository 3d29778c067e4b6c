package workers_test

import (
	"context"
	"encoding/json"
	"log"
	"os/signal"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
)

// A coder that works until the process is told to stop.
func ExampleRunRole() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	temporal, err := workers.TemporalFromEnv()
	if err != nil {
		log.Fatal(err)
	}
	coder := sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		r.Progress(sdk.Progress{Percentage: 10, Phase: "reading"})
		if a.Task.Description == "" && len(a.Answers) == 0 {
			return nil, sdk.AskInput("What shall be written?", json.RawMessage(`{"type":"string"}`))
		}
		select {
		case <-ctx.Done(): // cancelled, interrupted or no longer ours: context.Cause says which
			return nil, context.Cause(ctx)
		default:
		}
		return &sdk.Result{Output: json.RawMessage(`{"files":1}`)}, nil
	})
	err = workers.RunRole(ctx, workers.Config{Roles: []sdk.Role{sdk.RoleCoder}, Slots: 2, Temporal: temporal}, coder)
	if err != nil {
		log.Fatal(err)
	}
}
