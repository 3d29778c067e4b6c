package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

// broken is a Temporal client with a bug.
type broken struct{ *oneRun }

func (broken) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	panic("what a caller sent")
}

// TestAPanicOfASharedReadIsAnError: it is in a goroutine that no handler guards.
func TestAPanicOfASharedReadIsAnError(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.progress = func(context.Context) ([]sdk.Progress, error) { panic("what a caller sent") }
	whole, half := newEngine(broken{o}, Config{}), newEngine(o, Config{})
	t.Cleanup(whole.Close)
	t.Cleanup(half.Close)
	_, read := whole.GetTask(t.Context(), "p", "a")
	_, _, listed := half.ListProgress(t.Context(), "p", "a")
	for name, err := range map[string]error{"a read": read, "a list of progress": listed} {
		if !errors.Is(err, sdk.ErrInternal) || !strings.Contains(err.Error(), "panic of type string") || !strings.Contains(err.Error(), "guard_test.go") || strings.Contains(err.Error(), "a caller sent") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
