package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
)

// StartAttributes are the search attributes that the run of a new task starts with.
func StartAttributes(project string, t sdk.Task) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		AttrProject.ValueSet(project),
		AttrRole.ValueSet(string(t.Role)),
		AttrTaskType.ValueSet(string(t.Type)),
		AttrStatus.ValueSet(string(sdk.StatusQueued)),
		AttrPriority.ValueSet(int64(PriorityKey(t.Priority))),
		AttrDegraded.ValueSet(false),
	}
	if t.AgentID != "" {
		attributes = append(attributes, AttrAgent.ValueSet(t.AgentID))
	}
	if t.ParentID != "" {
		attributes = append(attributes, AttrParent.ValueSet(t.ParentID))
	}
	if t.SessionID != "" {
		attributes = append(attributes, AttrSession.ValueSet(t.SessionID))
	}
	if t.PlanID != "" {
		attributes = append(attributes, AttrPlan.ValueSet(t.PlanID))
	}
	return temporal.NewSearchAttributes(attributes...)
}

// StartMemo is the memo that the run of a new task starts with. The digest of the canonical request is set for one with an idempotency
// key.
func StartMemo(in TaskInput, t sdk.Task, digest string) map[string]any {
	task := NewTaskMemo(t)
	task.Depth, task.Model = in.Depth, in.Model
	memo := map[string]any{MemoTask: task}
	if digest != "" {
		memo[MemoDigest] = digest
	}
	return memo
}

// TaskSummary is the one line a run shows in the Temporal UI.
func TaskSummary(t sdk.Task) string {
	return fmt.Sprintf("%s · %s", t.Type, t.Title)
}
