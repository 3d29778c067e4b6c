package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// planTask is the task of a plan's step.
func planTask() workflows.TaskInput {
	in := input()
	in.PlanID, in.FairnessKey = "plan-1", "plan-1"
	return in
}

// TestATaskOfAPlan is read, listed and cancelled as any other, and says whose it is. One that is tried anew is no task of the plan.
func TestATaskOfAPlan(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, planTask())
	e := newTestEngine(t, o, Config{})
	task, err := e.GetTask(t.Context(), "p", "a")
	if err != nil || task.PlanID != "plan-1" || task.FairnessKey != "plan-1" {
		t.Errorf("%+v %v", task, err)
	}
	if s, ok := e.summary("p", o.run.WorkflowExecutionInfo); !ok || s.PlanID != "plan-1" {
		t.Errorf("%+v %t", s, ok)
	}
	if task, accepted, err := e.CancelTask(t.Context(), "p", "a", "not this one"); !accepted || err != nil || task.PlanID != "plan-1" || o.cancels != 1 {
		t.Errorf("%+v %t %v, %d cancels", task, accepted, err, o.cancels)
	}
	o.end(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, canceled(t))
	o.fresh = true
	if task, _, err := e.RetryTask(t.Context(), workflows.TaskInput{Project: "p", ID: "again", RetryOf: "a"}, ""); err != nil || task.PlanID != "" || o.input.PlanID != "" {
		t.Errorf("%+v %v", task, err)
	}
}

// TestListsOfTasksHaveNoPlans: a plan's run has its plan's attribute too.
func TestListsOfTasksHaveNoPlans(t *testing.T) {
	t.Parallel()
	if query := ListQuery("p", sdk.TaskFilter{PlanID: "a"}); query != "WorkflowType = 'Task' AND RolecallProject = 'p' AND RolecallPlan = 'a'" {
		t.Error(query)
	}
	h := newHeldPlan(t)
	e := newPlanEngine(t, h, Config{})
	if s, ok := e.summary("p", h.run.WorkflowExecutionInfo); ok {
		t.Errorf("%+v", s)
	}
	for _, of := range []string{familyQuery("p", "a"), otherRolesQuery("p", nil)} {
		if !strings.HasPrefix(of, "WorkflowType = 'Task' AND ") {
			t.Error(of)
		}
	}
	if _, err := e.GetTask(t.Context(), "p", "a"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("a plan is read as a task: %v", err)
	}
}

// TestPlansHaveQueriesOfTheirOwn: however many runs of tasks and sessions are asked, how a plan stands is known.
func TestPlansHaveQueriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		h.ask = func() (sdk.Plan, error) { return answered(sdk.StatusRunning, sdk.StepRunning), nil }
		e := newEngine(h, Config{})
		defer e.Close()
		for _, places := range []chan struct{}{e.queries, e.queriesOfSessions} {
			for range cap(places) {
				places <- struct{}{}
			}
		}
		if p, err := e.GetPlan(t.Context(), "p", "a"); err != nil || p.Stale {
			t.Errorf("%s %v", inShort(p), err)
		}
		for range cap(e.queriesOfPlans) {
			e.queriesOfPlans <- struct{}{}
		}
		pass(e.cfg.DescribeTTL)
		asked := time.Now()
		if p, err := e.GetPlan(t.Context(), "p", "a"); err != nil || !p.Stale || time.Since(asked) != queryTimeout {
			t.Errorf("without a place, after %v: %s %v", time.Since(asked), inShort(p), err)
		}
	})
}

// TestAWaitForAPlanThatIsGone ends, as when Temporal keeps it no more.
func TestAWaitForAPlanThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		e := newEngine(h, Config{})
		defer e.Close()
		failures := make(chan error, 1)
		go func() {
			_, err := e.WaitPlan(t.Context(), "p", "a", time.Hour)
			failures <- err
		}()
		synctest.Wait()
		h.mu.Lock()
		h.run = nil
		h.mu.Unlock()
		if err := <-failures; !errors.Is(err, sdk.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestAProjectLeavesOthersAQuery, however many of its plans do not answer.
func TestAProjectLeavesOthersAQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeldPlan(t)
		e := newEngine(h, Config{})
		defer e.Close()
		for range 2 * e.cfg.MaxPlanQueries {
			go func() {
				asked := time.Now()
				if _, err := e.askPlan(planRun{runHead: runHead{project: "p", id: "a"}}); err == nil || time.Since(asked) != queryTimeout {
					t.Errorf("%v after %v", err, time.Since(asked))
				}
			}()
		}
		synctest.Wait()
		h.mu.Lock() // a place that is left may be taken by another one at once
		asked := h.asked
		h.mu.Unlock()
		if n := len(e.queriesOfPlans); n != e.cfg.MaxPlanQueries-1 || asked != n {
			t.Errorf("%d of %d places are taken, asked %d times", n, e.cfg.MaxPlanQueries, asked)
		}
		pass(queryTimeout)
		synctest.Wait()
	})
}
