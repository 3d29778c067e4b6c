package sdktest_test

import (
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func TestAConditionMayAskTheServer(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	gate := sdktest.NewGate()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Until(gate).Complete(1)))
	id := create(t, c).ID
	asked := 0
	task := srv.AwaitTask(id, func(sdk.Task) bool {
		asked++
		if asked == 1 {
			gate.Open()
		}
		return get(t, c, id).Status == sdk.StatusCompleted
	})
	if task.ID != id || asked < 1 {
		t.Errorf("%s after %d questions", task.ID, asked)
	}
}

func TestACallerHearsBeforeAnythingHasComeOfIt(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Ask("Well?", ""), sdktest.Attempt().UntilStopped()))
	created := create(t, c)
	if created.Status != sdk.StatusQueued || created.Attempt != 0 || created.AgentID != "" {
		t.Errorf("created it is %s, attempt %d by %q", created.Status, created.Attempt, created.AgentID)
	}
	asks := srv.AwaitTask(created.ID, func(t sdk.Task) bool { return t.InputRequest != nil })
	answered, err := c.ProvideInput(t.Context(), asks.ID, asks.InputRequest.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	if answered.Status != sdk.StatusQueued || answered.Attempt != 2 || len(answered.Answers) != 1 {
		t.Errorf("answered it is %s, attempt %d, with %d answers", answered.Status, answered.Attempt, len(answered.Answers))
	}
	waiting := create(t, c, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	cancelled, err := c.CancelTask(t.Context(), waiting.ID, "")
	if err != nil || cancelled.Status != sdk.StatusQueued {
		t.Errorf("asked to stop it is %+v, %v", cancelled, err)
	}
	if now := get(t, c, waiting.ID); now.Status != sdk.StatusCancelled {
		t.Errorf("then it is %s", now.Status)
	}
}

func TestAnotherProjectIsSeen(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	theirs := srv.In("theirs")
	theirs.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Work(time.Minute).Complete(1)))
	id := create(t, theirs.Client()).ID
	theirs.AwaitTasks(1, sdk.TaskFilter{Status: sdk.StatusRunning})
	srv.Clock().Advance(time.Minute)
	theirs.AwaitTask(id, func(t sdk.Task) bool { return t.Status == sdk.StatusCompleted })
	if ours, all := srv.Tasks(), theirs.Tasks(); len(ours) != 0 || len(all) != 1 {
		t.Errorf("there are %d tasks of ours and %d of theirs", len(ours), len(all))
	}
	tb := &recorder{t: t}
	other := sdktest.New(tb)
	if got := tb.failed(func() { other.In("No Project") }); got == "" {
		t.Error("a project that is not well-formed is taken")
	}
}
