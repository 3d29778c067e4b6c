package engine

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// queryTimeout is how long a run is given to list its progress: without a control worker it never would.
const queryTimeout = time.Second

// ListProgress answers what the run has recorded, oldest first, with the live progress last. When the run does not answer in
// time, only the newest is known and stale is true.
func (e *Engine) ListProgress(ctx context.Context, project, id string) (items []sdk.Progress, stale bool, err error) {
	task, err := e.GetTask(ctx, project, id)
	if err != nil {
		return nil, false, err
	}
	recorded, err := e.queryProgress(ctx, workflows.TaskWorkflowID(project, id))
	if ctx.Err() != nil {
		return nil, false, fault(context.Cause(ctx))
	}
	return mergeProgress(recorded, task.Progress), err != nil, nil
}

func (e *Engine) queryProgress(ctx context.Context, workflowID string) ([]sdk.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, err := e.temporal.QueryWorkflow(ctx, workflowID, "", workflows.ListProgress.Name)
	if err != nil {
		return nil, err
	}
	var out workflows.ListProgressOutput
	if err := value.Get(&out); err != nil {
		return nil, err
	}
	return out.Items, nil
}

// mergeProgress adds the live progress to the recorded ones, unless it is one of them or older than the last.
func mergeProgress(recorded []sdk.Progress, live *sdk.Progress) []sdk.Progress {
	items := append([]sdk.Progress{}, recorded...)
	if live == nil {
		return items
	}
	if n := len(items); n > 0 {
		last := items[n-1]
		older := live.Stage < last.Stage || live.Stage == last.Stage && live.Attempt < last.Attempt
		if older || live.Stage == last.Stage && live.Attempt == last.Attempt && !live.At.After(last.At) {
			return items
		}
		newest := *live
		newest.Overall = max(newest.Overall, last.Overall)
		live = &newest
	}
	return append(items, *live)
}
