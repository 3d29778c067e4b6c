package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// upsert shows where the session stands in memo, search attributes and details: an event each, so it is for transitions.
func (r *sessionRun) upsert(ctx workflow.Context) {
	state := r.talk.state()
	if err := workflow.UpsertMemo(ctx, map[string]any{MemoSessionState: state}); err != nil {
		workflow.GetLogger(ctx).Error("the memo was not taken", "error", err)
	}
	if r.shown != state.Status {
		r.shown = state.Status
		if err := workflow.UpsertTypedSearchAttributes(ctx, AttrStatus.ValueSet(string(state.Status))); err != nil {
			workflow.GetLogger(ctx).Error("the search attributes were not taken", "error", err)
		}
	}
	r.describe(ctx)
}

// describe writes the run's current details for the Temporal UI; they cost no event. They begin with the summary, which the run of a session
// that goes on has not.
func (r *sessionRun) describe(ctx workflow.Context) {
	s := r.talk.session
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n**%s** · %d completed, %d failed, %d waiting", cell(SessionSummary(s)), s.Status, s.CompletedTasks, s.FailedTasks, s.QueuedTasks)
	if s.CurrentTaskID != "" {
		fmt.Fprintf(&b, "\n\nNow: `%s`", s.CurrentTaskID)
	}
	workflow.SetCurrentDetails(ctx, b.String())
}
