package workflows

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planScenario is one of the files of testdata/plans, whose README says what its fields mean: a plan, what its agents answer, and how it has
// to go. They are written by hand.
type planScenario struct {
	About      string                   `json:"about"`
	Plan       sdk.PlanRequest          `json:"plan"`
	CancelWhen string                   `json:"cancelWhen"` // "id status": then the plan is cancelled
	Answers    map[string][]agentAnswer `json:"answers"`    // by step, by run; "planning" is the coordinator
	Ends       []string                 `json:"ends"`       // in which order the agents answer
	Expect     planOutcome              `json:"expect"`

	name string
}

// agentAnswer is what an agent answers; the zero value is {"step": "<id>"}.
type agentAnswer struct {
	Output            json.RawMessage `json:"output"`
	QualityGatePassed *bool           `json:"qualityGatePassed"`
	QualityGate       json.RawMessage `json:"qualityGate"`
	Reflection        json.RawMessage `json:"reflection"`
	Fail              sdk.Code        `json:"fail"` // cancelled is that somebody else cancelled the task
	Message           string          `json:"message"`
}

// planOutcome is how a plan has to go. What is left out is not looked at.
type planOutcome struct {
	Status         sdk.Status                   `json:"status"`
	Error          sdk.Code                     `json:"error"`
	Order          []string                     `json:"order"` // the plan.step events: "id status"
	Steps          map[string]sdk.StepStatus    `json:"steps"`
	SkippedBecause map[string]string            `json:"skippedBecause"`
	Reworks        map[string]int               `json:"reworks"`
	Outputs        map[string]json.RawMessage   `json:"outputs"`
	Inputs         map[string][]json.RawMessage `json:"inputs"` // by step, of every run; null is none
	MostAtOnce     *int                         `json:"mostAtOnce"`
}

// planningStep is the name of the coordinator among the steps of a scenario.
const planningStep = "planning"

// readPlanScenarios reads every scenario; there are at least 20. A field that none has fails the test.
func readPlanScenarios(t *testing.T) []planScenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "plans", "*.yaml"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scenarios were found, %v; there are at least 20", len(files), err)
	}
	scenarios := make([]planScenario, len(files))
	for i, file := range files {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenarios[i] = parsePlanScenario(t, file, page)
	}
	return scenarios
}

func parsePlanScenario(t *testing.T, file string, page []byte) planScenario {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(page, &value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	raw, err := encode(value)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s := planScenario{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if s.About == "" || s.Plan.Title == "" || s.Expect.Status == "" {
		t.Fatalf("%s: about, the plan's title and the expected status are required", file)
	}
	return s
}

// input starts the scenario's plan.
func (s planScenario) input() PlanInput {
	return PlanInput{Project: "p", Organization: "o", ID: "plan-" + s.name[:2], Request: s.Plan, CreatedAt: noon()}
}

// scenarioAgents are the agents of a scenario: whoever runs it tells them of tasks, and asks whose turn it is to answer.
type scenarioAgents struct {
	scenario planScenario
	steps    map[string]string // by task id, once it is known
	open     []TaskInput       // in the order in which they were asked for
	ends     []string          // that are to come
	inputs   map[string][]json.RawMessage
}

func newScenarioAgents(s planScenario) *scenarioAgents {
	return &scenarioAgents{scenario: s, steps: map[string]string{}, ends: s.Ends, inputs: map[string][]json.RawMessage{}}
}

// started takes a task that was asked for. steps are those of the plan: a task does not say which of them it is.
func (a *scenarioAgents) started(t *testing.T, in TaskInput, steps []sdk.Step) {
	t.Helper()
	id := planningStep
	if i := slices.IndexFunc(steps, func(s sdk.Step) bool { return PlanTaskID(in.PlanID, s.ID, len(a.inputs[s.ID])) == in.ID }); i >= 0 {
		id = steps[i].ID
	} else if in.ID != PlanTaskID(in.PlanID, "", len(a.inputs[planningStep])) {
		t.Fatalf("task %s is that of no step", in.ID)
	}
	a.steps[in.ID] = id
	a.open = append(a.open, in)
	input := in.Request.Input
	if len(input) == 0 {
		input = json.RawMessage("null")
	}
	a.inputs[id] = append(a.inputs[id], input)
}

// answer is the next answer: of the first step in ends, and of one that is not there when it does not run; by default the oldest task's.
func (a *scenarioAgents) answer(t *testing.T) (in TaskInput, record sdk.Task) {
	t.Helper()
	i := 0
	if len(a.ends) > 0 {
		i = slices.IndexFunc(a.open, func(in TaskInput) bool { return a.steps[in.ID] == a.ends[0] })
		if i >= 0 {
			a.ends = a.ends[1:]
		} else {
			i = slices.IndexFunc(a.open, func(in TaskInput) bool { return !slices.Contains(a.ends, a.steps[in.ID]) })
		}
	}
	if i < 0 || i >= len(a.open) {
		t.Fatalf("it is the turn of %v, of which nothing runs", a.ends)
	}
	in = a.take(i)
	id := a.steps[in.ID]
	seed := id
	if id == planningStep {
		seed = ""
	}
	run := 0
	for PlanTaskID(in.PlanID, seed, run) != in.ID {
		run++
	}
	return in, a.scenario.record(in, id, run)
}

// cancelled is the end of a task that was told to stop.
func (a *scenarioAgents) cancelled(t *testing.T, taskID, reason string) sdk.Task {
	t.Helper()
	i := slices.IndexFunc(a.open, func(in TaskInput) bool { return in.ID == taskID })
	if i < 0 {
		t.Fatalf("task %s is stopped, and does not run", taskID)
	}
	return endedTask(a.take(i), agentAnswer{Fail: sdk.CodeCancelled, Message: reason})
}

func (a *scenarioAgents) take(i int) TaskInput {
	in := a.open[i]
	a.open = slices.Delete(a.open, i, i+1)
	return in
}

// record is how a run of a step ends, counted from 0.
func (s planScenario) record(in TaskInput, step string, run int) sdk.Task {
	answer := agentAnswer{}
	if list := s.Answers[step]; run < len(list) {
		answer = list[run]
	}
	if answer.Fail == "" && answer.Output == nil {
		answer.Output, _ = encode(map[string]string{"step": step})
	}
	return endedTask(in, answer)
}

func endedTask(in TaskInput, a agentAnswer) sdk.Task {
	t := NewTask(in, in.CreatedAt)
	t.AgentID, t.Status = "agent-"+string(t.Role), sdk.StatusCompleted
	t.Result = &sdk.Result{Output: a.Output, QualityGatePassed: a.QualityGatePassed, QualityGate: a.QualityGate, Reflection: a.Reflection}
	if a.Fail != "" {
		t.Status = sdk.StatusFailed
		t.Result = &sdk.Result{Error: &sdk.TaskError{Code: a.Fail, Message: a.Message}}
	}
	if a.Fail == sdk.CodeCancelled {
		t.Status = sdk.StatusCancelled
	}
	t.Result.Status = t.Status
	return t
}

// check holds a plan that has ended, its events and what its tasks were given against what the scenario expects.
func (s planScenario) check(t *testing.T, p sdk.Plan, events []sdk.Event, inputs map[string][]json.RawMessage) {
	t.Helper()
	e := s.Expect
	code := sdk.Code("")
	if p.Error != nil {
		code = p.Error.Code
	}
	if p.Status != e.Status || code != e.Error {
		t.Errorf("it is %s with %q, %v; expected %s with %q", p.Status, code, p.Error, e.Status, e.Error)
	}
	order, most := steppedOrder(t, events)
	if e.Order != nil && !slices.Equal(e.Order, order) {
		t.Errorf("the order (- expected, + came): %s", cmp.Diff(e.Order, order))
	}
	if e.MostAtOnce != nil && most != *e.MostAtOnce {
		t.Errorf("%d steps ran at once; expected %d", most, *e.MostAtOnce)
	}
	steps, because, reworks := map[string]sdk.StepStatus{}, map[string]string{}, map[string]int{}
	for _, step := range p.Steps {
		steps[step.ID], because[step.ID], reworks[step.ID] = step.Status, step.SkippedBecause, step.Reworks
	}
	if e.Steps != nil {
		if d := cmp.Diff(e.Steps, steps); d != "" {
			t.Errorf("the steps (- expected, + came): %s", d)
		}
	}
	for id, want := range e.SkippedBecause {
		if because[id] != want {
			t.Errorf("%s was skipped because %q; expected %q", id, because[id], want)
		}
	}
	for id, want := range e.Reworks {
		if reworks[id] != want {
			t.Errorf("%s has %d reworks; expected %d", id, reworks[id], want)
		}
	}
	if e.Outputs != nil {
		if d := cmp.Diff(plainJSONOf(t, e.Outputs), plainJSONOf(t, p.Outputs)); d != "" {
			t.Errorf("the outputs (- expected, + came): %s", d)
		}
	}
	for id, want := range e.Inputs {
		if d := cmp.Diff(plainJSONOf(t, want), plainJSONOf(t, append([]json.RawMessage{}, inputs[id]...))); d != "" {
			t.Errorf("the inputs of %s (- expected, + came): %s", id, d)
		}
	}
}

// plainJSONOf is a value as JSON has it, so that values which mean the same are equal.
func plainJSONOf(t *testing.T, value any) (plain any) {
	t.Helper()
	raw, err := encode(value)
	if err == nil {
		err = json.Unmarshal(raw, &plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// steppedOrder is the plan.step events of a plan, as "id status", and how many steps ran at once by them.
func steppedOrder(t *testing.T, events []sdk.Event) (order []string, most int) {
	t.Helper()
	running := map[string]bool{}
	for _, e := range events {
		if e.Type != sdk.EventPlanStep {
			continue
		}
		d := eventData[sdk.PlanStepped](t, e)
		order = append(order, d.Step+" "+string(d.To))
		delete(running, d.Step)
		if d.To == sdk.StepRunning {
			running[d.Step] = true
		}
		most = max(most, len(running))
	}
	return order, most
}

func eventData[T any](t *testing.T, e sdk.Event) (data T) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("event %s: %v", e.ID, err)
	}
	return data
}

// checkPlanStory holds the events of a plan that has ended against its record, which every plan keeps: seq has no gaps, every step goes on
// from where it stood, and the last event counts what the record says.
func checkPlanStory(t *testing.T, in PlanInput, p sdk.Plan, events []sdk.Event) {
	t.Helper()
	at, reworks := map[string]sdk.StepStatus{}, map[string]int{}
	for i, e := range events {
		if e.Seq != i+1 || e.Plan != in.ID || e.Project != in.Project || e.Task != "" || e.Dropped != "" {
			t.Fatalf("event %d: %+v", i+1, e)
		}
		if (i == 0) != (e.Type == sdk.EventPlanCreated) {
			t.Errorf("event %d is %s", i+1, e.Type)
		}
		if e.Type != sdk.EventPlanStep {
			continue
		}
		d := eventData[sdk.PlanStepped](t, e)
		from := at[d.Step]
		if from == "" {
			from = sdk.StepPending
		}
		if d.From != from || d.To == from {
			t.Errorf("event %d: %s goes from %s to %s, and stood at %s", i+1, d.Step, d.From, d.To, from)
		}
		if (d.To == sdk.StepPending) != (d.ReworkFor != "") || (d.To == sdk.StepSkipped) != (d.SkippedBecause != "") || d.Reworks < reworks[d.Step] {
			t.Errorf("event %d: %+v", i+1, d)
		}
		at[d.Step], reworks[d.Step] = d.To, d.Reworks
	}
	ended := eventData[sdk.PlanEnded](t, events[len(events)-1])
	want := map[sdk.Status]sdk.EventType{
		sdk.StatusCompleted: sdk.EventPlanCompleted, sdk.StatusFailed: sdk.EventPlanFailed, sdk.StatusCancelled: sdk.EventPlanCancelled,
	}[p.Status]
	if last := events[len(events)-1]; last.Type != want || ended.Status != p.Status || (p.Error == nil) != (p.Status == sdk.StatusCompleted) {
		t.Errorf("the last event is %s of a plan that is %s, %v", last.Type, p.Status, p.Error)
	}
	counts := map[sdk.StepStatus]int{}
	for _, s := range p.Steps {
		counts[s.Status]++
		if !s.Status.Terminal() || s.Status != at[s.ID] || s.Reworks != reworks[s.ID] || s.CompletedAt == nil || (s.Status == sdk.StepFailed) != (s.Error != nil) && s.Status != sdk.StepCancelled {
			t.Errorf("step %+v, by its events %s with %d reworks", s, at[s.ID], reworks[s.ID])
		}
	}
	told := map[sdk.StepStatus]int{
		sdk.StepCompleted: ended.Completed, sdk.StepFailed: ended.Failed, sdk.StepCancelled: ended.Cancelled, sdk.StepSkipped: ended.Skipped,
	}
	for status, n := range told {
		if counts[status] != n {
			t.Errorf("the last event counts %d steps %s, there are %d", n, status, counts[status])
		}
	}
}

// TestPlanCourse_GoesAsTheScenariosSay runs every scenario without an engine.
func TestPlanCourse_GoesAsTheScenariosSay(t *testing.T) {
	t.Parallel()
	for _, s := range readPlanScenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			runScenario(t, s)
		})
	}
}

func runScenario(t *testing.T, s planScenario) {
	t.Helper()
	in, now := s.input(), noon()
	c, agents := NewPlanCourse(in, now), newScenarioAgents(s)
	if err := c.course.fault(); err != nil {
		t.Fatal(err)
	}
	var events []sdk.Event
	heard := false // what the plan is cancelled by
	listen := func() {
		fresh := c.TakeEvents()
		events = append(events, fresh...)
		order, _ := steppedOrder(t, fresh)
		if s.CancelWhen != "" && slices.Contains(order, s.CancelWhen) && !heard {
			heard = true
			if !c.Cancel(now, "not wanted any more") {
				t.Error("the plan was not to be cancelled")
			}
			events = append(events, c.TakeEvents()...)
		}
	}
	c.Begin(now)
	for range 10_000 {
		for in, ok := c.Next(now); ok; in, ok = c.Next(now) {
			agents.started(t, in, c.Plan().Steps)
		}
		listen()
		now = now.Add(time.Second)
		stopped := false
		for id, reason, ok := c.Stop(); ok; id, reason, ok = c.Stop() {
			record := agents.cancelled(t, id, reason)
			c.Ended(now, id, &record)
			stopped = true
		}
		if stopped {
			continue
		}
		if c.Over() {
			break
		}
		in, record := agents.answer(t)
		c.Ended(now, in.ID, &record)
	}
	if !c.Over() {
		t.Fatal("the plan does not end")
	}
	if s.CancelWhen != "" && !heard {
		t.Errorf("%s never was", s.CancelWhen)
	}
	if len(agents.ends) > 0 {
		t.Errorf("%v never answered", agents.ends)
	}
	c.Close(now)
	c.Close(now.Add(time.Hour)) // it has ended
	listen()
	checkPlanStory(t, in, c.Plan(), events)
	s.check(t, c.Plan(), events, agents.inputs)
}
