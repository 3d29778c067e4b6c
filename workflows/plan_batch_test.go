package workflows_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var planStories = flag.Int("plan-stories", 40, "how many plans go any way; make soak has 1000")

// TestPlan_TellsOneStory: whatever comes into one workflow task, in whichever order, and whichever of these tasks are run again with more
// in them, the log is told nothing that a later one takes back, and the plan comes to its end.
func TestPlan_TellsOneStory(t *testing.T) {
	t.Parallel()
	for seed := range *planStories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := &wanderer{t: t, dice: rand.New(rand.NewPCG(7, uint64(seed)))}
			switch {
			case seed%40 == 1:
				w.walk(w.large())
			case seed%4 == 0:
				w.walk(w.goal())
			default:
				w.walk(w.plan())
			}
		})
	}
}

// wanderer has a plan go any way.
type wanderer struct {
	t        *testing.T
	dice     *rand.Rand
	s        *planServer
	steps    []sdk.PlanStep // that a coordinator answers
	calm     int            // the larger the less it is cancelled
	most     int            // that comes into one workflow task
	asked    bool           // to cancel
	reasoned bool           // why was sent
}

// plan is one with all that steps can have.
func (w *wanderer) plan() sdk.PlanRequest {
	r := sdk.PlanRequest{
		Title: "Any way", MaxParallel: 1 + w.dice.IntN(4), OnFailure: []sdk.FailurePolicy{sdk.FailureStop, sdk.FailureContinue}[w.dice.IntN(2)],
		Inputs: map[string]json.RawMessage{"least": json.RawMessage("5")},
		Steps: []sdk.PlanStep{
			step("a"), step("b"), step("c"), step("d", needs("a", "b"), gives(`{"a": "${{ steps.a.output.n }}", "b": "${{ steps.b.output.m }}"}`)),
			step("g", needs("c"), func(s *sdk.PlanStep) { s.Gate = &sdk.Gate{Rework: "c"} }),
			step("e", needs("g"), func(s *sdk.PlanStep) { s.When = "steps.g.output.n > inputs.least * 3" }),
			step("f", needs("c"), func(s *sdk.PlanStep) { s.When = `steps.c.status == "completed"` }),
			step("h", needs("e"), func(s *sdk.PlanStep) { s.When = `steps.e.status == "skipped" || steps.e.output.m == 0` }), // often has no value
		},
		Outputs: map[string]json.RawMessage{"all": json.RawMessage(`"${{ steps.e.output }}"`)},
	}
	return r
}

// goal is one whose steps a coordinator answers.
func (w *wanderer) goal() sdk.PlanRequest {
	r := w.plan()
	w.steps, r.Steps, r.Goal = r.Steps, nil, "any way"
	return r
}

// large is one that asks for more than one workflow task may.
func (w *wanderer) large() sdk.PlanRequest {
	text := `"` + strings.Repeat("x", 400<<10) + `"`
	return sdk.PlanRequest{Title: "Large", Steps: []sdk.PlanStep{
		step("a", gives(text)), step("b", gives(text)), step("c", gives(text)), step("d", gives(`"${{ 1 / 0 }}"`)), step("e"), step("f", needs("a", "e")),
	}, OnFailure: sdk.FailureContinue}
}

func (w *wanderer) walk(r sdk.PlanRequest) {
	in := workflows.PlanInput{Project: "default", ID: "p1", Request: r}
	w.s = newPlanServer(w.t, in)
	w.s.sticks, w.s.refuses = r.Title == "Large" || w.dice.IntN(2) == 0, func() bool { return w.dice.IntN(3) == 0 }
	w.most, w.calm = 1+w.dice.IntN(5), []int{8, 16, 200}[w.dice.IntN(3)]
	for turns := 0; w.s.end == nil; turns++ {
		if turns > 300 {
			w.t.Fatalf("the plan does not end:\n%s", strings.Join(w.s.story, "\n"))
		}
		w.turn()
	}
	w.check()
}

// turn has something come, and gives the worker a workflow task, which may be lost.
func (w *wanderer) turn() {
	w.t.Helper()
	first := len(w.s.events) == 1
	if first && w.dice.IntN(12) == 0 {
		w.cancel()
	}
	for n := 1 + w.dice.IntN(w.most); n > 0 && !first; n-- {
		if come := w.mayCome(); len(come) > 0 {
			come[w.dice.IntN(len(come))]()
		}
	}
	lost := w.dice.IntN(3) == 0
	w.s.turn(lost)
	if !lost && w.s.end == nil && len(w.s.openings) == 0 && len(w.s.running()) == 0 {
		w.t.Fatalf("the plan waits for nothing:\n%s", strings.Join(w.s.story, "\n"))
	}
}

// mayCome is all that can come now.
func (w *wanderer) mayCome() (come []func()) {
	for i, o := range w.s.openings {
		come = append(come, func() {
			w.s.openings = slices.Delete(slices.Clone(w.s.openings), i, i+1)
			o.answer()
		})
	}
	for _, c := range w.s.running() {
		if c.started == 0 {
			come = append(come, func() { w.s.begins(c, w.dice.IntN(30) > 0) })
		} else if w.dice.IntN(2) == 0 { // agents take their time
			come = append(come, func() { w.s.ends(c, w.ending(c)) })
		}
	}
	if !w.asked && w.dice.IntN(w.calm) == 0 {
		come = append(come, w.cancel)
	}
	return come
}

// cancel sends the reason of a cancellation, and then that.
func (w *wanderer) cancel() {
	if w.dice.IntN(2) == 0 && !w.reasoned {
		w.reasoned = true
		cancelReason().event(&w.s.batch)
		return
	}
	w.asked = true
	cancels().event(&w.s.batch)
}

// ending is a way in which a task can end; nil is that its run is terminated.
func (w *wanderer) ending(c *planChild) *sdk.Task {
	task := workflows.NewTask(c.in, w.s.at)
	at := w.s.at
	task.CompletedAt, task.AgentID, task.Result = &at, "agent-1", &sdk.Result{}
	switch n := w.dice.IntN(40); {
	case n == 0:
		return nil
	case n < 3:
		task.Status, task.Result.Error = sdk.StatusFailed, &sdk.TaskError{Code: "agent_failed", Message: "no ink"}
	case c.stop && n < 30:
		task.Status, task.Result.Error = sdk.StatusCancelled, &sdk.TaskError{Code: sdk.CodeCancelled, Message: "it was stopped"}
	default:
		passed := w.dice.IntN(3) > 0
		task.Status, task.Result.Output, task.Result.QualityGatePassed = sdk.StatusCompleted, w.output(c, n), &passed
	}
	task.Result.Status = task.Status
	return &task
}

// output is what a task answers.
func (w *wanderer) output(c *planChild, n int) json.RawMessage {
	if c.in.Request.Type != sdk.TypePlanFeature {
		return json.RawMessage(fmt.Sprintf(`{"n":%d,"%c":0}`, n, "mmmmmmmmmk"[n%10]))
	}
	if n%4 == 0 {
		return json.RawMessage(`"I would rather not"`)
	}
	raw, err := json.Marshal(map[string]any{"title": "mine", "steps": w.steps})
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// check looks at how the plan has ended.
func (w *wanderer) check() {
	var plan sdk.Plan
	var err error
	switch {
	case w.s.end.GetCompleteWorkflowExecutionCommandAttributes() != nil:
		err = workflows.DataConverter().FromPayloads(w.s.end.GetCompleteWorkflowExecutionCommandAttributes().GetResult(), &plan)
	case w.s.end.GetCancelWorkflowExecutionCommandAttributes() != nil:
		err = workflows.DataConverter().FromPayloads(w.s.end.GetCancelWorkflowExecutionCommandAttributes().GetDetails(), &plan)
	default:
		failure := temporal.GetDefaultFailureConverter().FailureToError(w.s.end.GetFailWorkflowExecutionCommandAttributes().GetFailure())
		app, ok := errors.AsType[*temporal.ApplicationError](failure)
		if !ok {
			w.t.Fatal(failure)
		}
		if err = app.Details(&plan); err == nil && (plan.Error == nil || app.Type() != string(plan.Error.Code)) {
			err = fmt.Errorf("it failed with %s: %w", app.Type(), plan.Error)
		}
	}
	last := w.s.story[len(w.s.story)-1]
	if err != nil || !strings.HasPrefix(last, "plan."+string(plan.Status)+" ") {
		w.t.Fatalf("%v: %+v\n%s", err, plan, last)
	}
	if plan.Status == sdk.StatusCancelled && !w.asked {
		w.t.Error("it was cancelled by nobody")
	}
	for _, step := range plan.Steps {
		if !step.Status.Terminal() {
			w.t.Errorf("%s is %s", step.ID, step.Status)
		}
	}
	if left := w.s.running(); len(left) > 0 {
		w.t.Errorf("%d tasks run on", len(left))
	}
}
