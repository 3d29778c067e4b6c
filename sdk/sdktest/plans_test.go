package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// written is a plan that has something written, and then reviewed and tested at once.
func written() sdk.PlanRequest {
	after := []string{"write"}
	return sdk.PlanRequest{
		Title: "write, then look at it", Outputs: map[string]json.RawMessage{"code": json.RawMessage(`"${{ steps.write.output }}"`)},
		Steps: []sdk.PlanStep{
			{ID: "write", Type: sdk.TypeCodeWrite, Title: "Write it"},
			{ID: "review", Type: sdk.TypeCodeReview, Title: "Review it", Needs: after, Input: json.RawMessage(`{"code":"${{ steps.write.output }}"}`)},
			{ID: "test", Type: sdk.TypeCodeTest, Title: "Test it", Needs: after},
		},
	}
}

func createPlan(t *testing.T, c *sdk.Client, r sdk.PlanRequest) *sdk.Plan {
	t.Helper()
	plan, err := c.CreatePlan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func getPlan(t *testing.T, c *sdk.Client, id string) *sdk.Plan {
	t.Helper()
	plan, err := c.GetPlan(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// stands is how the steps of a plan stand.
func stands(p *sdk.Plan) (list []sdk.StepStatus) {
	for _, s := range p.Steps {
		list = append(list, s.Status)
	}
	return list
}

// TestPlanGoesByTheClock: its steps begin when what they need has ended, by the clock that the test moves.
func TestPlanGoesByTheClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	srv := sdktest.New(t, sdktest.StartAt(start))
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Work(time.Hour/2).Complete(1)))
	reviewer := srv.Agent(sdk.RoleReviewer, sdktest.Script(sdktest.Attempt().Work(time.Hour/4).Complete("good")))
	srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Work(time.Hour/2).Complete("good")))
	created := createPlan(t, c, written())
	if !created.CreatedAt.Equal(start) || created.Status.Terminal() || len(created.Steps) != 3 {
		t.Errorf("created it is %+v", created)
	}
	for _, at := range []struct {
		after time.Duration
		want  []sdk.StepStatus
	}{
		{0, []sdk.StepStatus{sdk.StepRunning, sdk.StepPending, sdk.StepPending}},
		{time.Second + time.Hour/2 - 1, []sdk.StepStatus{sdk.StepRunning, sdk.StepPending, sdk.StepPending}},
		{1, []sdk.StepStatus{sdk.StepCompleted, sdk.StepRunning, sdk.StepRunning}},
		{time.Hour / 4, []sdk.StepStatus{sdk.StepCompleted, sdk.StepCompleted, sdk.StepRunning}},
		{time.Hour / 4, []sdk.StepStatus{sdk.StepCompleted, sdk.StepCompleted, sdk.StepCompleted}},
	} {
		srv.Clock().Advance(at.after)
		if d := cmp.Diff(at.want, stands(getPlan(t, c, created.ID))); d != "" {
			t.Errorf("at %s: %s", srv.Clock().Now(), d)
		}
	}
	done := getPlan(t, c, created.ID)
	if done.Status != sdk.StatusCompleted || done.CompletedAt.Sub(start) != time.Second+time.Hour || string(done.Outputs["code"]) != "1" {
		t.Errorf("it is %s at %s with %s", done.Status, done.CompletedAt, done.Outputs["code"])
	}
	if given := reviewer.Given(); len(given) != 1 || string(given[0].Task.Input) != `{"code":1}` || given[0].Task.PlanID != done.ID {
		t.Errorf("the reviewer was given %+v", given)
	}
}

// TestPlansAreSeen: through the methods of the server, and by who waits for one.
func TestPlansAreSeen(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	for _, role := range []sdk.Role{sdk.RoleCoder, sdk.RoleReviewer, sdk.RoleTester} {
		srv.Agent(role, sdktest.Script(sdktest.Attempt().Complete(1)))
	}
	ids := make(chan string, 1)
	ended := make(chan *sdk.Plan)
	go func() { // a program that has a plan run
		plan, err := c.CreatePlan(t.Context(), written())
		if err == nil {
			ids <- plan.ID
			plan, err = c.WaitForPlan(t.Context(), plan.ID)
		}
		if err != nil {
			t.Error(err)
		}
		ended <- plan
	}()
	tasks := srv.AwaitTasks(3, sdk.TaskFilter{PlanID: <-ids})
	plan := <-ended
	seen := srv.AwaitPlan(plan.ID, func(p sdk.Plan) bool { return p.Status == sdk.StatusCompleted })
	if d := cmp.Diff(*plan, seen); d != "" || plan.Step("write").TaskID != tasks[0].ID {
		t.Errorf("the task of its first step is %s: %s", tasks[0].ID, d)
	}
	undone := written()
	undone.Steps = append(undone.Steps, sdk.PlanStep{ID: "plan", Type: sdk.TypePlanFeature, Title: "nobody does this"})
	other := createPlan(t, c, undone)
	var order []string
	for _, p := range srv.Plans() {
		order = append(order, p.ID)
	}
	for p, err := range c.Plans(t.Context(), sdk.PlanFilter{}) {
		if err != nil || p.Stale == p.Status.Terminal() || p.Status.Terminal() != (p.ID == plan.ID) {
			t.Errorf("in a list: %+v, %v", p, err)
		}
	}
	if _, err := c.CreatePlan(t.Context(), sdk.PlanRequest{Title: "t", Goal: "g"}, sdk.IdempotencyKey("one")); err != nil {
		t.Error(err)
	}
	if _, err := c.CreatePlan(t.Context(), sdk.PlanRequest{Title: "t", Goal: "h"}, sdk.IdempotencyKey("one")); !errors.Is(err, sdk.ErrIdempotencyMismatch) || !strings.Contains(err.Error(), "another plan") {
		t.Errorf("another plan with the same key: %v", err)
	}
	if !slices.Equal(order, []string{plan.ID, other.ID}) || len(srv.In("theirs").Plans()) > 0 {
		t.Errorf("the plans are %q", order)
	}
	if _, err := srv.In("theirs").Client().GetPlan(t.Context(), plan.ID); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("from another project: %v", err)
	}
}

// TestPlanIsCancelledWithWhatIsBelow it, also the child of a step's task, and a step that waits for an agent.
func TestPlanIsCancelledWithWhatIsBelow(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Do(func(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) error {
		_, err := c.DelegateToRole(ctx, sdk.RoleDebugger, sdk.TypeCodeDebug, "a child", sdk.ChildOf(a.Task.ID))
		return err
	}).UntilStopped()))
	request := written()
	request.Steps = append(request.Steps, sdk.PlanStep{ID: "plan", Type: sdk.TypePlanFeature, Title: "nobody does this"})
	id := createPlan(t, c, request).ID
	srv.AwaitTasks(1, sdk.TaskFilter{Type: sdk.TypeCodeDebug})
	answer, err := c.CancelPlan(t.Context(), id, "enough")
	if err != nil || answer.Status != sdk.StatusRunning {
		t.Errorf("%+v, %v", answer, err)
	}
	srv.Settle()
	plan := getPlan(t, c, id)
	want := []sdk.StepStatus{sdk.StepCancelled, sdk.StepSkipped, sdk.StepSkipped, sdk.StepCancelled}
	if d := cmp.Diff(want, stands(plan)); d != "" || plan.Status != sdk.StatusCancelled || plan.Err().Error() != "cancelled: enough" {
		t.Errorf("%s, %v: %s", plan.Status, plan.Err(), d)
	}
	for _, task := range srv.Tasks() {
		if task.Status != sdk.StatusCancelled {
			t.Errorf("%s is %s", task.Title, task.Status)
		}
	}
}

// TestAgentsThatPlan lets the handler of a task run a plan and wait for it: the server settles meanwhile.
func TestAgentsThatPlan(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t, sdktest.SkipPauses())
	c := srv.Client()
	srv.Agent(sdk.RolePlanner, sdk.HandlerFunc(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		plan, err := c.CreatePlan(ctx, written())
		if err != nil {
			return nil, err
		}
		if plan, err = c.WaitForPlan(ctx, plan.ID); err != nil {
			return nil, err
		}
		return &sdk.Result{Output: plan.Outputs["code"]}, nil
	}))
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Work(time.Hour/2).Complete("code")))
	srv.Agent(sdk.RoleReviewer, sdktest.Script(sdktest.Attempt().Complete(1)))
	srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Complete(1)))
	id := create(t, c, func(r *sdk.TaskRequest) { r.Type = sdk.TypePlanFeature }).ID
	srv.Settle()
	if plans := srv.Plans(); len(plans) != 1 || plans[0].Steps[0].Status != sdk.StepRunning {
		t.Fatalf("there are %+v", plans)
	}
	srv.Clock().Advance(time.Hour / 2)
	if task := get(t, c, id); task.Status != sdk.StatusCompleted || string(task.Result.Output) != `"code"` {
		t.Errorf("it is %s with %+v", task.Status, task.Result)
	}
}

// TestPlanInABubble takes a plan over days in a bubble, whose own time would jump on as soon as anything waited for it.
func TestPlanInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		srv := sdktest.New(t)
		c := srv.Client()
		for _, role := range []sdk.Role{sdk.RoleCoder, sdk.RoleReviewer, sdk.RoleTester} {
			srv.Agent(role, sdktest.Script(sdktest.Attempt().Work(time.Hour/2).Complete(1)))
		}
		id := createPlan(t, c, written()).ID
		ended := make(chan *sdk.Plan)
		go func() {
			plan, err := c.WaitForPlan(t.Context(), id)
			if err != nil {
				t.Error(err)
			}
			ended <- plan
		}()
		synctest.Wait() // it waits
		srv.Clock().Advance(48 * time.Hour)
		if plan := <-ended; plan.Status != sdk.StatusCompleted || plan.CompletedAt.Sub(plan.CreatedAt) != time.Hour {
			t.Errorf("it is %s at %s", plan.Status, plan.CompletedAt)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("something waited for %s of time", waited)
		}
	})
}

// TestWhatPlansTold before somebody asked is in the log as well, in the order of what happened.
func TestWhatPlansTold(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	request := written()
	request.Steps = request.Steps[:1]
	id := createPlan(t, c, request).ID
	srv.Settle()
	var told []string
	for e, err := range c.PlanEvents(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		text := string(e.Type)
		var step sdk.PlanStepped
		if e.Type == sdk.EventPlanStep {
			if err := json.Unmarshal(e.Data, &step); err != nil {
				t.Fatal(err)
			}
			text = step.Step + " " + string(step.To)
		}
		told = append(told, text)
	}
	told = slices.DeleteFunc(told, func(s string) bool { return s == "code.generated" })
	want := []string{
		"plan.created", "plan.started", "write ready", "write running",
		"task.created", "task.assigned", "task.started", "task.completed", "write completed", "plan.completed",
	}
	if d := cmp.Diff(want, told); d != "" {
		t.Error(d)
	}
}
