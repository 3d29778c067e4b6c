package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestPlanTerminalEvent(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ended := created.Add(2 * time.Second)
	in := workflows.PlanInput{Project: "p", Organization: "o", ID: "a"}
	for status, want := range map[sdk.Status]sdk.EventType{
		sdk.StatusCompleted: sdk.EventPlanCompleted, sdk.StatusFailed: sdk.EventPlanFailed, sdk.StatusCancelled: sdk.EventPlanCancelled,
	} {
		p := sdk.Plan{ID: "a", Status: status, CreatedAt: created, CompletedAt: &ended, PlanningTaskIDs: []string{"one", "two"}, Outputs: map[string]json.RawMessage{"n": json.RawMessage(`1`)}}
		for _, s := range []sdk.StepStatus{sdk.StepCompleted, sdk.StepCompleted, sdk.StepFailed, sdk.StepCancelled, sdk.StepSkipped, sdk.StepSkipped, sdk.StepSkipped} {
			p.Steps = append(p.Steps, sdk.Step{Status: s})
		}
		e := workflows.PlanTerminalEvent(in, p, 7)
		var d sdk.PlanEnded
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		diff := cmp.Diff(sdk.PlanEnded{PlanID: "a", Status: status, DurationMs: 2000, Completed: 2, Failed: 1, Cancelled: 1, Skipped: 3, PlanningTaskIDs: p.PlanningTaskIDs, Outputs: p.Outputs}, d)
		if diff != "" || e.Type != want || e.Seq != 7 || !e.Time.Equal(ended) || e.Plan != "a" || !workflows.EndsPlanStory(e.Type) {
			t.Errorf("%+v\n%s", e, diff)
		}
		p.Outputs["n"] = json.RawMessage(`"` + strings.Repeat("x", sdk.MaxEventOutput) + `"`)
		d = sdk.PlanEnded{}
		if err := json.Unmarshal(workflows.PlanTerminalEvent(in, p, 7).Data, &d); err != nil || d.Outputs != nil || !d.OutputsOmitted || d.Links.Plan != "/v1/plans/a" {
			t.Errorf("outputs that are too large: %+v %v", d, err)
		}
	}
	if workflows.EndsPlanStory(sdk.EventPlanStep) {
		t.Error("a step ends the story")
	}
}

func TestParsePlanEventsPartID(t *testing.T) {
	t.Parallel()
	for workflowID, want := range map[string]int{workflows.PlanEventsWorkflowID("p", "a"): 0, workflows.PlanEventsPartID("p", "a", 12): 12} {
		if project, id, part, ok := workflows.ParsePlanEventsPartID(workflowID); !ok || project != "p" || id != "a" || part != want {
			t.Errorf("%s: %s %s %d %t", workflowID, project, id, part, ok)
		}
	}
	for _, workflowID := range []string{
		"", "plan-events:p", "plan-events:p:a:0", "plan-events:p:a:x", "plan-events:p:a:1:2", workflows.EventsWorkflowID("p", "a"),
		workflows.PlanWorkflowID("p", "a"), workflows.SessionEventsWorkflowID("p", "a"),
	} {
		if _, _, _, ok := workflows.ParsePlanEventsPartID(workflowID); ok {
			t.Errorf("%s is taken", workflowID)
		}
	}
	if _, _, _, ok := workflows.ParseEventsWorkflowID(workflows.PlanEventsWorkflowID("p", "a")); ok {
		t.Error("a plan's publisher is taken for a task's")
	}
}
