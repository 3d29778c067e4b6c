package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

var (
	plansAtOnce = flag.Int("plans", 3, "how many plans of ten parallel steps run at once; make soak has 100")
	planRounds  = flag.Int("plan-rounds", 1, "how often those plans and as many plain tasks take turns")
)

const (
	manySteps = 10
	// leastOfPlain is what plans are to reach of the throughput of plain tasks, from enough plans on that it can be measured.
	leastOfPlain = 0.5
	enoughPlans  = 100
	// stepEvents, stepBytes, planEvents and planBytes bound the history of a plan's run: for each step, and beside them.
	stepEvents = 12
	stepBytes  = 8 << 10
	planEvents = 20
	planBytes  = 24 << 10
	// planIDBytes is what the history of a step's task may have beside that of a plain one: whose it is, in each of its events.
	planIDBytes = 2 << 10
	// A task has so much more where the log is slow, and an activity publishes.
	slowLogEvents = 6
	slowLogBytes  = 4 << 10
)

// doneCount completes every task at once, and notes when it was given the last one.
type doneCount struct {
	mu    sync.Mutex
	tasks int
	last  time.Time
}

// Handle implements [sdk.Handler].
func (d *doneCount) Handle(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks++
	d.last = time.Now()
	return &sdk.Result{Output: json.RawMessage(`{"ok":true}`)}, nil
}

// block has tasks done by a function, and answers how many a second: at the agent, and until the last caller had heard of the last end.
func (d *doneCount) block(t *testing.T, tasks int, do func()) (agent, callers float64) {
	t.Helper()
	d.mu.Lock()
	d.tasks = 0
	d.mu.Unlock()
	began := time.Now()
	do()
	took := time.Since(began)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tasks != tasks {
		t.Fatalf("the agent had %d tasks, want %d", d.tasks, tasks)
	}
	return float64(tasks) / d.last.Sub(began).Seconds(), float64(tasks) / took.Seconds()
}

// TestManyPlansBesideAsManyTasks does many plans of ten parallel steps at once, and by turns as many plain tasks: how many tasks a second come out of
// each, and what a plan adds to the history.
func TestManyPlansBesideAsManyTasks(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	d := &doneCount{}
	s.inProcess("coder-1", 50, d)
	tasks := *plansAtOnce * manySteps
	var plain, planned []float64
	var ids, planIDs []string
	for round := range 2 * *planRounds {
		if (round+1)/2%2 == 0 { // plain, plans, plans, plain, plain …
			agent, callers := d.block(t, tasks, func() { ids = s.plainTasks(tasks) })
			t.Logf("%d plain tasks: %.1f a second at the agent, %.1f as their callers hear it", tasks, agent, callers)
			plain = append(plain, agent)
			continue
		}
		agent, callers := d.block(t, tasks, func() { planIDs = s.plansTogether(*plansAtOnce) })
		t.Logf("%d plans of %d steps: %.1f tasks a second at the agent, %.1f as their callers hear it", *plansAtOnce, manySteps, agent, callers)
		planned = append(planned, agent)
	}
	ratio := mean(planned) / mean(plain)
	t.Logf("plans bring %.2f of the throughput of plain tasks", ratio)
	if *plansAtOnce >= enoughPlans && ratio < leastOfPlain {
		t.Errorf("plans bring %.2f of the throughput of plain tasks, want %.1f at least", ratio, leastOfPlain)
	}
	s.wantHistories(ids, planIDs)
}

// plainTasks hands out tasks, and waits for the end of all.
func (s *scene) plainTasks(n int) []string {
	s.t.Helper()
	ids := s.create(s.client, n, func(int) sdk.TaskRequest { return sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "One of many"} })
	var waiting sync.WaitGroup
	for chunk := range slices.Chunk(ids, max(1, n/50)) {
		waiting.Go(func() {
			for _, id := range chunk {
				if task, err := s.client.WaitForTask(s.t.Context(), id); err != nil || task.Status != sdk.StatusCompleted {
					s.t.Errorf("task %s: %+v %v", id, task, err)
				}
			}
		})
	}
	waiting.Wait()
	return ids
}

// plansTogether hands out plans, all at once, and waits for the end of all.
func (s *scene) plansTogether(n int) []string {
	s.t.Helper()
	request := sdk.PlanRequest{Title: "One of many", MaxParallel: manySteps}
	for i := range manySteps {
		request.Steps = append(request.Steps, sdk.PlanStep{ID: fmt.Sprintf("s%d", i), Type: sdk.TypeCodeWrite, Title: "One of many"})
	}
	ids := make([]string, n)
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			plan, err := s.client.CreatePlan(s.t.Context(), request)
			if err == nil {
				plan, err = s.client.WaitForPlan(s.t.Context(), plan.ID)
			}
			if err != nil || plan.Status != sdk.StatusCompleted {
				s.t.Errorf("plan %d: %+v %v", i, plan, err)
				return
			}
			ids[i] = plan.ID
		})
	}
	callers.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
	return ids
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// wantHistories compares the history of a plan's tasks with that of plain ones, and looks at what the plan's own run takes.
func (s *scene) wantHistories(tasks, plans []string) {
	s.t.Helper()
	plain, own := s.histories(tasks, workflows.TaskWorkflowID), s.histories(plans, workflows.PlanWorkflowID)
	var ids []string
	for _, id := range plans[:min(len(plans), 3)] {
		plan, err := s.client.GetPlan(s.t.Context(), id)
		s.do(err)
		for _, step := range plan.Steps {
			ids = append(ids, step.TaskID)
		}
	}
	steps := s.histories(ids, workflows.TaskWorkflowID)
	s.t.Logf("the least history of a plain task has %d events and %d bytes, that of a step's task %d and %d, that of a plan of %d steps %d and %d",
		plain.events, plain.bytes, steps.events, steps.bytes, manySteps, own.events, own.bytes)
	if steps.events > plain.events+slowLogEvents || steps.bytes > plain.bytes+planIDBytes+slowLogBytes {
		s.t.Error("the history of a step's task is longer than that of a plain one")
	}
	if own.events > planEvents+manySteps*stepEvents || own.bytes > planBytes+manySteps*stepBytes {
		s.t.Error("the history of the plan's own run is longer than it is to be")
	}
}

// historySize is the length of a history.
type historySize struct{ events, bytes int64 }

// histories is the shortest of several histories, of at most 30.
func (s *scene) histories(ids []string, workflowID func(project, id string) string) historySize {
	s.t.Helper()
	var sizes []historySize
	for _, id := range ids[:min(len(ids), 30)] {
		described, err := s.stack.Temporal().DescribeWorkflowExecution(s.t.Context(), workflowID(s.project, id), "")
		s.do(err)
		info := described.GetWorkflowExecutionInfo()
		sizes = append(sizes, historySize{info.GetHistoryLength(), info.GetHistorySizeBytes()})
	}
	return slices.MinFunc(sizes, func(a, b historySize) int { return cmp.Compare(a.bytes, b.bytes) })
}
