package activities

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The activities that put events of a story into the log; the control worker serves both. Their argument is a [PublishEventsInput].
const (
	// PublishEventsName is tried until the log has them.
	PublishEventsName = "PublishEvents"
	// PublishEventsLocallyName is for a local activity. It fails at once while the log is known to be away.
	PublishEventsLocallyName = "PublishEventsLocally"
)

// The kinds of stories.
const (
	StoryTask    = "t" // a task's
	StorySession = "s" // a session's
	StoryPlan    = "p" // a plan's
)

// PublishEventsInput is a part of a story.
type PublishEventsInput struct {
	Project string `json:"project"`
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	// Acknowledged is up to which seq the log has acknowledged the story before.
	Acknowledged int         `json:"acknowledged,omitempty"`
	Events       []sdk.Event `json:"events"` // their seq goes up by one
}

const (
	localPublish   = 150 * time.Millisecond // in all; a workflow task is held up for as long
	publishTry     = 10 * time.Second
	publishFor     = 30 * 24 * time.Hour // as long as the log keeps events by default
	publishRestMax = time.Minute
	publishSoonTry = 2 * time.Second
	publishSoonGap = time.Second
)

// PublishEventsLocally tries once to put events into the log, within this workflow task.
func PublishEventsLocally(ctx workflow.Context, in PublishEventsInput) workflow.Future {
	return workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: localPublish, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	}), PublishEventsLocallyName, in)
}

// PublishEventsWithin puts events into the log, trying every second, for a while: somebody waits for them to be there.
func PublishEventsWithin(ctx workflow.Context, in PublishEventsInput, atMost time.Duration) workflow.Future {
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: atMost, StartToCloseTimeout: publishSoonTry,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: publishSoonGap, BackoffCoefficient: 1},
		Summary:     "the run stays open for it a while",
	}), PublishEventsName, in)
}

// PublishEvents puts events into the log, for as long as it takes, at most 30 days.
func PublishEvents(ctx workflow.Context, in PublishEventsInput) workflow.Future {
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: publishFor, StartToCloseTimeout: publishTry,
		RetryPolicy: &temporal.RetryPolicy{MaximumInterval: publishRestMax},
	}), PublishEventsName, in)
}
