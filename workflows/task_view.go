package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// moved enters a transition off the happy path: every reader of the run sees it, in memo, search attributes and details. All
// transitions of a run pass through moved, started or closed, which is where whoever wants to publish them listens.
func (r *taskRun) moved(ctx workflow.Context, status sdk.Status) {
	r.enter(ctx, status)
	r.upsert(ctx, map[string]any{MemoState: r.state()})
}

// started enters that an agent's handler runs.
func (r *taskRun) started(ctx workflow.Context) {
	r.enter(ctx, sdk.StatusRunning)
	r.upsert(ctx, nil)
}

// closed enters the end of the task.
func (r *taskRun) closed(ctx workflow.Context, status sdk.Status) {
	now := workflow.Now(ctx)
	r.enter(ctx, status)
	r.task.CompletedAt = &now
	r.upsert(ctx, nil)
}

// shown is what the run's search attributes say.
type shown struct {
	status   sdk.Status
	role     sdk.Role
	degraded bool
	agentID  string
}

// upsert writes the memo and those search attributes that have changed, an event each.
func (r *taskRun) upsert(ctx workflow.Context, memo map[string]any) {
	if memo != nil {
		if err := workflow.UpsertMemo(ctx, memo); err != nil {
			workflow.GetLogger(ctx).Error("the memo was not taken", "error", err)
		}
	}
	now := shown{status: r.task.Status, role: r.task.Role, degraded: r.task.Degraded, agentID: r.task.AgentID}
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

// state is the part of the task that changes, for the memo.
func (r *taskRun) state() TaskState {
	s := TaskState{
		Status: r.task.Status, Stage: r.task.Stage, Attempt: r.task.Attempt, MaxAttempts: r.task.MaxAttempts,
		Degraded: r.task.Degraded, AgentID: r.task.AgentID, StartedAt: r.task.StartedAt, Attempts: clip(r.task.Attempts),
		InputRequest: r.task.InputRequest, Answers: r.task.Answers, WaitingFor: r.task.WaitingFor,
	}
	if r.task.Progress != nil {
		s.Overall = r.task.Progress.Overall
	}
	return s
}

// describe writes the run's current details for the Temporal UI; they cost no event.
func (r *taskRun) describe(ctx workflow.Context) {
	t := r.task
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

// How much of a chain travels in memos and assignments; the record of a finished task has all of it.
const (
	firstAttempts  = 5
	newestAttempts = 15
)

func clip(chain []sdk.Attempt) []sdk.Attempt {
	if len(chain) <= firstAttempts+newestAttempts {
		return append([]sdk.Attempt{}, chain...)
	}
	return append(append([]sdk.Attempt{}, chain[:firstAttempts]...), chain[len(chain)-newestAttempts:]...)
}
