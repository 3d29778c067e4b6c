package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/rolecall-dev/rolecall/sdk"
)

// handle calls the handler; a panic, or a handler that ends its goroutine, is a retryable agent_panicked. The stack goes to the
// log only. The outcome is sent exactly once.
func handle(ctx context.Context, h sdk.Handler, a *sdk.Assignment, r sdk.Reporter, log *slog.Logger) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: sdk.Retryable(sdk.CodeAgentPanicked, errors.New("the agent panicked: it ended its goroutine"))}
		defer func() {
			if p := recover(); p != nil {
				log.Error("the agent panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				o = outcome{err: sdk.Retryable(sdk.CodeAgentPanicked, fmt.Errorf("the agent panicked: %v", p))}
			}
			done <- o
		}()
		result, err := h.Handle(ctx, a, r)
		o = outcome{result: result, err: err}
	}()
	return done
}

// outcome is what a handler returned.
type outcome struct {
	result *sdk.Result
	err    error
}
