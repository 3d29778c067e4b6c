package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// randomPlan is a plan of a few steps, each of which needs some before it, with a gate here and there.
func randomPlan(r *rand.Rand) sdk.PlanRequest {
	kinds := []sdk.TaskType{sdk.TypeCodeWrite, sdk.TypeCodeTest, sdk.TypeCodeReview}
	p := sdk.PlanRequest{
		Title: "a random plan", MaxParallel: 1 + r.IntN(4), OnFailure: []sdk.FailurePolicy{sdk.FailureStop, sdk.FailureContinue}[r.IntN(2)],
		Outputs: map[string]json.RawMessage{"first": json.RawMessage(`"${{ steps.s0.output }}"`)},
	}
	for n := range 1 + r.IntN(8) {
		step := sdk.PlanStep{
			ID: fmt.Sprint("s", n), Type: kinds[r.IntN(len(kinds))], Title: "a step", Retry: &sdk.Retry{MaxAttempts: 1 + r.IntN(2)},
			Timeouts: &sdk.Timeouts{QueueMs: 60_000, AttemptMs: 3_600_000, TotalMs: 7_200_000, InputMs: 60_000},
		}
		for m := range n {
			if r.IntN(3) == 0 {
				step.Needs = append(step.Needs, fmt.Sprint("s", m))
			}
		}
		if len(step.Needs) > 0 {
			first := step.Needs[0]
			switch r.IntN(4) {
			case 0:
				step.Gate = &sdk.Gate{Rework: first, MaxReworks: new(r.IntN(3))}
			case 1:
				step.When = fmt.Sprintf("steps.%s.status != %q", first, []string{"failed", "skipped"}[r.IntN(2)])
			case 2:
				step.Input = json.RawMessage(fmt.Sprintf(`{"before":"${{ steps.%s.output }}"}`, first))
			}
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

// wayward is an agent that does one of all that an agent can do, and judges as it likes.
func wayward(seed uint64) sdk.Handler {
	return sdk.HandlerFunc(func(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
		var n uint64
		for _, b := range fmt.Append(nil, a.Task.Title, a.Task.Role, len(a.Task.Input), a.Attempt) {
			n = n*31 + uint64(b)
		}
		r := rand.New(rand.NewPCG(seed, n)) //nolint:gosec // it has to be the same every time
		switch r.IntN(8) {
		case 0:
			return nil, errors.New("this time")
		case 1:
			return nil, sdk.Final("", errors.New("for good"))
		case 2:
			return nil, sdktest.Wait(ctx)
		default:
			passed := r.IntN(3) > 0
			return &sdk.Result{Output: json.RawMessage(fmt.Sprint(r.IntN(10))), QualityGatePassed: &passed}, nil
		}
	})
}

// TestEveryPlanEnds takes plans through random courses: whatever agents and callers do, a plan is over when the time of its tasks is, and
// nothing of it goes on.
func TestEveryPlanEnds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // it has to be the same every time
			srv := sdktest.New(t)
			c := srv.Client()
			var agents []*sdktest.Agent
			for _, role := range []sdk.Role{sdk.RoleCoder, sdk.RoleTester, sdk.RoleReviewer} {
				agents = append(agents, srv.Agent(role, wayward(seed), sdktest.Slots(1+r.IntN(3))))
			}
			for range 4 {
				createPlan(t, c, randomPlan(r))
				meddle(t, r, srv, agents)
				if plans := srv.Plans(); r.IntN(4) == 0 {
					if _, err := c.CancelPlan(t.Context(), plans[r.IntN(len(plans))].ID, "at random"); err != nil {
						t.Error(err)
					}
				}
			}
			srv.Clock().Advance(60 * 24 * time.Hour)
			for _, p := range srv.Plans() {
				if !p.Status.Terminal() || p.CompletedAt == nil {
					t.Errorf("a plan is %s with %+v", p.Status, p.Steps)
				}
				for _, s := range p.Steps {
					if !s.Status.Terminal() || s.Status == sdk.StepSkipped && s.SkippedBecause == "" || s.Status == sdk.StepFailed && s.Error == nil {
						t.Errorf("of a plan that is %s a step is %+v", p.Status, s)
					}
				}
			}
			for _, task := range srv.Tasks() {
				if !task.Status.Terminal() {
					t.Errorf("a task of plan %q is %s", task.PlanID, task.Status)
				}
			}
		})
	}
}
