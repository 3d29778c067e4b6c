package engine

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/workflows"
)

// decidingPause is between two looks at a run whose workflow task is under way.
const decidingPause = 50 * time.Millisecond

// endedSo reports whether the run's history has this very ending of the attempt: an answer to it was lost, or another server took it. What
// Temporal is told while a workflow task is under way comes into history after that, which is waited for. An error says that the history
// could not be read, which a run that is gone is not.
func (e *Engine) endedSo(ctx context.Context, h activities.Hold, digest string) (same bool, err error) {
	for {
		busy, err := e.deciding(ctx, h) // before history is read: what it has not then was not told
		if err != nil {
			return false, err
		}
		same, found, err := e.findEnding(ctx, h, digest)
		if err != nil || found || !busy {
			return same, err
		}
		rest := time.NewTimer(decidingPause)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return false, context.Cause(ctx)
		}
	}
}

// deciding reports whether a workflow task of an attempt's run is under way.
func (e *Engine) deciding(ctx context.Context, h activities.Hold) (bool, error) {
	call, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	resp, err := e.temporal.DescribeWorkflowExecution(call, workflows.TaskWorkflowID(h.Project, h.TaskID), h.RunID)
	if isNotFound(err) {
		return false, nil
	}
	return resp.GetPendingWorkflowTask().GetState() == enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED, err
}

// findEnding looks for an ending of the attempt in its run's history.
func (e *Engine) findEnding(ctx context.Context, h activities.Hold, digest string) (same, found bool, err error) {
	err = e.backwards(ctx, h, func(event *historyEvent) bool {
		report, ok := e.endingOf(event)
		if !ok || report.AgentID != h.AgentID {
			return false
		}
		same = report.Digest == digest
		if report.StartedAt == nil { // it was given back untouched, and is told from others by that alone
			found = same
			return found
		}
		found = report.StartedAt.Equal(h.StartedAt)
		same = same && found
		return found
	})
	if isNotFound(err) {
		return false, false, nil
	}
	return same, found, err
}
