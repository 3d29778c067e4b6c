package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// queryTimeout is how long a run is given to list its progress: without a control worker it never would.
const queryTimeout = time.Second

// recordedProgress is what a run said it has recorded, or that it did not say.
type recordedProgress struct {
	items []sdk.Progress
	stale bool
}

// ListProgress answers what the run has recorded, oldest first, with the live progress last. It is at most [Config.DescribeTTL]
// old. When the run could not be asked, or did not answer in time, only the newest is known and stale is true.
func (e *Engine) ListProgress(ctx context.Context, project, id string) (items []sdk.Progress, stale bool, err error) {
	seen, err := e.sight(ctx, project, id)
	if err != nil || seen.unbegun {
		return []sdk.Progress{}, false, err
	}
	task := seen.task
	recorded, err := e.recorded(ctx, workflows.TaskWorkflowID(project, id), task)
	if err != nil {
		return nil, false, err
	}
	return mergeProgress(recorded.items, task.Progress), recorded.stale, nil
}

// recorded answers a run's list from the caches, or from the run; whoever asks at the same time shares the answer. What a closed
// run has recorded does not change any more.
func (e *Engine) recorded(ctx context.Context, workflowID string, task sdk.Task) (recordedProgress, error) {
	closed := task.Status.Terminal()
	ended := int64(0) // a run that an operator resets is followed by one of the same id, which ends later
	if task.CompletedAt != nil {
		ended = task.CompletedAt.UnixNano()
	}
	key := fmt.Sprintf("%s/%t/%d", workflowID, closed, ended)
	if list, ok := e.knownList(key); ok {
		return list, nil
	}
	answer := e.asking.DoChan(key, guarded(func() (any, error) {
		if list, ok := e.knownList(key); ok { // asked by another one since the caller looked
			return list, nil
		}
		asOf := time.Now()
		items, err := e.queryProgress(workflowID)
		switch {
		case err != nil:
			list := recordedProgress{stale: true}
			e.openLists.put(key, list, listBytes(list), time.Now())
			return list, nil
		case closed:
			list := recordedProgress{items: items}
			e.closedLists.put(key, list, listBytes(list), asOf)
			return list, nil
		default:
			list := recordedProgress{items: items}
			e.openLists.put(key, list, listBytes(list), asOf)
			return list, nil
		}
	}))
	select {
	case r := <-answer:
		if r.Err != nil {
			return recordedProgress{}, fault(r.Err)
		}
		return r.Val.(recordedProgress), nil
	case <-ctx.Done():
		return recordedProgress{}, fault(context.Cause(ctx))
	}
}

func (e *Engine) knownList(key string) (recordedProgress, bool) {
	if list, ok := e.closedLists.get(key); ok {
		return list, true
	}
	return e.openLists.get(key)
}

// queryProgress asks the run.
func (e *Engine) queryProgress(workflowID string) ([]sdk.Progress, error) {
	out, err := ask(e.life, e, e.queries, workflows.ListProgress, workflowID)
	return out.Items, err
}

// listBytes is about what a list takes in memory.
func listBytes(l recordedProgress) int {
	n := 256
	for _, p := range l.items {
		n += 256 + len(p.Message) + len(p.Delta) + len(p.Phase) + len(p.Category) + len(p.Tool)
	}
	return n
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
