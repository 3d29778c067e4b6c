package workflows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlanCourse_FeedbackEndsWithAnAnswer: a step that has answered all the same, while it was about to begin anew, is told nothing of what
// that was the answer to. One that has failed meanwhile is.
func TestPlanCourse_FeedbackEndsWithAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile agentAnswer
		told      bool
	}{"answered": {agentAnswer{Output: json.RawMessage(`4`)}, false}, "failed": {agentAnswer{Fail: sdk.CodeAgentFailed}, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{
				stepOf("design"), gated(stepOf("accept", "design"), "design"), stepOf("write", "design"), gated(stepOf("review", "write"), "write"),
			}})
			tr.end("design", agentAnswer{})
			tr.end("write", agentAnswer{Output: json.RawMessage(`1`)})
			tr.end("review", missed(`2`))
			tr.end("accept", missed(`3`))
			tr.end("write", tc.meanwhile)
			tr.end("design", agentAnswer{})
			if input := string(tr.open["write"].Request.Input); strings.Contains(input, `"from":"review"`) != tc.told {
				t.Errorf("it is given %s", input)
			}
			tr.end("write", agentAnswer{Output: json.RawMessage(`5`)})
			tr.end("review", missed(`6`))
			if input := string(tr.open["write"].Request.Input); !strings.Contains(input, `"round":2,"output":6,"previous":5`) {
				t.Errorf("it is given %s", input)
			}
		})
	}
}

// TestPlanCourse_GateThatSendsBackTakesNoRoom: what the gate itself answers is not counted, since it begins anew; where it sends nothing back
// any more, it is.
func TestPlanCourse_GateThatSendsBackTakesNoRoom(t *testing.T) {
	t.Parallel()
	once := 1
	review := gated(stepOf("review", "write"), "write")
	review.Gate.MaxReworks = &once
	r := sdk.PlanRequest{MaxParallel: 20, Steps: []sdk.PlanStep{stepOf("write"), review}, OnFailure: sdk.FailureContinue}
	full := sdk.MaxPlanOutputs/sdk.MaxStepOutput - 1
	for i := range full {
		r.Steps = append(r.Steps, stepOf(fmt.Sprintf("s%d", i)))
	}
	tr := newTrial(t, r)
	for i := range full {
		tr.end(fmt.Sprintf("s%d", i), agentAnswer{Output: textOf(sdk.MaxStepOutput)})
	}
	for range 2 {
		tr.end("write", agentAnswer{Output: textOf(sdk.MaxStepOutput)})
		tr.end("review", missed(string(textOf(100<<10))))
	}
	if s := tr.step("review"); s.Reworks != 1 || s.Status != sdk.StepFailed || s.Error.Code != sdk.CodePayloadTooLarge {
		t.Errorf("%d reworks, %s: %v", s.Reworks, s.Status, s.Error)
	}
	tr.finish()
}

// TestPlanCourse_KeepsWhatWasSentBackWhenItStops: outputs that were about to begin anew when the plan stopped take no room from what runs.
func TestPlanCourse_KeepsWhatWasSentBackWhenItStops(t *testing.T) {
	t.Parallel()
	full := sdk.MaxPlanOutputs / sdk.MaxStepOutput
	r := sdk.PlanRequest{MaxParallel: 20, Steps: []sdk.PlanStep{
		stepOf("fails"), stepOf("runs"), stepOf("write"), stepOf("slow", "write"), gated(stepOf("review", "write"), "write"),
	}}
	for i := range full - 1 {
		r.Steps = append(r.Steps, stepOf(fmt.Sprintf("s%d", i)))
	}
	large := agentAnswer{Output: textOf(sdk.MaxStepOutput)}
	tr := newTrial(t, r)
	tr.end("write", large)
	for i := range full - 1 {
		tr.end(fmt.Sprintf("s%d", i), large)
		if i == 0 {
			tr.end("review", missed(string(large.Output))) // waits for slow
		}
	}
	tr.end("fails", agentAnswer{Fail: sdk.CodeAgentFailed})
	tr.end("slow", large)
	tr.end("runs", large)
	p := tr.finish()
	for _, s := range p.Steps[1:] {
		if s.Status != sdk.StepCompleted {
			t.Errorf("%s is %s: %v", s.ID, s.Status, s.Error)
		}
	}
	if tr.kept() != sdk.MaxPlanOutputs {
		t.Errorf("%d bytes are counted", tr.kept())
	}
}
