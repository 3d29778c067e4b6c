package workflows

import (
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ParseEventsWorkflowID is the inverse of [EventsWorkflowID]; ok is false for the id of something else.
func ParseEventsWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, "events:")
	if !found {
		return "", "", false
	}
	return ParseTaskWorkflowID(taskPrefix + rest)
}

// EndsStory reports whether an event of this type is the last of a task's story, or follows that.
func EndsStory(t sdk.EventType) bool {
	return slices.Contains([]sdk.EventType{
		sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled,
		sdk.EventCodeGenerated, sdk.EventCodeReviewed, sdk.EventCodeTested, sdk.EventCodeDeployed,
	}, t)
}
