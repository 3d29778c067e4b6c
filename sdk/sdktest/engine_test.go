package sdktest

import (
	"errors"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestItKeepsSoManyTasks(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.engine.keep = 3
	srv.Agent(sdk.RoleCoder, Script(Attempt().Complete(1)))
	c := srv.Client()
	ids := []string{}
	for _, role := range []sdk.Role{sdk.RoleTester, sdk.RoleCoder, sdk.RoleCoder, sdk.RoleTester, sdk.RoleTester} {
		task, err := c.DelegateToRole(t.Context(), role, sdk.TypeCodeWrite, "one of many")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, task.ID)
		srv.Settle()
	}
	for i, id := range ids {
		_, err := c.GetTask(t.Context(), id)
		if gone := i == 1 || i == 2; gone != errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("task %d of 5, the second and third of which have ended: %v", i+1, err)
		}
	}
	if _, err := srv.engine.ListTasks(t.Context(), "default", sdk.TaskFilter{}, ""); err != nil {
		t.Error(err)
	}
	srv.engine.mu.Lock()
	err := srv.engine.makeRoom()
	srv.engine.mu.Unlock()
	if !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("with nothing to forget: %v", err)
	}
}

func TestAnAgentKeepsTheNewest(t *testing.T) {
	t.Parallel()
	srv := New(t)
	agent := srv.Agent(sdk.RoleCoder, Script(Attempt().Complete(1)))
	for n := 1; n <= maxGiven+5; n++ {
		agent.record(sdk.Assignment{Attempt: n})
	}
	if given := agent.Given(); len(given) != maxGiven || given[0].Attempt != 6 || given[maxGiven-1].Attempt != maxGiven+5 {
		t.Errorf("it keeps %d, from %d to %d", len(given), given[0].Attempt, given[len(given)-1].Attempt)
	}
}

// TestItKeepsSoManyPlans: and a plan whose task finds no room among others that have not ended goes on without it.
func TestItKeepsSoManyPlans(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.engine.keep = 1
	c := srv.Client()
	if _, err := c.RequestCode(t.Context(), "one that stays"); err != nil {
		t.Fatal(err)
	}
	request := sdk.PlanRequest{Title: "one of many", Steps: []sdk.PlanStep{{ID: "a", Type: sdk.TypeCodeWrite, Title: "a step"}}}
	plan, err := c.CreatePlan(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if plan, err = c.GetPlan(t.Context(), plan.ID); err != nil || plan.Status != sdk.StatusFailed || plan.Step("a").Error.Code != sdk.CodeTerminated {
		t.Errorf("it is %+v, %v", plan, err)
	}
	if _, err := c.CreatePlan(t.Context(), request); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("one more: %v", err)
	}
}
