package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func create(t *testing.T, c *sdk.Client, with ...func(*sdk.TaskRequest)) *sdk.Task {
	t.Helper()
	r := sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: t.Name()}
	for _, change := range with {
		change(&r)
	}
	task, err := c.CreateTask(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func get(t *testing.T, c *sdk.Client, id string) *sdk.Task {
	t.Helper()
	task, err := c.GetTask(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func chain(t *sdk.Task) string {
	var list []string
	for _, a := range t.Attempts {
		list = append(list, fmt.Sprintf("%d.%d %s", a.Stage, a.Attempt, a.Outcome))
	}
	return strings.Join(list, ", ")
}

func TestTheClockStandsStill(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)
	srv := sdktest.New(t, sdktest.StartAt(start))
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Work(time.Hour/2).Complete(1)))
	id := create(t, c).ID
	srv.Settle()
	task := get(t, c, id)
	if task.WaitingFor == nil || !task.WaitingFor.NextAttemptAt.Equal(start.Add(time.Second)) || !task.CreatedAt.Equal(start) {
		t.Fatalf("after the failure it is %+v", task.WaitingFor)
	}
	srv.Clock().Advance(time.Second - time.Nanosecond)
	if task = get(t, c, id); task.Attempt != 1 {
		t.Errorf("attempt %d began too early", task.Attempt)
	}
	srv.Clock().Advance(time.Nanosecond)
	if task = get(t, c, id); task.Attempt != 2 || task.Status != sdk.StatusRunning {
		t.Errorf("at its time attempt %d is %s", task.Attempt, task.Status)
	}
	srv.Clock().Advance(time.Hour / 2)
	task = get(t, c, id)
	if task.Status != sdk.StatusCompleted || task.CompletedAt.Sub(start) != time.Hour/2+time.Second || task.Result.Metrics.DurationMs != 1_800_000 {
		t.Errorf("%s at %s after %d ms", task.Status, task.CompletedAt, task.Result.Metrics.DurationMs)
	}
	if now := srv.Clock().Now(); !now.Equal(*task.CompletedAt) {
		t.Errorf("the clock shows %s", now)
	}
}

func TestAdvanceLetsEverythingHappenAtItsTime(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Work(time.Minute).Fail(errors.New("no"))))
	task := create(t, c, func(r *sdk.TaskRequest) {
		r.Retry = &sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 60_000, BackoffCoefficient: 2, MaxIntervalMs: 600_000}
	})
	srv.Clock().Advance(24 * time.Hour)
	task = get(t, c, task.ID)
	var begun []time.Duration
	for _, a := range task.Attempts {
		begun = append(begun, a.StartedAt.Sub(task.CreatedAt))
	}
	if d := cmp.Diff([]time.Duration{0, 2 * time.Minute, 5 * time.Minute}, begun); d != "" {
		t.Error(d)
	}
	if took := task.CompletedAt.Sub(task.CreatedAt); took != 6*time.Minute {
		t.Errorf("it failed after %s", took)
	}
}

func TestAdvanceToNext(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	if _, ok := srv.Clock().AdvanceToNext(); ok {
		t.Error("something is due without a task")
	}
	id := create(t, c, func(r *sdk.TaskRequest) { r.Timeouts = &sdk.Timeouts{QueueMs: 90_000} }).ID
	if d, ok := srv.Clock().AdvanceToNext(); !ok || d != 90*time.Second {
		t.Errorf("the next thing was due in %s", d)
	}
	if task := get(t, c, id); task.Status != sdk.StatusFailed {
		t.Errorf("it is %s", task.Status)
	}
}

func TestSkipPauses(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t, sdktest.SkipPauses())
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Complete(1)))
	task, err := c.WaitForTask(t.Context(), create(t, c, func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 3_600_000} }).ID)
	if err != nil || chain(task) != "0.1 failed, 0.2 failed, 0.3 completed" {
		t.Errorf("%q, %v", chain(task), err)
	}
	if took := task.CompletedAt.Sub(task.CreatedAt); took != 2*time.Hour {
		t.Errorf("the pauses were of %s together", took)
	}
}

func TestAnAgentThatDoesNotStop(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	gate := sdktest.NewGate()
	defer gate.Open()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Ignore(gate).Complete(1)))
	id, next := create(t, c).ID, create(t, c).ID
	if _, err := c.CancelTask(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	srv.Clock().Advance(15*time.Second - 1)
	if task := get(t, c, id); task.Status != sdk.StatusRunning {
		t.Errorf("within its 15 s it is %s", task.Status)
	}
	srv.Clock().Advance(1)
	if task := get(t, c, id); task.Status != sdk.StatusCancelled || *task.CancelConfirmed || task.Err().Error() != "cancelled: enough" {
		t.Errorf("after them %s, confirmed %v, %v", task.Status, *task.CancelConfirmed, task.Err())
	}
	if task := get(t, c, next); task.Status != sdk.StatusQueued {
		t.Errorf("with its slot taken the next task is %s", task.Status)
	}
	gate.Open()
	srv.Settle()
	if task := get(t, c, next); task.Status != sdk.StatusCompleted {
		t.Errorf("with its slot free the next task is %s", task.Status)
	}
}

func TestAnAgentThatVanishes(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	var cause error
	work := sdktest.Script(sdktest.Attempt().Resume("half").UntilStopped())
	first := srv.Agent(sdk.RoleCoder, sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
		result, err := work.Handle(ctx, a, r)
		cause = context.Cause(ctx)
		return result, err
	}))
	second := srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	id := create(t, c, func(r *sdk.TaskRequest) { r.Timeouts = &sdk.Timeouts{HeartbeatMs: 7000} }).ID
	srv.Settle()
	first.Vanish()
	srv.Clock().Advance(7*time.Second - 1)
	if task := get(t, c, id); task.Status != sdk.StatusRunning || !errors.Is(cause, sdk.ErrLeaseLost) {
		t.Errorf("before it is noticed the task is %s, the handler's cause %v", task.Status, cause)
	}
	srv.Clock().Advance(1)
	if task := get(t, c, id); chain(task) != "0.1 lost, 0.2 completed" || task.MaxAttempts != 4 || task.AgentID != second.ID() {
		t.Errorf("%q by %s", chain(task), task.AgentID)
	}
	if given := second.Given(); len(given) != 1 || string(given[0].Resume) != `"half"` || given[0].Attempt != 2 {
		t.Errorf("the second agent was given %+v", given)
	}
}

func TestUrgentTasksFirst(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	for _, p := range []sdk.Priority{sdk.PriorityLow, sdk.PriorityMedium, sdk.PriorityCritical, sdk.PriorityMedium, sdk.PriorityHigh} {
		create(t, c, func(r *sdk.TaskRequest) { r.Priority = p })
	}
	agent := srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	srv.Settle()
	var order []sdk.Priority
	for _, a := range agent.Given() {
		order = append(order, a.Task.Priority)
	}
	want := []sdk.Priority{sdk.PriorityCritical, sdk.PriorityHigh, sdk.PriorityMedium, sdk.PriorityMedium, sdk.PriorityLow}
	if d := cmp.Diff(want, order); d != "" {
		t.Error(d)
	}
}

// TestAgentsThatDelegate lets the handler of a task hand out another one and wait for it: the server settles meanwhile.
func TestAgentsThatDelegate(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoordinator, sdk.HandlerFunc(func(ctx context.Context, _ *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		task, err := c.RequestCode(ctx, "the part")
		if err != nil {
			return nil, err
		}
		if task, err = c.WaitForTask(ctx, task.ID); err != nil {
			return nil, err
		}
		return &sdk.Result{Output: task.Result.Output}, nil
	}))
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Work(time.Hour/2).Complete("a part")))
	id := create(t, c, func(r *sdk.TaskRequest) { r.Role = sdk.RoleCoordinator }).ID
	srv.Settle()
	if tasks := srv.Tasks(); len(tasks) != 2 || tasks[1].Title != "the part" || tasks[1].Status != sdk.StatusRunning {
		t.Fatalf("there are %+v", tasks)
	}
	srv.Clock().Advance(time.Hour / 2)
	if task := get(t, c, id); task.Status != sdk.StatusCompleted || string(task.Result.Output) != `"a part"` {
		t.Errorf("it is %s with %+v", task.Status, task.Result)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const n = 50
	srv := sdktest.New(t)
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Fail(errors.New("no")), sdktest.Attempt().Progress(50, "half").Work(time.Minute).Complete(1)), sdktest.Slots(n))
	c := srv.Client()
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			task, err := c.RequestCode(t.Context(), "many")
			if err == nil {
				task, err = c.WaitForTask(t.Context(), task.ID)
			}
			if err != nil || task.Status != sdk.StatusCompleted || task.CompletedAt.Sub(task.CreatedAt) != 61*time.Second {
				t.Errorf("%+v, %v", task, err)
			}
		})
	}
	srv.AwaitTasks(n, sdk.TaskFilter{})
	srv.Clock().Advance(61 * time.Second)
	callers.Wait()
}

func TestProjectsDoNotMeet(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	ours, theirs := srv.Client(), srv.In("theirs").Client()
	srv.In("theirs").Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	id, other := create(t, ours).ID, create(t, theirs).ID
	srv.Settle()
	if task := get(t, ours, id); task.Status != sdk.StatusQueued {
		t.Errorf("an agent of another project took it: %s", task.Status)
	}
	if task := get(t, theirs, other); task.Status != sdk.StatusCompleted {
		t.Errorf("its own agent did not take it: %s", task.Status)
	}
	if _, err := ours.GetTask(t.Context(), other); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("another project's task: %v", err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c, err := sdk.NewClient(sdk.Config{URL: srv.URL()})
	if err != nil {
		t.Fatal(err)
	}
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	task, err := c.RequestCode(t.Context(), "over the network")
	if err != nil {
		t.Fatal(err)
	}
	if task, err = c.WaitForTask(t.Context(), task.ID); err != nil || task.Status != sdk.StatusCompleted {
		t.Errorf("%+v, %v", task, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"/openapi.json", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var document struct{ OpenAPI string }
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil || !strings.HasPrefix(document.OpenAPI, "3.1") {
		t.Errorf("the real API's document is not there: %+v, %v", document, err)
	}
}

func TestEveryProgressIsFollowed(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Progress(10, "a").Progress(20, "b").Progress(20, "b").Work(time.Minute).Complete(1)))
	id := create(t, c).ID
	srv.Clock().Advance(time.Minute)
	var got []float64
	for p, err := range c.FollowTask(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Percentage)
	}
	if d := cmp.Diff([]float64{10, 20, 20}, got); d != "" {
		t.Error(d)
	}
	if ms := get(t, c, id).Result.Metrics.DurationMs; ms != time.Minute.Milliseconds() {
		t.Errorf("it took %d ms", ms)
	}
}

// TestAnswersHaveADate, as those of a server over the network do.
func TestAnswersHaveADate(t *testing.T) {
	t.Parallel()
	cfg := sdktest.New(t).Client().Config()
	for _, path := range []string{"/healthz", "/v1/events/stream"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, cfg.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := cfg.HTTPClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at) > time.Hour || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d at %v, %v", path, resp.StatusCode, at, err)
		}
	}
}
