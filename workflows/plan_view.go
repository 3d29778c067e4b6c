package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// planMemoFree is how many bytes a run writes as memos at every change. After that it writes one a while, which is the longer the older
	// the run and the larger the memo is: a memo takes as much of the history as it has bytes. In 30 days that is at most planMemoPace
	// times 15.
	planMemoFree = 1 << 20
	planMemoPace = 512 << 10
	planMemoGap  = time.Second
	// stepStateWeight is about how many bytes a step is in a memo, plannedWeight one that a coordinator answered beside its title and needs.
	stepStateWeight = 256
	plannedWeight   = 128
)

// planShown is what everybody sees of the run.
type planShown struct {
	status  sdk.Status      // in the search attributes
	moved   bool            // the plan is not as the memo says
	written int             // bytes of memos
	next    time.Time       // before it no memo is written
	due     workflow.Future // the timer for that; nil: none runs
}

// show shows where the plan stands. It is called once in a workflow task, at its end: one memo has everything that was decided.
func (r *planRunner) show(ctx workflow.Context) {
	if r.shown.due != nil && r.shown.due.IsReady() {
		r.shown.due = nil
	}
	if !r.shown.moved {
		return
	}
	left := r.shown.next.Sub(workflow.Now(ctx))
	if left <= 0 {
		r.upsert(ctx)
		return
	}
	r.describe(ctx)
	if r.shown.due == nil {
		calm, _ := workflow.NewDisconnectedContext(ctx)
		r.shown.due = workflow.NewTimerWithOptions(calm, left, workflow.TimerOptions{Summary: "until the memo is written again"})
	}
}

// upsert writes memo and search attributes, an event each.
func (r *planRunner) upsert(ctx workflow.Context) {
	state := r.course.state()
	if err := workflow.UpsertMemo(ctx, map[string]any{MemoPlanState: state}); err != nil {
		workflow.GetLogger(ctx).Error("the memo was not taken", "error", err)
	}
	if r.shown.status != state.Status {
		r.shown.status = state.Status
		if err := workflow.UpsertTypedSearchAttributes(ctx, AttrStatus.ValueSet(string(state.Status))); err != nil {
			workflow.GetLogger(ctx).Error("the search attributes were not taken", "error", err)
		}
	}
	now, weight := workflow.Now(ctx), planStateWeight(state)
	r.shown.written += weight
	if r.shown.written > planMemoFree {
		age := now.Sub(workflow.GetInfo(ctx).WorkflowStartTime)
		r.shown.next = now.Add(max(planMemoGap, time.Duration(float64(age)*float64(weight)/planMemoPace)))
	}
	r.shown.moved = false
	r.describe(ctx)
}

// planStateWeight is about how many bytes a memo takes. What it counts stays the same when a shape grows a field: a run that is replayed
// writes its memos at the same moments.
func planStateWeight(s PlanState) int {
	weight := len(s.Steps) * stepStateWeight
	for _, step := range s.Planned {
		weight += plannedWeight + len(step.Title)
		for _, id := range step.Needs {
			weight += len(id)
		}
	}
	return weight
}

// describe writes the run's current details for the Temporal UI; they cost no event.
func (r *planRunner) describe(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, planDetails(r.course.record()))
}

// planDetails is a plan as a table of its steps.
func planDetails(p sdk.Plan) string {
	ended, running := 0, 0
	for _, s := range p.Steps {
		if s.Status.Terminal() {
			ended++
		}
		if s.Status == sdk.StepRunning {
			running++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** · %d of %d steps ended, %d running\n", p.Status, ended, len(p.Steps), running)
	for i, id := range p.PlanningTaskIDs {
		fmt.Fprintf(&b, "\nPlanning %d: `%s`\n", i+1, id)
	}
	if p.Error != nil {
		fmt.Fprintf(&b, "\n%s\n", cell(p.Error.Error()))
	}
	if len(p.Steps) > 0 {
		b.WriteString("\n| step | status | who | took | task |\n|---|---|---|---|---|\n")
	}
	for _, s := range p.Steps {
		task := ""
		if s.TaskID != "" {
			task = "`" + s.TaskID + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.ID, stepStands(s), stepDoer(s), stepTook(s), task)
	}
	return b.String()
}

// stepStands says how a step stands.
func stepStands(s sdk.Step) string {
	text := string(s.Status)
	if s.Reworks > 0 {
		text += fmt.Sprintf(", rework %d", s.Reworks)
	}
	switch {
	case s.Error != nil:
		text += ": " + cell(sdk.Cut(s.Error.Error(), maxChainMessage))
	case s.SkippedBecause != "":
		text += ": " + cell(s.SkippedBecause)
	}
	return text
}

// stepDoer says who does a step.
func stepDoer(s sdk.Step) string {
	if s.AgentID != "" {
		return cell(s.AgentID)
	}
	return string(s.Role)
}

// stepTook says for how long a step took, or since when it does.
func stepTook(s sdk.Step) string {
	switch {
	case s.StartedAt == nil || s.TaskID == "":
		return ""
	case s.CompletedAt != nil:
		return s.CompletedAt.Sub(*s.StartedAt).Round(time.Millisecond).String()
	case s.Status == sdk.StepRunning:
		return "since " + s.StartedAt.UTC().Format(time.TimeOnly) + " UTC"
	default:
		return ""
	}
}
