package engine

import (
	"context"

	"github.com/rolecall-dev/rolecall/workflows"
)

// ask asks a run. Queries take turns for the places that they are given: each costs the control worker a task, and a run that is not in its
// cache a replay. Without a control worker there is no answer, which is waited for a second.
func ask[Out any](ctx context.Context, e *Engine, places chan struct{}, q workflows.Query[Out], workflowID string) (out Out, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	value, err := e.temporal.QueryWorkflow(ctx, workflowID, "", q.Name)
	if err != nil {
		return out, err
	}
	err = value.Get(&out)
	return out, err
}
