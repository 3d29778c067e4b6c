package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// trial is a course whose tasks a test ends by the names of their steps; "" is the coordinator.
type trial struct {
	*testing.T
	*planCourse
	open   map[string]TaskInput
	events []sdk.Event
}

func newTrial(t *testing.T, r sdk.PlanRequest) *trial {
	t.Helper()
	if r.Title == "" {
		r.Title = "A trial"
	}
	c := newPlanCourse(PlanInput{Project: "p", ID: "p1", Request: r}, noon())
	if err := c.fault(); err != nil {
		t.Fatal(err)
	}
	c.begin(noon())
	tr := &trial{T: t, planCourse: c, open: map[string]TaskInput{}}
	tr.start()
	return tr
}

// start starts what can begin.
func (t *trial) start() {
	for {
		in, ok := t.next(noon())
		if !ok {
			break
		}
		id := ""
		for _, s := range t.plan.Steps {
			if s.TaskID == in.ID {
				id = s.ID
			}
		}
		t.open[id] = in
	}
	t.events = append(t.events, t.takeEvents()...)
}

// end has the agent of a step answer, and starts what can begin then.
func (t *trial) end(step string, a agentAnswer) {
	t.Helper()
	in, ok := t.open[step]
	if !ok {
		t.Fatalf("%q does not run", step)
	}
	delete(t.open, step)
	record := endedTask(in, a)
	t.ended(noon(), in.ID, &record)
	t.start()
}

func (t *trial) step(id string) sdk.Step {
	t.Helper()
	p := t.record()
	i := slices.IndexFunc(p.Steps, func(s sdk.Step) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("there is no step %s", id)
	}
	return p.Steps[i]
}

// finish ends the plan, which is over.
func (t *trial) finish() sdk.Plan {
	t.Helper()
	if !t.over() {
		t.Fatalf("it is not over: %+v", t.record().Steps)
	}
	t.close(noon().Add(time.Minute))
	t.events = append(t.events, t.takeEvents()...)
	checkPlanStory(t.T, t.in, t.record(), t.events)
	return t.record()
}

func stepOf(id string, needs ...string) sdk.PlanStep {
	return sdk.PlanStep{ID: id, Type: sdk.TypeCodeWrite, Title: id, Needs: needs}
}

func gated(s sdk.PlanStep, rework string) sdk.PlanStep {
	s.Gate = &sdk.Gate{Rework: rework}
	return s
}

func missed(output string) agentAnswer {
	no := false
	return agentAnswer{Output: json.RawMessage(output), QualityGatePassed: &no}
}

// textOf is a JSON string of so many bytes.
func textOf(size int) json.RawMessage {
	return json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)
}

func TestPlanCourse_TaskOfAStep(t *testing.T) {
	t.Parallel()
	s := stepOf("a")
	s.Description, s.Priority, s.Retry = "all of it", sdk.PriorityHigh, &sdk.Retry{MaxAttempts: 7}
	s.Timeouts, s.Fallback = &sdk.Timeouts{TotalMs: 5000}, []sdk.Stage{{Role: sdk.RoleDebugger}}
	tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{s, stepOf("b")}, Priority: sdk.PriorityLow})
	in := tr.open["a"]
	want := TaskInput{
		Project: "p", ID: PlanTaskID("p1", "a", 0), PlanID: "p1", FairnessKey: "p1", CreatedAt: noon(), Request: sdk.TaskRequest{
			Type: s.Type, Title: s.Title, Description: s.Description, Priority: s.Priority, Retry: s.Retry, Timeouts: s.Timeouts, Fallback: s.Fallback,
		}.Resolve(),
	}
	if d := cmp.Diff(want, in); d != "" {
		t.Error(d)
	}
	if p := tr.open["b"].Request.Priority; p != sdk.PriorityLow {
		t.Errorf("a step without a priority has %s", p)
	}
	if err := in.Request.Validate(); err != nil {
		t.Error(err)
	}
}

func TestPlanCourse_RefusesWhatNoClientSends(t *testing.T) {
	t.Parallel()
	good := sdk.PlanRequest{Title: "x", Steps: []sdk.PlanStep{stepOf("a")}}
	circle := sdk.PlanRequest{Title: "x", Steps: []sdk.PlanStep{stepOf("a", "b"), stepOf("b", "a")}}
	for name, in := range map[string]PlanInput{
		"project": {Project: "p:q", ID: "p1", Request: good},
		"id":      {Project: "p", ID: strings.Repeat("i", MaxPlanID+1), Request: good},
		"request": {Project: "p", ID: "p1", Request: circle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newPlanCourse(in, noon())
			if codeOf(t, c.fault()) != sdk.CodeInvalidInput {
				t.Fatalf("%v", c.fault())
			}
			c.begin(noon())
			if _, ok := c.next(noon()); ok || !c.over() {
				t.Error("it begins all the same")
			}
			c.close(noon())
			if p := c.record(); p.Status != sdk.StatusFailed || p.Error.Code != sdk.CodeInvalidInput {
				t.Errorf("%s %v", p.Status, p.Error)
			}
			if events := c.takeEvents(); len(events) != 2 || events[0].Type != sdk.EventPlanCreated || events[1].Type != sdk.EventPlanFailed {
				t.Errorf("%+v", events)
			}
		})
	}
}

func TestPlanCourse_BoundsOutputs(t *testing.T) {
	t.Parallel()
	t.Run("of a step", func(t *testing.T) {
		t.Parallel()
		tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("a"), stepOf("b")}, OnFailure: sdk.FailureContinue})
		tr.end("a", agentAnswer{Output: textOf(sdk.MaxStepOutput)})
		tr.end("b", agentAnswer{Output: textOf(sdk.MaxStepOutput + 1)})
		if a, b := tr.step("a"), tr.step("b"); a.Status != sdk.StepCompleted || b.Status != sdk.StepFailed || b.Error.Code != sdk.CodePayloadTooLarge || b.Output != nil {
			t.Errorf("%s, %s %v", a.Status, b.Status, b.Error)
		}
		tr.finish()
	})
	t.Run("of all steps", func(t *testing.T) {
		t.Parallel()
		n := sdk.MaxPlanOutputs/sdk.MaxStepOutput + 2
		r := sdk.PlanRequest{OnFailure: sdk.FailureContinue, MaxParallel: 50}
		for i := range n {
			r.Steps = append(r.Steps, stepOf(fmt.Sprintf("s%d", i)))
		}
		tr := newTrial(t, r)
		for i := range n {
			tr.end(fmt.Sprintf("s%d", i), agentAnswer{Output: textOf(sdk.MaxStepOutput)})
		}
		p := tr.finish()
		held, failed := 0, 0
		for i, s := range p.Steps {
			held += len(s.Output)
			if s.Status == sdk.StepFailed {
				failed++
			}
			if s.OutputOmitted != (s.Output == nil && s.Status == sdk.StepCompleted) || s.OutputOmitted != (i >= 4 && s.Status == sdk.StepCompleted) {
				t.Errorf("%s is %s, with %d bytes, omitted: %t", s.ID, s.Status, len(s.Output), s.OutputOmitted)
			}
		}
		if failed != 2 || held != 1<<20 || p.Error.Code != sdk.CodeStepFailed {
			t.Errorf("%d failed, %d bytes are answered, %v", failed, held, p.Error)
		}
		if size, err := EncodedSize(p); err != nil || size > maxRecord {
			t.Errorf("the record has %d bytes, %v", size, err)
		}
	})
	t.Run("of the plan", func(t *testing.T) {
		t.Parallel()
		r := sdk.PlanRequest{Outputs: map[string]json.RawMessage{}}
		for i := range 5 {
			id := fmt.Sprintf("s%d", i)
			r.Steps = append(r.Steps, stepOf(id))
			r.Outputs[id] = json.RawMessage(fmt.Sprintf(`"${{ steps.%s.output }}"`, id))
		}
		tr := newTrial(t, r)
		for i := range 5 {
			tr.end(fmt.Sprintf("s%d", i), agentAnswer{Output: textOf(250 << 10)})
		}
		p := tr.finish()
		if p.Status != sdk.StatusFailed || p.Error.Code != sdk.CodePayloadTooLarge || len(p.Outputs) != 4 || p.Outputs["s4"] != nil {
			t.Errorf("%s %v, %d outputs", p.Status, p.Error, len(p.Outputs))
		}
		if size, err := EncodedSize(p); err != nil || size > maxRecord {
			t.Errorf("the record has %d bytes, %v", size, err)
		}
	})
}

// TestPlanCourse_Feedback: what is too large of it is left out, or fails the step.
func TestPlanCourse_Feedback(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		input, previous, output int
		omitted, fails          bool
	}{
		"all of it":            {1 << 10, 200 << 10, 200 << 10, false, false},
		"without the previous": {100 << 10, 250 << 10, 250 << 10, true, false},
		"not even without":     {400 << 10, 250 << 10, 250 << 10, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			write := stepOf("write")
			write.Input = json.RawMessage(`{"text": ` + string(textOf(tc.input)) + `}`)
			tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{write, gated(stepOf("review", "write"), "write")}})
			tr.end("write", agentAnswer{Output: textOf(tc.previous)})
			tr.end("review", missed(string(textOf(tc.output))))
			if tc.fails {
				if s := tr.step("write"); s.Status != sdk.StepFailed || s.Error.Code != sdk.CodePayloadTooLarge {
					t.Errorf("%s %v", s.Status, s.Error)
				}
				tr.finish()
				return
			}
			input := tr.open["write"].Request.Input
			var got struct{ Feedback feedback }
			if err := json.Unmarshal(input, &got); err != nil || len(input) > sdk.MaxInput {
				t.Fatalf("%d bytes, %v", len(input), err)
			}
			if got.Feedback.PreviousOmitted != tc.omitted || (got.Feedback.Previous == nil) != tc.omitted || len(got.Feedback.Output) != tc.output || got.Feedback.Round != 1 {
				t.Errorf("%+v", got.Feedback)
			}
		})
	}
}

// nested is JSON of so many levels.
func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// TestPlanCourse_FeedbackIsNoDeeperThanAnInput: what makes an input nest too deep is left out of it, as what makes it too large is.
func TestPlanCourse_FeedbackIsNoDeeperThanAnInput(t *testing.T) {
	t.Parallel()
	const below = 2 // levels of the input, above what was answered
	for name, tc := range map[string]struct {
		previous, output int
		omitted, fails   bool
	}{
		"all of it":            {sdk.MaxJSONDepth - below, sdk.MaxJSONDepth - below, false, false},
		"without the previous": {sdk.MaxJSONDepth - below + 1, sdk.MaxJSONDepth - below, true, false},
		"not even without":     {1, sdk.MaxJSONDepth, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("write"), gated(stepOf("review", "write"), "write")}})
			tr.end("write", agentAnswer{Output: json.RawMessage(nested(tc.previous))})
			tr.end("review", missed(nested(tc.output)))
			if tc.fails {
				if s := tr.step("write"); s.Status != sdk.StepFailed || s.Error.Code != sdk.CodePayloadTooLarge || !strings.Contains(s.Error.Message, "deeper") {
					t.Errorf("%s %v", s.Status, s.Error)
				}
				tr.finish()
				return
			}
			r := tr.open["write"].Request
			var got struct{ Feedback feedback }
			if err := errors.Join(json.Unmarshal(r.Input, &got), r.Validate()); err != nil || got.Feedback.PreviousOmitted != tc.omitted {
				t.Errorf("%v: %s", err, r.Input)
			}
		})
	}
}

// TestPlanCourse_EndsWhileSteppingBack: a plan that stops, or is cancelled, while a rework waits for a task that is being cancelled, sends
// nothing back, and its steps keep what they have answered.
func TestPlanCourse_EndsWhileSteppingBack(t *testing.T) {
	t.Parallel()
	steps := []sdk.PlanStep{stepOf("write"), gated(stepOf("review", "write"), "write"), stepOf("test", "write"), stepOf("other"), stepOf("last", "test", "review")}
	begin := func(t *testing.T) *trial {
		tr := newTrial(t, sdk.PlanRequest{Steps: steps})
		tr.end("write", agentAnswer{Output: json.RawMessage(`1`)})
		tr.end("review", missed(`2`))
		id, _, ok := tr.stop()
		if _, more, again := tr.stop(); !ok || id != tr.open["test"].ID || again {
			t.Fatalf("%s is stopped, then %s", id, more)
		}
		if len(tr.open) != 2 || tr.step("write").Status != sdk.StepCompleted {
			t.Fatalf("%v runs, write is %s", tr.open, tr.step("write").Status)
		}
		return tr
	}
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		tr := begin(t)
		tr.end("other", agentAnswer{Fail: sdk.CodeAgentFailed, Message: "boom"})
		tr.end("test", agentAnswer{Output: json.RawMessage(`3`)})
		if p := tr.finish(); p.Status != sdk.StatusFailed || string(tr.step("write").Output) != "1" || string(tr.step("test").Output) != "3" || tr.step("last").SkippedBecause != "the plan stopped: other failed" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		tr := begin(t)
		if !tr.cancel(noon(), "enough") || tr.cancel(noon(), "again") {
			t.Error("it is cancelled once")
		}
		if id, reason, ok := tr.stop(); !ok || id != tr.open["other"].ID || reason != "enough" {
			t.Errorf("%s is stopped: %s", id, reason)
		}
		tr.end("other", agentAnswer{Fail: sdk.CodeCancelled})
		tr.end("test", agentAnswer{Fail: sdk.CodeCancelled})
		if p := tr.finish(); p.Status != sdk.StatusCancelled || p.Error.Message != "enough" || tr.step("test").Reworks != 0 || tr.step("review").Status != sdk.StepCompleted {
			t.Errorf("%+v", p)
		}
	})
	t.Run("answered all the same", func(t *testing.T) {
		t.Parallel()
		tr := begin(t)
		tr.end("test", agentAnswer{Fail: sdk.CodeAgentFailed, Message: "too late to stop the plan"})
		if tr.step("test").Status != sdk.StepPending || tr.step("test").Reworks != 1 || tr.step("write").Status != sdk.StepRunning || tr.kept() != 0 {
			t.Errorf("%+v", tr.record().Steps)
		}
	})
}

// TestPlanCourse_FeedbackOutlivesAnotherGate: a step that is sent back again before it could answer is told what the first gate said.
func TestPlanCourse_FeedbackOutlivesAnotherGate(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{
		stepOf("design"), gated(stepOf("accept", "design"), "design"), stepOf("write", "design"), gated(stepOf("review", "write"), "write"),
	}})
	told := func() (f struct{ Feedback *feedback }) {
		if err := json.Unmarshal(append([]byte{}, tr.open["write"].Request.Input...), &f); err != nil && len(tr.open["write"].Request.Input) > 0 {
			t.Fatal(err)
		}
		return f
	}
	tr.end("design", agentAnswer{})
	tr.end("write", agentAnswer{Output: json.RawMessage(`1`)})
	tr.end("review", missed(`2`))
	if f := told().Feedback; f == nil || f.From != "review" {
		t.Fatalf("%+v", f)
	}
	tr.end("accept", missed(`3`))
	tr.end("write", agentAnswer{Fail: sdk.CodeCancelled})
	tr.end("design", agentAnswer{})
	if f := told().Feedback; f == nil || f.From != "review" || string(f.Output) != "2" || string(f.Previous) != "1" {
		t.Errorf("%+v", f)
	}
	tr.end("write", agentAnswer{Output: json.RawMessage(`4`)})
	tr.end("accept", missed(`5`))
	tr.end("review", agentAnswer{Fail: sdk.CodeCancelled})
	tr.end("design", agentAnswer{})
	if f := told().Feedback; f != nil {
		t.Errorf("it has answered that: %+v", f)
	}
}

// TestPlanCourse_CountsNoOutputThatIsSentBack: what is about to begin anew takes no room from the others.
func TestPlanCourse_CountsNoOutputThatIsSentBack(t *testing.T) {
	t.Parallel()
	full, no := sdk.MaxPlanOutputs/sdk.MaxStepOutput, false
	r := sdk.PlanRequest{MaxParallel: 40, Steps: []sdk.PlanStep{stepOf("write"), gated(stepOf("review", "write"), "write"), stepOf("test", "write"), stepOf("slow", "write")}}
	for i := range full {
		r.Steps = append(r.Steps, stepOf(fmt.Sprintf("s%d", i)))
	}
	large := agentAnswer{Output: textOf(sdk.MaxStepOutput)}
	tr := newTrial(t, r)
	for i := range full {
		if i == full-2 { // there is room for two more
			tr.end("write", large)
			tr.end("test", large)
			tr.end("review", agentAnswer{QualityGatePassed: &no}) // waits for slow
		}
		tr.end(fmt.Sprintf("s%d", i), large)
	}
	tr.end("slow", large)
	told := eventData[sdk.PlanStepped](t, tr.events[slices.IndexFunc(tr.events, func(e sdk.Event) bool {
		return strings.Contains(string(e.Data), `"step":"slow","from":"running"`)
	})])
	if tr.stopped != "" || tr.kept() != sdk.MaxPlanOutputs || told.To != sdk.StepCompleted || tr.step("write").Status != sdk.StepRunning {
		t.Errorf("%q, %d bytes are counted; %+v", tr.stopped, tr.kept(), told)
	}
}

// TestPlanCourse_KeepsWithinHistory: a step begins only while there is room.
func TestPlanCourse_KeepsWithinHistory(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("a"), stepOf("b"), stepOf("c")}, MaxParallel: 1, OnFailure: sdk.FailureContinue})
	tr.plan.MaxParallel = 3
	tr.room(maxPlanWritten - 2*planTaskRoom)
	tr.start()
	if len(tr.open) != 1 {
		t.Errorf("%d tasks run; there is room for the end of one, and not for the start of another", len(tr.open))
	}
	tr.room(maxPlanWritten - 4*planTaskRoom)
	tr.start()
	if len(tr.open) != 3 {
		t.Errorf("%d tasks run", len(tr.open))
	}
	full := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("a"), stepOf("b", "a")}})
	full.room(maxPlanWritten)
	full.end("a", agentAnswer{})
	if s := full.step("b"); s.Status != sdk.StepFailed || s.Error.Code != sdk.CodePayloadTooLarge {
		t.Errorf("%+v", s)
	}
	full.finish()
}

// TestPlanCourse_RoomForAll: so many steps run at once in a history that has nothing else in it as can all leave as much as a task can.
// The others begin when one of those ends.
func TestPlanCourse_RoomForAll(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{MaxParallel: sdk.MaxMaxParallel, OnFailure: sdk.FailureContinue}
	for i := range sdk.MaxMaxParallel {
		r.Steps = append(r.Steps, stepOf(fmt.Sprintf("s%d", i)))
	}
	tr := newTrial(t, r)
	const atOnce = 25
	if len(tr.open) != atOnce {
		t.Errorf("%d run", len(tr.open))
	}
	begun, largest := map[string]bool{}, largestRecord(tr.open["s0"], 0, 1<<10) // with longer questions it would have none
	size, err := EncodedSize(largest)
	if err != nil || size < maxRecord-200<<10 {
		t.Fatalf("the largest record has %d bytes, %v", size, err)
	}
	for !tr.over() {
		if written := tr.space.history + tr.space.since + len(tr.open)*planTaskMost; written > planEndsWritten {
			t.Fatalf("with %d ends the history has %d bytes", len(tr.open), written)
		}
		id := slices.Sorted(maps.Keys(tr.open))[0]
		begun[id] = true
		if len(begun) <= sdk.MaxMaxParallel-atOnce {
			tr.end(id, agentAnswer{})
			continue
		}
		in, before := tr.open[id], tr.space.since
		delete(tr.open, id)
		tr.ended(noon(), in.ID, &largest)
		if wrote := tr.space.since - before; wrote > planTaskMost || wrote < size {
			t.Fatalf("the largest end is %d bytes", wrote)
		}
		tr.start()
	}
	if tr.finish(); len(begun) != sdk.MaxMaxParallel || tr.space.since > planEndsWritten {
		t.Errorf("%d have begun, %d bytes are written", len(begun), tr.space.since)
	}
}

// TestPlanCourse_EndsFromOutside: a run without a record fails its step.
func TestPlanCourse_EndsFromOutside(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("a"), stepOf("b", "a")}})
	tr.ended(noon(), tr.open["a"].ID, nil)
	tr.ended(noon(), "nobody", nil)
	p := tr.finish()
	if s := tr.step("a"); s.Error == nil || s.Error.Code != sdk.CodeTerminated || p.Error.Code != sdk.CodeStepFailed || p.StartedAt == nil {
		t.Errorf("%+v, %v", s, p.Error)
	}
	if d := string(p.Error.Details); d != `{"code":"terminated","step":"a"}` {
		t.Error(d)
	}
}

// TestPlanCourse_FirstFailure: the plan names the step that failed first, of those that stand so in the end.
func TestPlanCourse_FirstFailure(t *testing.T) {
	t.Parallel()
	boom := agentAnswer{Fail: sdk.CodeAgentFailed, Message: "boom"}
	steps := []sdk.PlanStep{stepOf("a"), stepOf("b"), stepOf("write"), stepOf("test", "write"), gated(stepOf("review", "write"), "write")}
	tr := newTrial(t, sdk.PlanRequest{Steps: steps, OnFailure: sdk.FailureContinue})
	tr.end("write", agentAnswer{})
	tr.end("test", boom)
	tr.end("b", boom)
	tr.end("a", boom)
	tr.end("review", missed(`1`))
	tr.end("write", agentAnswer{})
	tr.end("test", agentAnswer{})
	tr.end("review", agentAnswer{})
	if p := tr.finish(); !strings.HasPrefix(p.Error.Message, "step b failed: agent_failed: boom") {
		t.Error(p.Error)
	}
}

// TestPlanCourse_CountsReworks: a step that was sent back counts it, once until it has begun again.
func TestPlanCourse_CountsReworks(t *testing.T) {
	t.Parallel()
	large := stepOf("large", "write")
	large.When = "steps.write.output > 100"
	review := gated(stepOf("review", "write", "large"), "write")
	review.When = `steps.large.status != "failed"`
	tr := newTrial(t, sdk.PlanRequest{Steps: []sdk.PlanStep{stepOf("write"), large, review}})
	for round, lines := range []string{"500", "50", "600"} {
		tr.end("write", agentAnswer{Output: json.RawMessage(lines)})
		if round != 1 {
			tr.end("large", agentAnswer{})
		}
		if round < 2 {
			tr.end("review", missed(`1`))
		}
		if got := tr.step("large").Reworks; got != 1 {
			t.Errorf("round %d: %d reworks; its second task was that of the third round", round, got)
		}
	}
	tr.end("review", agentAnswer{})
	if p := tr.finish(); p.Steps[0].Reworks != 2 || p.Steps[1].Reworks != 1 || p.Steps[2].Reworks != 2 || p.Steps[1].TaskID != PlanTaskID("p1", "large", 1) {
		t.Errorf("%+v", p.Steps)
	}
}
