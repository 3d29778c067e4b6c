package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// wholeStory is that of a task whose first attempt fails, whose second asks, whose third uses the stage up, and whose fallback completes it.
func wholeStory() []string {
	return []string{
		"task.created", "task.assigned 0.1", "task.started", "task.progress 40", "task.retrying 0.1", "task.assigned 0.2", "task.input_required 0.2",
		"task.assigned 0.3", "task.fallback", "task.assigned 1.1", "task.completed", "code.generated",
	}
}

// TestAKilledControlWorkerTellsNoOtherStory kills the control worker once for each kind of event and each plan: after the event is on
// disk, and after a cancellation or a stale signal has come, but before the workflow task that told it is recorded. So each of these tasks
// is run again with more in it than had told the event. Questions are answered as soon as the log has them, recorded or not.
func TestAKilledControlWorkerTellsNoOtherStory(t *testing.T) {
	t.Parallel()
	stack := dev.ForTest(t, dev.Options{NoAPI: true, NoControl: true})
	s := newScene(t, stack)
	log, err := eventlog.Open(t.Context(), eventlog.Config{URL: stack.EventsURL(), Logger: slog.New(slog.DiscardHandler)})
	s.do(err)
	t.Cleanup(func() { s.do(log.Close()) })
	runs := engine.New(stack.Temporal(), engine.Config{CallTimeout: patience, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(runs.Close)
	o := &outboxScene{scene: s, log: log, runs: runs}
	kills := o.control()
	s.inProcess("agent-1", 40, sdk.HandlerFunc(o.handle))
	var tasks sync.WaitGroup
	types := map[string]bool{}
	for _, line := range wholeStory() {
		typ, _, _ := strings.Cut(line, " ")
		types[typ] = true
	}
	plans, turns := 0, make(chan struct{}, 4) // the control worker gets no more at once than it tells in time
	for typ := range types {
		for _, plan := range []string{planCancel, planStale, planAhead} {
			if _, _, ends := endsAttempt(sdk.EventType(typ)); plan == planAhead && !ends {
				continue
			}
			plans++
			tasks.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				n := 0
				for last := time.Now().Add(planPatience); time.Now().Before(last) || n < planTries; n++ {
					if o.plays(plan, typ, n) || t.Context().Err() != nil {
						return
					}
				}
				t.Errorf("%s %s: in %d tries it never came between the event and the end of its workflow task", plan, typ, n)
			})
		}
	}
	tasks.Wait()
	if got := kills(); got < len(types) { // one may serve several plans
		t.Errorf("the control worker was killed %d times for %d plans", got, plans)
	}
}

// outboxScene is a scene with a control worker that kills itself.
type outboxScene struct {
	*scene
	log  *eventlog.Log
	runs *engine.Engine
}

// control runs the control worker, anew whenever it has killed itself, and answers how often it has.
func (o *outboxScene) control() (kills func() int) {
	self, err := os.Executable()
	o.do(err)
	p, err := o.stack.Start(o.t.Context(), dev.Command{Name: "outbox-control", Path: self, Args: []string{
		"-outbox-temporal", o.stack.TemporalAddr(), "-outbox-nats", o.stack.EventsURL(), "-outbox-dir", o.dir,
	}})
	o.do(err)
	ctx, stop := context.WithCancel(context.WithoutCancel(o.t.Context()))
	var n int
	var over sync.WaitGroup
	over.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.Done():
			}
			n++
			if err := p.Restart(ctx); err != nil {
				if ctx.Err() == nil {
					o.t.Errorf("the control worker: %v", err)
				}
				return
			}
		}
	})
	end := sync.OnceFunc(func() {
		stop()
		over.Wait()
		_ = p.Kill() // it may have ended
	})
	o.t.Cleanup(end)
	return func() int {
		end()
		return n
	}
}

// handle is the agent of every task.
func (o *outboxScene) handle(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	switch {
	case a.Stage == 1:
		return &sdk.Result{Output: json.RawMessage(`1`)}, nil
	case a.Attempt == 1:
		r.Progress(sdk.Progress{Percentage: 40})
		if err := dev.Until(ctx, patience, func(ctx context.Context) error {
			lines, err := o.story(ctx, a.Task.ID)
			if err != nil || slices.Contains(lines, "task.progress 40") {
				return err
			}
			return errors.New("its progress is not in the log")
		}); err != nil {
			return nil, err
		}
		return nil, sdk.Retryable("busy", errors.New("busy"))
	case a.Attempt == 2:
		return nil, &sdk.InputRequired{Prompt: "Which port?"}
	default:
		return nil, sdk.Final("no_licence", errors.New("no licence"))
	}
}

// A plan gets tasks until it came in time, for so long and so many. It does not where the log, and what the plan does, took more than the
// 150 ms of a local activity.
const (
	planPatience = 3 * time.Minute
	planTries    = 6
)

// plays runs a task whose control worker is killed as planned, and checks its story. It answers whether the plan came in time, and the
// workflow task was lost.
func (o *outboxScene) plays(plan, typ string, n int) (inTime bool) {
	id := fmt.Sprintf("%s-%s-%d", plan, strings.NewReplacer(".", "-", "_", "-").Replace(typ), n)
	ctx, cancel := context.WithTimeout(o.t.Context(), 3*patience)
	defer cancel()
	run, err := o.stack.Temporal().ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.TaskWorkflowID(o.project, id), TaskQueue: workflows.ControlQueue,
		WorkflowTaskTimeout: time.Second, // of one whose worker is killed
	}, workflows.TaskWorkflow, workflows.TaskInput{Project: o.project, ID: id, Request: sdk.TaskRequest{
		Type: sdk.TypeCodeWrite, Title: id, CorrelationID: plan + " " + typ, Retry: &sdk.Retry{InitialIntervalMs: 100}, Fallback: []sdk.Stage{{}},
	}})
	if err != nil {
		o.t.Errorf("%s: %v", id, err)
		return true
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		o.answers(ctx, plan, id)
	}()
	end := run.Get(ctx, nil)
	<-answered
	var story []string
	if err := dev.Until(ctx, patience, func(ctx context.Context) (err error) {
		if story, err = o.story(ctx, id); err == nil && (len(story) == 0 || !isOver(story[len(story)-1])) {
			err = fmt.Errorf("the story ends with %q", story)
		}
		return err
	}); err != nil {
		o.t.Errorf("%s: %v; the run ended with %v", id, err, end)
		return true
	}
	var note []byte
	if err := dev.Until(ctx, patience, func(context.Context) (err error) { // a worker killed by another plan may have written the story and not come to this
		note, err = os.ReadFile((&outboxControl{dir: o.dir}).note(id))
		return err
	}); err != nil {
		o.t.Errorf("%s: nothing came of the plan: %v", id, err)
	}
	inTime = string(note) == "<nil>" && o.lost(ctx, plan, id)
	want := wholeStory()
	if plan == planCancel && end != nil {
		at := len(story) - 1
		told := slices.ContainsFunc(story, func(line string) bool { return strings.HasPrefix(line, typ) })
		if story[at] != "task.cancelled" || !told || !slices.Equal(story[:at], want[:at]) {
			o.t.Errorf("%s: %q, %v", id, story, end)
		}
		return inTime
	}
	if !slices.Equal(story, want) || end != nil {
		o.t.Errorf("%s: %q, %v", id, story, end)
	}
	return inTime
}

func isOver(line string) bool { return line == "task.cancelled" || line == "code.generated" }

// answers answers the task's question as soon as the log has it, as the API does.
func (o *outboxScene) answers(ctx context.Context, plan, id string) {
	asked := false
	if err := dev.Until(ctx, 3*patience, func(ctx context.Context) error {
		lines, err := o.story(ctx, id)
		asked = slices.Contains(lines, "task.input_required 0.2")
		if err == nil && !asked && (len(lines) == 0 || !isOver(lines[len(lines)-1])) {
			return errors.New("the log has neither its question nor its end")
		}
		return err
	}); err != nil || !asked {
		return // its story says why
	}
	if err := dev.Until(ctx, 3*patience, func(ctx context.Context) error {
		_, err := o.runs.ProvideInput(ctx, o.project, id, workflows.ProvideInputInput{RequestID: "input-0-2", Answer: json.RawMessage(`80`)})
		if err != nil && !errors.Is(err, sdk.ErrUnavailable) {
			return dev.GiveUp(err)
		}
		return err
	}); err != nil && (plan != planCancel || !errors.Is(err, sdk.ErrConflict)) {
		o.t.Errorf("%s: its question is not to be answered: %v", id, err)
	}
}

// lost reports whether what the plan says came while a workflow task was open that was lost then: it stands in history right after that.
func (o *outboxScene) lost(ctx context.Context, plan, id string) bool {
	h, err := historyOf(ctx, o.stack.Temporal(), workflows.TaskWorkflowID(o.project, id))
	if err != nil {
		o.t.Errorf("%s: %v", id, err)
		return false
	}
	ended := enumspb.EVENT_TYPE_UNSPECIFIED // how the last workflow task ended
	for _, e := range h.GetEvents() {
		switch e.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			ended = e.GetEventType()
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
			return ended == enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			var in workflows.TaskProgressedInput
			a := e.GetWorkflowExecutionSignaledEventAttributes()
			if plan != planCancel && a.GetSignalName() == workflows.TaskProgressed.Name &&
				workflows.DataConverter().FromPayloads(a.GetInput(), &in) == nil && in.Progress.Percentage == plannedProgress {
				return ended == enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
			}
		default:
		}
	}
	return false
}

// story is what the log has of a task, each event as its type and what tells it from another.
func (o *outboxScene) story(ctx context.Context, id string) ([]string, error) {
	page, err := o.log.Read(ctx, o.project, eventlog.Query{
		Filter: eventlog.Filter{Story: &eventlog.Story{Kind: eventlog.KindTask, ID: id}}, From: eventlog.After(0), Limit: sdk.MaxEventBatch,
	})
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(page.Records))
	for i, r := range page.Records {
		e, err := r.Event()
		if err != nil {
			return nil, err
		}
		if e.Seq != i+1 {
			return nil, fmt.Errorf("event %d of the story of %s has the number %d", i+1, id, e.Seq)
		}
		var d struct {
			Stage, Attempt int
			Percentage     float64
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			return nil, err
		}
		lines[i] = string(e.Type)
		switch e.Type {
		case sdk.EventTaskAssigned, sdk.EventTaskRetrying, sdk.EventTaskInputRequired:
			lines[i] += fmt.Sprintf(" %d.%d", d.Stage, d.Attempt)
		case sdk.EventTaskProgress:
			lines[i] += fmt.Sprintf(" %g", d.Percentage)
		default:
		}
	}
	return lines, nil
}
