package workflows

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// dice are random choices, made of bytes; 0 when they are used up.
type dice struct{ bytes []byte }

// roll is a number below n.
func (d *dice) roll(n int) int {
	if len(d.bytes) == 0 || n < 2 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % n
}

// plan is a valid plan of at most 12 steps.
func (d *dice) plan() sdk.PlanRequest {
	r := sdk.PlanRequest{
		Title: "Random", Inputs: map[string]json.RawMessage{"yes": json.RawMessage("true")}, MaxParallel: 1 + d.roll(5),
		OnFailure: []sdk.FailurePolicy{sdk.FailureStop, sdk.FailureContinue, sdk.FailureContinue}[d.roll(3)],
	}
	n := 1 + d.roll(12)
	above := make([][]string, n) // of each step, whom it needs, directly or through others
	for i := range n {
		s := sdk.PlanStep{ID: "s" + strconv.Itoa(i), Type: sdk.TypeCodeWrite, Title: "step"}
		for j := range i {
			if d.roll(4) == 0 {
				s.Needs = append(s.Needs, r.Steps[j].ID)
				above[i] = append(above[i], append(above[j], r.Steps[j].ID)...)
			}
		}
		slices.Sort(above[i])
		above[i] = slices.Compact(above[i])
		d.give(&s, above[i])
		r.Steps = append(r.Steps, s)
	}
	r.Outputs = map[string]json.RawMessage{"last": json.RawMessage(fmt.Sprintf(`"${{ steps.s%d.output }}"`, n-1)), "fixed": json.RawMessage("1")}
	for i := range r.Steps { // in any order
		j := d.roll(i + 1)
		r.Steps[i], r.Steps[j] = r.Steps[j], r.Steps[i]
	}
	return r
}

// give gives a step a condition, an input and a gate.
func (d *dice) give(s *sdk.PlanStep, above []string) {
	switch d.roll(12) {
	case 0:
		s.When = "inputs.yes"
	case 1:
		s.When = "!inputs.yes"
	case 2:
		if len(s.Needs) > 0 {
			s.When = fmt.Sprintf("steps.%s.status %s \"completed\"", s.Needs[d.roll(len(s.Needs))], []string{"==", "!="}[d.roll(2)])
		}
	case 3:
		if len(above) > 0 {
			s.When = fmt.Sprintf("steps.%s.output.n > 0", above[d.roll(len(above))]) // has no value where it has no output
		}
	case 4:
		if len(above) > 0 && d.roll(2) == 0 {
			s.When = fmt.Sprintf("steps.%s.output.nothing > 0", above[0]) // has no value
		}
	case 5:
		if len(above) > 0 && d.roll(2) == 0 {
			s.Input = json.RawMessage(fmt.Sprintf(`{"from": "${{ steps.%s.output.nothing }}"}`, above[0]))
		}
	default:
	}
	if len(above) > 0 && s.Input == nil && d.roll(2) == 0 {
		s.Input = json.RawMessage(fmt.Sprintf(`{"from": "${{ steps.%s.output.n }}"}`, above[d.roll(len(above))]))
	}
	if len(above) > 0 && d.roll(2) == 0 {
		most := d.roll(3)
		s.Gate = &sdk.Gate{Rework: above[d.roll(len(above))], MaxReworks: &most}
	}
}

// drive runs a course with random answers, and looks at every task that it asks for.
type drive struct {
	*testing.T
	dice   *dice
	course *planCourse
	now    time.Time
	open   []TaskInput
	begun  map[string]int // tasks that were asked for, by step; "" is the coordinator
	told   map[string]bool
}

// most is how often a task of each step may be asked for: once, and once more for every rework that can reach it.
func most(g planGraph, steps []sdk.PlanStep) map[string]int {
	bound := map[string]int{"": sdk.MaxPlannings}
	for _, s := range steps {
		bound[s.ID] = 1
	}
	for i, s := range steps {
		if s.Gate == nil {
			continue
		}
		for _, j := range g.sentBack(i) {
			bound[g.ids[j]] += *s.Gate.MaxReworks
		}
	}
	return bound
}

// begin starts every task that can be started.
func (d *drive) begin() {
	for {
		in, ok := d.course.next(d.now)
		if !ok {
			return
		}
		p := d.course.record()
		id := ""
		for _, s := range p.Steps {
			if s.TaskID == in.ID {
				id = s.ID
			}
		}
		if want := PlanTaskID(p.ID, id, d.begun[id]); in.ID != want || in.PlanID != p.ID || in.Project != "p" || in.FairnessKey != p.ID {
			d.Fatalf("the task of %q is %+v, want %s", id, in, want)
		}
		d.begun[id]++
		d.mayBegin(p, id)
		d.open = append(d.open, in)
		if len(d.open) > p.MaxParallel {
			d.Fatalf("%d tasks run, %d may", len(d.open), p.MaxParallel)
		}
	}
}

// mayBegin looks whether a step that begins may.
func (d *drive) mayBegin(p sdk.Plan, id string) {
	at := map[string]sdk.Step{}
	for _, s := range p.Steps {
		at[s.ID] = s
	}
	runs := func(step string) bool {
		return slices.ContainsFunc(d.open, func(in TaskInput) bool { return taskOf(p.ID, step, d.begun[step], in.ID) })
	}
	if runs(id) {
		d.Fatalf("%s begins, and runs", id)
	}
	for _, need := range at[id].Needs {
		if !at[need].Status.Terminal() || runs(need) {
			d.Fatalf("%s begins before %s has ended, which is %s", id, need, at[need].Status)
		}
	}
	if id != "" && at[id].Status != sdk.StepRunning {
		d.Fatalf("%s begins and is %s", id, at[id].Status)
	}
}

// taskOf reports whether a task is one of the first n of a step.
func taskOf(plan, step string, n int, taskID string) bool {
	for i := range n {
		if PlanTaskID(plan, step, i) == taskID {
			return true
		}
	}
	return false
}

// end ends one of the tasks that run, in any way.
func (d *drive) end() {
	i := d.dice.roll(len(d.open))
	in := d.open[i]
	d.open = slices.Delete(d.open, i, i+1)
	no := false
	answer := agentAnswer{Output: json.RawMessage(`{"n": 1}`)}
	if len(d.course.plan.Steps) == 0 {
		answer = d.planned()
	}
	switch chance := d.dice.roll(24); {
	case chance >= 1 && chance <= 8:
		answer.QualityGatePassed = &no
	case chance == 9:
		answer = agentAnswer{Fail: sdk.CodeAgentFailed, Message: "boom"}
	case chance == 10:
		answer = agentAnswer{Fail: sdk.CodeCancelled, Message: "from outside"}
	case chance == 11:
		d.course.ended(d.now, in.ID, nil)
		return
	case chance >= 18 && d.told[in.ID]:
		answer = agentAnswer{Fail: sdk.CodeCancelled, Message: "as it was told"}
	default:
	}
	record := endedTask(in, answer)
	d.course.ended(d.now, in.ID, &record)
	d.course.ended(d.now, in.ID, &record) // what comes again is nothing new
}

// planned is a coordinator's answer.
func (d *drive) planned() agentAnswer {
	if d.dice.roll(3) == 1 {
		return agentAnswer{Output: json.RawMessage(`{"text": "no idea"}`)}
	}
	raw, err := encode(map[string]any{"steps": d.dice.plan().Steps})
	if err != nil {
		d.Fatal(err)
	}
	return agentAnswer{Output: raw}
}

// randomPlan runs the plan that the bytes make, to its end.
func randomPlan(t *testing.T, bytes []byte) (sdk.Plan, []sdk.Event) {
	t.Helper()
	chance := &dice{bytes}
	in := PlanInput{Project: "p", ID: "p1", Request: chance.plan(), CreatedAt: noon()}
	if chance.roll(6) == 5 {
		in.Request.Steps, in.Request.Outputs, in.Request.Goal = nil, nil, "whatever"
	}
	d := &drive{T: t, dice: chance, course: newPlanCourse(in, noon()), now: noon(), begun: map[string]int{}, told: map[string]bool{}}
	c := d.course
	if err := c.fault(); err != nil {
		t.Fatalf("%v: %+v", err, in.Request)
	}
	c.begin(d.now)
	cancelled := false
	for turns := 0; ; turns++ {
		if turns > 3*sdk.MaxPlanRuns {
			t.Fatal("the plan does not end")
		}
		if chance.roll(100) == 99 {
			if first := !cancelled && !c.over(); c.cancel(d.now, "enough") != first {
				t.Fatalf("it is cancelled: %t", !first)
			}
			cancelled = cancelled || !c.over() || c.asked != nil
		}
		d.begin()
		for id, _, ok := c.stop(); ok; id, _, ok = c.stop() {
			if d.told[id] || !slices.ContainsFunc(d.open, func(in TaskInput) bool { return in.ID == id }) {
				t.Fatalf("task %s is told to stop, and was before, or does not run", id)
			}
			d.told[id] = true
		}
		if len(d.open) == 0 {
			break
		}
		if c.over() {
			t.Fatal("it is over, and tasks run")
		}
		d.now = d.now.Add(time.Second)
		d.end()
	}
	if !c.over() {
		t.Fatalf("nothing runs, and it is not over: %+v", c.record().Steps)
	}
	c.close(d.now)
	bound := most(c.graph, c.in.Request.Steps)
	for id, n := range d.begun {
		if n > bound[id] {
			t.Errorf("%d tasks of %q were asked for, at most %d may be", n, id, bound[id])
		}
	}
	events := c.takeEvents()
	d.look(in, events)
	return c.record(), events
}

// look looks at a plan that has ended.
func (d *drive) look(in PlanInput, events []sdk.Event) {
	c, p := d.course, d.course.record()
	checkPlanStory(d.T, in, p, events)
	if d.course.cancel(d.now, "late") || len(c.takeEvents()) > 0 {
		d.Error("it is cancelled after its end")
	}
	failed := slices.ContainsFunc(p.Steps, func(s sdk.Step) bool { return s.Status == sdk.StepFailed })
	if p.Status == sdk.StatusCompleted && failed || (p.Status == sdk.StatusCancelled) != (c.asked != nil) {
		d.Errorf("it is %s: %+v", p.Status, p.Steps)
	}
	state := c.state()
	if state.Status != p.Status || len(state.Steps) != len(p.Steps) || (state.Error == nil) != (p.Error == nil) || !cmp.Equal(state.CompletedAt, p.CompletedAt) {
		d.Errorf("the state is %+v, the record %+v", state, p)
	}
	for i, s := range p.Steps {
		want := StepState{
			Status: s.Status, TaskID: s.TaskID, AgentID: s.AgentID, Reworks: s.Reworks, SkippedBecause: s.SkippedBecause, Error: s.Error,
			Degraded: s.Degraded, StartedAt: s.StartedAt, CompletedAt: s.CompletedAt,
		}
		if diff := cmp.Diff(want, state.Steps[i]); diff != "" {
			d.Errorf("%s, record and state: %s", s.ID, diff)
		}
	}
}

var randomPlans = flag.Uint64("random-plans", 80, "how many random plans are run without fuzzing; make soak has 3000")

// FuzzPlanCourse: whatever a plan is made of, and whatever becomes of its tasks, no step begins before its needs have ended or twice at
// once, no more run than may, and it ends; and the same happens again.
func FuzzPlanCourse(f *testing.F) {
	for seed := range *randomPlans {
		random := rand.New(rand.NewPCG(seed, seed))
		bytes := make([]byte, 100+random.IntN(400))
		for i := range bytes {
			bytes[i] = byte(random.UintN(256))
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		if len(bytes) > 1000 {
			return
		}
		plan, events := randomPlan(t, bytes)
		again, same := randomPlan(t, bytes)
		if d := cmp.Diff(plan, again) + cmp.Diff(events, same); d != "" {
			t.Errorf("it goes otherwise the second time: %s", d)
		}
	})
}
