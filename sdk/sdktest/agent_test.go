package sdktest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

func TestAStoppedAgentHasItsGrace(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	first := srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().UntilStopped()), sdktest.DrainGrace(time.Minute))
	srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	quick := srv.Agent(sdk.RoleTester, sdktest.Script(sdktest.Attempt().Work(20*time.Second).Complete(1)))
	slow := create(t, c).ID
	soon := create(t, c, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester }).ID
	srv.Settle()
	first.Stop()
	quick.Stop()
	srv.Clock().Advance(time.Minute - 1)
	if task := get(t, c, slow); task.Status != sdk.StatusRunning || task.Attempt != 1 {
		t.Errorf("within its grace attempt %d is %s", task.Attempt, task.Status)
	}
	if task := get(t, c, soon); chain(task) != "0.1 completed" {
		t.Errorf("what ends within the grace is %q", chain(task))
	}
	srv.Clock().Advance(1)
	if task := get(t, c, slow); chain(task) != "0.1 interrupted, 0.2 completed" {
		t.Errorf("after its grace it is %q", chain(task))
	}
}

func TestAnAgentThatVanishesAfterItsAttempt(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	c := srv.Client()
	gate := sdktest.NewGate()
	defer gate.Open()
	agent := srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Ignore(gate).Complete(1)))
	id := create(t, c).ID
	if _, err := c.CancelTask(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	srv.Clock().Advance(15 * time.Second) // the task goes on without it
	agent.Vanish()
	if d, ok := srv.Clock().AdvanceToNext(); ok {
		t.Errorf("something is still due in %s", d)
	}
}

func TestNobodyChangesWhatOthersSee(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	agent := srv.Agent(sdk.RoleCoder, sdk.HandlerFunc(func(_ context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		a.Task.Metadata["team"], a.Task.Input[1] = "changed", '9'
		return &sdk.Result{}, nil
	}))
	id := create(t, srv.Client(), func(r *sdk.TaskRequest) {
		r.Metadata, r.Input = map[string]string{"team": "web"}, json.RawMessage(`[1]`)
	}).ID
	srv.Settle()
	for range 2 {
		for what, task := range map[string]sdk.Task{
			"given":   agent.Given()[0].Task,
			"awaited": srv.AwaitTask(id, func(sdk.Task) bool { return true }),
			"listed":  srv.Tasks()[0],
			"all":     srv.AwaitTasks(1, sdk.TaskFilter{})[0],
		} {
			if task.Metadata["team"] != "web" || string(task.Input) != `[1]` {
				t.Errorf("the task that was %s has %v and %s", what, task.Metadata, task.Input)
			}
			task.Metadata["team"], task.Input[1] = "changed here", '8'
		}
	}
}

func TestDeadlinesLieAhead(t *testing.T) {
	t.Parallel()
	srv := sdktest.New(t)
	agent := srv.Agent(sdk.RoleCoder, sdktest.Script(sdktest.Attempt().Complete(1)))
	create(t, srv.Client())
	srv.Settle()
	if deadline := agent.Given()[0].Deadline; !deadline.After(time.Now()) {
		t.Errorf("by the machine's clock the deadline %s is past", deadline)
	}
}

func TestAScriptForgetsWhatItBeganFirst(t *testing.T) {
	t.Parallel()
	script := sdktest.Script(sdktest.Attempt().Complete(1), sdktest.Attempt().Complete(2))
	play := func(id string) string {
		result, err := script.Handle(t.Context(), &sdk.Assignment{Task: sdk.Task{ID: id}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(result.Output)
	}
	for n := range 10_001 {
		play(fmt.Sprint(n))
	}
	if got := play("1"); got != "2" {
		t.Errorf("of a task that it remembers it plays %s", got)
	}
	if got := play("0"); got != "1" {
		t.Errorf("of one that it has forgotten it plays %s", got)
	}
}
