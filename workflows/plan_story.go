package workflows

import (
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ParsePlanEventsPartID is the inverse of [PlanEventsWorkflowID], whose part is 0, and of [PlanEventsPartID]; ok is false for the id of
// something else.
func ParsePlanEventsPartID(workflowID string) (project, id string, part int, ok bool) {
	rest, found := strings.CutPrefix(workflowID, planEventsPrefix)
	if !found {
		return "", "", 0, false
	}
	return ParseEventsWorkflowID("events:" + rest)
}

// EndsPlanStory reports whether an event of this type is the last of a plan's story.
func EndsPlanStory(t sdk.EventType) bool {
	return t == sdk.EventPlanCompleted || t == sdk.EventPlanFailed || t == sdk.EventPlanCancelled
}
