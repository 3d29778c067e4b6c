package e2e_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// faultyPlan needs a step that there is not, and reads one that it does not need.
	faultyPlan = `{"steps":[
		{"id":"draft","type":"code.write","title":"Write a draft"},
		{"id":"polish","type":"code.refactor","title":"Polish it","needs":["drafted"],"input":{"code":"${{ steps.draft.output.text }}"}}]}`
	// goodPlan is that one mended.
	goodPlan = `{"steps":[
		{"id":"draft","type":"code.write","title":"Write a draft","input":{"language":"${{ inputs.language }}"}},
		{"id":"polish","type":"code.refactor","title":"Polish it","needs":["draft"],"input":{"code":"${{ steps.draft.output.text }}"}}],
		"outputs":{"code":"${{ steps.polish.output.text }}"}}`
)

// TestPlanOfAGoal: a model makes a plan of a goal. Its first answer has faults, which it is told; its second one is done by the same model as a coder.
func TestPlanOfAGoal(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	server := s.modelWorker(modelserver.Models{"small": {
		{Text: faultyPlan}, {Text: "Of course. This is the plan:\n\n```json\n" + goodPlan + "\n```\n\nIt is in order now."}, {Text: "func parse()"}, {Text: "func Parse()"},
	}})
	const goal = "A parser for the language that the inputs name"
	p := s.plans(sdk.PlanRequest{Title: t.Name(), Goal: goal, Inputs: rawJSON(map[string]string{"language": `"Go"`}), MaxSteps: 7})
	plan := p.outcome()
	p.wantStands(plan, sdk.StatusCompleted, "draft completed", "polish completed")
	if diff := cmp.Diff(rawJSON(map[string]string{"code": `"func Parse()"`}), plan.Outputs); diff != "" || len(plan.PlanningTaskIDs) != 2 {
		t.Errorf("after the planning tasks %q the outputs are: %s", plan.PlanningTaskIDs, diff)
	}
	var asked []string
	for _, r := range server.Requests() {
		asked = append(asked, r.Messages[len(r.Messages)-1].Text())
	}
	if len(asked) != 4 {
		t.Fatalf("the model was asked %d times: %q", len(asked), asked)
	}
	for i, says := range [][]string{
		{goal, `"maxSteps":7`, `"language":"Go"`, `"role":"coder"`, `"type":"code.refactor"`},
		{goal, `"faults":[`, `"path":"$.steps[1].needs[0]"`, "drafted", `"path":"$.steps[1].input.code"`, `"previous":`, "Write a draft"},
		{"# Write a draft", `"language":"Go"`}, {"# Polish it", `"code":"func parse()"`},
	} {
		for _, want := range says {
			if !strings.Contains(asked[i], want) {
				t.Errorf("request %d does not say %q:\n%s", i+1, want, asked[i])
			}
		}
	}
	if strings.Contains(asked[0], `"faults":`) {
		t.Errorf("the first request tells of faults: %s", asked[0])
	}
	for _, id := range plan.PlanningTaskIDs {
		task, err := p.client.GetTask(t.Context(), id)
		if p.do(err); task.Type != sdk.TypePlanFeature || task.Role != sdk.RoleCoordinator || task.PlanID != p.id || task.Status != sdk.StatusCompleted {
			t.Errorf("a planning task: %+v", task)
		}
	}
	began := p.story(string(sdk.EventPlanStarted))
	if len(began) != 1 || !strings.Contains(string(began[0].Data), `"polish"`) {
		t.Errorf("that it began is told %d times: %s", len(began), began[0].Data)
	}
}

// TestPlanThatNobodyCanMake: three answers with faults end the plan.
func TestPlanThatNobodyCanMake(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	server := s.modelWorker(modelserver.Models{"small": {{Text: "I would rather write a poem."}, {Text: faultyPlan}}})
	p := s.plans(sdk.PlanRequest{Title: t.Name(), Goal: "A parser"})
	plan := p.outcome()
	p.wantStands(plan, sdk.StatusFailed)
	if e := plan.Error; e == nil || e.Code != sdk.CodeInvalidPlan || len(plan.PlanningTaskIDs) != sdk.MaxPlannings || len(server.Requests()) != sdk.MaxPlannings {
		t.Errorf("after the planning tasks %q and %d requests the plan failed with %v", plan.PlanningTaskIDs, len(server.Requests()), e)
	}
}
