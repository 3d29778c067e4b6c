package workflows

import "github.com/rolecall-dev/rolecall/sdk"

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

// enter moves the task to a status.
func (c *Course) enter(to sdk.Status) {
	if from := c.task.Status; from != to && !follows(from, to) && c.Breach != nil {
		c.Breach(from, to)
	}
	c.task.Status = to
}
