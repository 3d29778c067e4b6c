package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// moved tells of a transition off the happy path: every reader of the run sees it, in memo, search attributes and details.
func (r *taskRun) moved(ctx workflow.Context) {
	r.upsert(ctx, map[string]any{MemoState: r.course.State()})
}

// shown is what the run's search attributes say.
type shown struct {
	status   sdk.Status
	role     sdk.Role
	degraded bool
	agentID  string
}

func shownOf(t sdk.Task) shown {
	return shown{status: t.Status, role: t.Role, degraded: t.Degraded, agentID: t.AgentID}
}

// upsert writes the memo and those search attributes that have changed, an event each.
func (r *taskRun) upsert(ctx workflow.Context, memo map[string]any) {
	if memo != nil {
		if err := workflow.UpsertMemo(ctx, memo); err != nil {
			workflow.GetLogger(ctx).Error("the memo was not taken", "error", err)
		}
	}
	now := shownOf(r.course.task)
	var updates []temporal.SearchAttributeUpdate
	if now.status != r.shown.status {
		updates = append(updates, AttrStatus.ValueSet(string(now.status)))
	}
	if now.role != r.shown.role {
		updates = append(updates, AttrRole.ValueSet(string(now.role)))
	}
	if now.degraded != r.shown.degraded {
		updates = append(updates, AttrDegraded.ValueSet(now.degraded))
	}
	if now.agentID != r.shown.agentID {
		updates = append(updates, AttrAgent.ValueSet(now.agentID))
	}
	r.shown = now
	if len(updates) > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
			workflow.GetLogger(ctx).Error("the search attributes were not taken", "error", err)
		}
	}
	r.describe(ctx)
}

// describe writes the run's current details for the Temporal UI; they cost no event.
func (r *taskRun) describe(ctx workflow.Context) {
	t := r.course.task
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** · %s · stage %d, attempt %d of %d", t.Status, t.Role, t.Stage, t.Attempt, t.MaxAttempts)
	if t.Degraded {
		b.WriteString(" · degraded")
	}
	b.WriteString("\n")
	if t.InputRequest != nil {
		fmt.Fprintf(&b, "\nAsks (`%s`): %s\n", t.InputRequest.ID, cell(t.InputRequest.Prompt))
	}
	if len(t.Attempts) > 0 {
		b.WriteString("\n| stage | attempt | role | agent | outcome | error |\n|---|---|---|---|---|---|\n")
	}
	for _, a := range clip(t.Attempts) {
		message := ""
		if a.Error != nil {
			message = a.Error.Error()
		}
		fmt.Fprintf(&b, "| %d | %d | %s | %s | %s | %s |\n", a.Stage, a.Attempt, a.Role, a.AgentID, a.Outcome, cell(message))
	}
	workflow.SetCurrentDetails(ctx, b.String())
}

// cell makes a text safe inside a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}
