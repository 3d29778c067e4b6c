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
			w.walk()
		})
	}
}

// wanderer has a plan go any way.
type wanderer struct {
	t        *testing.T
	dice     *rand.Rand
	s        *planServer
	asked    bool // to cancel
	reasoned bool // why was sent
}

func (w *wanderer) walk() {
	in := workflows.PlanInput{Project: "default", ID: "p1", Request: sdk.PlanRequest{
		Title: "Any way", MaxParallel: 1 + w.dice.IntN(4), OnFailure: []sdk.FailurePolicy{sdk.FailureStop, sdk.FailureContinue}[w.dice.IntN(2)],
		Steps: []sdk.PlanStep{
			{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d", Needs: []string{"a", "b"}},
			{ID: "g", Needs: []string{"c"}, Gate: &sdk.Gate{Rework: "c"}}, {ID: "e", Needs: []string{"g"}}, {ID: "f", Needs: []string{"c"}},
		},
		Outputs: map[string]json.RawMessage{"all": json.RawMessage(`"${{ steps.e.output }}"`)},
	}}
	for i := range in.Request.Steps {
		in.Request.Steps[i].Type, in.Request.Steps[i].Title = sdk.TypeCodeWrite, in.Request.Steps[i].ID
	}
	w.s = newPlanServer(w.t, in)
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
	if first && w.dice.IntN(4) == 0 {
		w.cancel()
	}
	for n := 1 + w.dice.IntN(5); n > 0 && !first; n-- {
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
			come = append(come, func() { w.s.begins(c, w.dice.IntN(12) > 0) })
		} else {
			come = append(come, func() { w.s.ends(c, w.ending(c)) })
		}
	}
	if !w.asked && w.dice.IntN(12) == 0 {
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
	switch n := w.dice.IntN(20); {
	case n == 0:
		return nil
	case n < 3:
		task.Status, task.Result.Error = sdk.StatusFailed, &sdk.TaskError{Code: "agent_failed", Message: "no ink"}
	case c.stop && n < 15:
		task.Status, task.Result.Error = sdk.StatusCancelled, &sdk.TaskError{Code: sdk.CodeCancelled, Message: "it was stopped"}
	default:
		passed := w.dice.IntN(2) == 0
		task.Status, task.Result.Output, task.Result.QualityGatePassed = sdk.StatusCompleted, json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), &passed
	}
	task.Result.Status = task.Status
	return &task
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
			err = fmt.Errorf("it failed with %s: %+v", app.Type(), plan.Error)
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
