package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// follows is the lifecycle of a task: whether it may go from one status to another. The chart in README.md shows the same, and a
// test holds them together. An attempt too short to be seen running was running all the same.
func follows(from, to sdk.Status) bool {
	switch from {
	case sdk.StatusQueued:
		return to == sdk.StatusRunning || to == sdk.StatusFailed || to == sdk.StatusCancelled
	case sdk.StatusRunning:
		return to == sdk.StatusQueued || to == sdk.StatusInputRequired || to.Terminal()
	case sdk.StatusInputRequired:
		return to == sdk.StatusQueued || to == sdk.StatusFailed || to == sdk.StatusCancelled
	default:
		return false
	}
}

// enter moves the task to a status. A step that the lifecycle does not know is a fault of ours: it is logged and taken.
func (r *taskRun) enter(ctx workflow.Context, to sdk.Status) {
	if from := r.task.Status; from != to && !follows(from, to) {
		workflow.GetLogger(ctx).Error("a step outside the lifecycle", "from", from, "to", to)
	}
	r.task.Status = to
}
