package workflows

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlan_GoesAsTheScenariosSay runs every scenario through the workflow, with tasks that do nothing but wait for their agent.
func TestPlan_GoesAsTheScenariosSay(t *testing.T) {
	t.Parallel()
	for _, s := range readPlanScenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			newPlanStage(t, s).play()
		})
	}
}

// answered is what a task of a stage waits for.
var answered = Signal[sdk.Task]{"answered"}

// planStage is where a scenario is played: a Temporal without a server.
type planStage struct {
	t        *testing.T
	scenario planScenario
	agents   *scenarioAgents
	env      *testsuite.TestWorkflowEnvironment

	mu      sync.Mutex
	begun   []TaskInput // in no order
	events  []sdk.Event
	entered map[string]bool // by task id, with the agents
	asked   bool            // to cancel
}

func newPlanStage(t *testing.T, s planScenario) *planStage {
	t.Helper()
	p := &planStage{t: t, scenario: s, agents: newScenarioAgents(s), entered: map[string]bool{}}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	p.env = suite.NewTestWorkflowEnvironment()
	p.env.SetTestTimeout(time.Minute)
	p.env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a slow machine is none
	p.env.SetDataConverter(DataConverter())
	p.env.RegisterWorkflowWithOptions(Plan, workflow.RegisterOptions{Name: PlanWorkflow})
	p.env.RegisterWorkflowWithOptions(p.task(), workflow.RegisterOptions{Name: TaskWorkflow})
	p.env.RegisterActivityWithOptions(p.tell, activity.RegisterOptions{Name: activities.PublishEventsLocallyName})
	return p
}

// task is the run of a task.
func (p *planStage) task() func(workflow.Context, TaskInput) (sdk.Task, error) {
	return func(ctx workflow.Context, in TaskInput) (record sdk.Task, err error) {
		p.mu.Lock()
		p.begun = append(p.begun, in)
		p.mu.Unlock()
		s, stopped := workflow.NewSelector(ctx), false
		s.AddReceive(answered.Channel(ctx).ReceiveChannel, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &record) })
		s.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { stopped = true })
		s.Select(ctx)
		if stopped {
			why, _ := CancelRequested.Channel(ctx).ReceiveAsync() // it is sent before
			p.mu.Lock()
			p.enter()
			record = p.agents.cancelled(p.t, in.ID, why.Reason)
			p.mu.Unlock()
		}
		switch record.Status {
		case sdk.StatusFailed:
			failure := record.Result.Error
			return record, temporal.NewApplicationErrorWithOptions(failure.Message, string(failure.Code), temporal.ApplicationErrorOptions{Details: []any{record}})
		case sdk.StatusCancelled:
			return record, temporal.NewCanceledError(record)
		default:
			return record, nil
		}
	}
}

// tell keeps events as the log does.
func (p *planStage) tell(in activities.PublishEventsInput) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range in.Events {
		if e.Seq == len(p.events)+1 {
			p.events = append(p.events, e)
		}
	}
	return nil
}

// play runs the plan to its end: whenever nothing else happens, something is done.
func (p *planStage) play() {
	p.t.Helper()
	var act func()
	act = func() {
		if !p.env.IsWorkflowCompleted() {
			p.act()
			p.env.RegisterDelayedCallback(act, time.Second)
		}
	}
	p.env.RegisterDelayedCallback(act, time.Second)
	p.env.ExecuteWorkflow(PlanWorkflow, p.scenario.input())
	var plan sdk.Plan
	err := p.env.GetWorkflowResult(&plan)
	if err != nil {
		err = readChild(err, &plan)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if len(p.agents.ends) > 0 || p.asked != (p.scenario.CancelWhen != "") {
		p.t.Errorf("%v never answered; it was cancelled: %t", p.agents.ends, p.asked)
	}
	checkPlanStory(p.t, p.scenario.input(), plan, p.events)
	p.scenario.check(p.t, plan, p.events, p.agents.inputs)
}

// act cancels the plan, or has the next agent answer.
func (p *planStage) act() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter()
	order, _ := steppedOrder(p.t, p.events)
	if p.scenario.CancelWhen != "" && slices.Contains(order, p.scenario.CancelWhen) && !p.asked {
		p.asked = true
		p.env.SignalWorkflow(CancelRequested.Name, CancelRequestedInput{Reason: "not wanted any more"})
		p.env.CancelWorkflow()
		return
	}
	in, record := p.agents.answer(p.t)
	if err := p.env.SignalWorkflowByID(TaskWorkflowID(in.Project, in.ID), answered.Name, record); err != nil {
		p.t.Fatal(err)
	}
}

// enter tells the agents of the tasks that run, in the order in which their steps began.
func (p *planStage) enter() {
	var order []string
	for _, e := range p.events {
		var d sdk.PlanStepped
		if e.Type == sdk.EventPlanStep && json.Unmarshal(e.Data, &d) == nil && d.To == sdk.StepRunning {
			order = append(order, d.TaskID)
		}
	}
	for _, in := range p.begun { // of the coordinator, which is no step
		if !slices.Contains(order, in.ID) {
			order = append(order, in.ID)
		}
	}
	for _, id := range order {
		i := slices.IndexFunc(p.begun, func(in TaskInput) bool { return in.ID == id })
		if i >= 0 && !p.entered[id] {
			p.entered[id] = true
			p.agents.started(p.t, p.begun[i], p.steps())
		}
	}
}

// steps are those of the plan, as plan.started has them.
func (p *planStage) steps() (steps []sdk.Step) {
	for _, e := range p.events {
		var d sdk.PlanStarted
		if e.Type != sdk.EventPlanStarted {
			continue
		}
		if err := json.Unmarshal(e.Data, &d); err != nil || d.StepsOmitted {
			p.t.Fatal(errors.Join(err, errors.New("the steps are not told")))
		}
		for _, s := range d.Steps {
			steps = append(steps, sdk.Step{ID: s.ID})
		}
	}
	return steps
}
