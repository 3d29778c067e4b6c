package workflows

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// EventsPartID is the id of the run that publishes a part of a task's last events that is not the last one. Parts count from 1.
func EventsPartID(project, id string, part int) string {
	return EventsWorkflowID(project, id) + ":" + strconv.Itoa(part)
}

// ParseEventsWorkflowID is the inverse of [EventsWorkflowID], whose part is 0, and of [EventsPartID]; ok is false for the id of something else.
func ParseEventsWorkflowID(workflowID string) (project, id string, part int, ok bool) {
	rest, found := strings.CutPrefix(workflowID, "events:")
	if !found {
		return "", "", 0, false
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.IndexByte(rest, ':') {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n < 1 || strconv.Itoa(n) != rest[i+1:] {
			return "", "", 0, false
		}
		rest, part = rest[:i], n
	}
	project, id, ok = ParseTaskWorkflowID(taskPrefix + rest)
	return project, id, part, ok
}

// EndsStory reports whether an event of this type is the last of a task's story, or follows that.
func EndsStory(t sdk.EventType) bool {
	return slices.Contains([]sdk.EventType{
		sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled,
		sdk.EventCodeGenerated, sdk.EventCodeReviewed, sdk.EventCodeTested, sdk.EventCodeDeployed,
	}, t)
}
