package workflows

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The id of a plan's task is that of the plan, planTaskMark, and taskSum letters.
const planTaskMark = "-p-"

// MaxPlanID is how long the id of a plan may be, so that its tasks have ids.
const MaxPlanID = 128 - len(planTaskMark) - taskSum

// PlanTaskID is the id of the nth task of a step, from 0; step "" is the coordinator's planning.
func PlanTaskID(plan, step string, n int) string {
	sum := sha256.Sum256([]byte(plan + "\x00" + step + "\x00" + strconv.Itoa(n)))
	return plan + planTaskMark + hex.EncodeToString(sum[:])[:taskSum]
}

func validPlanID(id string) bool { return len(id) <= MaxPlanID && sdk.ValidID(id) }

// PlanEventsWorkflowID is the id of the run that publishes a plan's last events where its own run could not.
func PlanEventsWorkflowID(project, id string) string { return planEventsPrefix + project + ":" + id }

// PlanEventsPartID is the id of the run that publishes a part of a plan's last events that is not the last one. Parts count from 1.
// [ParsePlanEventsWorkflowID] does not take it.
func PlanEventsPartID(project, id string, part int) string {
	return PlanEventsWorkflowID(project, id) + ":" + strconv.Itoa(part)
}

const planEventsPrefix = "plan-events:"

// ParsePlanEventsWorkflowID is the inverse of [PlanEventsWorkflowID]; ok is false for the id of something else.
func ParsePlanEventsWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, planEventsPrefix)
	if !found {
		return "", "", false
	}
	return ParsePlanWorkflowID(planPrefix + rest)
}
