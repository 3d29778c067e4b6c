package sdktest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// randomAttempt is one of all that an agent can do.
func randomAttempt(r *rand.Rand) *sdktest.AttemptScript {
	a := sdktest.Attempt()
	if r.IntN(2) == 0 {
		a.Progress(float64(r.IntN(120)), "some phase").Resume(r.IntN(10))
	}
	if r.IntN(3) == 0 {
		a.Work(time.Duration(r.IntN(5000)) * time.Second)
	}
	switch r.IntN(7) {
	case 0:
		return a.Complete("done")
	case 1:
		return a.Fail(sdk.Final("", errors.New("for good")))
	case 2, 3:
		return a.Fail(errors.New("this time"))
	case 4:
		return a.Ask("Well?", `{"type":"boolean"}`)
	case 5:
		return a.UntilStopped()
	default:
		return a.Panic("a bug")
	}
}

// TestEveryTaskEnds takes tasks through random courses: whatever agents and callers do, a task is over when its time is, its attempts
// are in order, and no step is outside the lifecycle, which the server would fail the test for.
func TestEveryTaskEnds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it has to be the same every time
			srv := sdktest.New(t)
			c := srv.Client()
			var agents []*sdktest.Agent
			for range 4 {
				script := sdktest.Script(randomAttempt(r), randomAttempt(r), randomAttempt(r))
				agents = append(agents, srv.Agent([]sdk.Role{sdk.RoleCoder, sdk.RoleTester}[r.IntN(2)], script, sdktest.Slots(1+r.IntN(3))))
			}
			for range 10 {
				create(t, c, func(q *sdk.TaskRequest) {
					q.Timeouts = &sdk.Timeouts{QueueMs: 1000 + r.Int64N(600_000), AttemptMs: 1000 + r.Int64N(3_600_000), TotalMs: 36_000_000, InputMs: 600_000}
					q.Fallback = []sdk.Stage{{Role: sdk.RoleTester}}[:r.IntN(2)]
				})
				meddle(t, r, srv, agents)
			}
			srv.Clock().Advance(10*time.Hour + 15*time.Second)
			for _, task := range srv.Tasks() {
				if !task.Status.Terminal() || task.Result == nil || task.CompletedAt.Sub(task.CreatedAt) > 10*time.Hour+15*time.Second {
					t.Errorf("a task is %s with %+v", task.Status, task.Result)
				}
				for i, a := range task.Attempts {
					if a.EndedAt == nil || a.Outcome == "" || a.EndedAt.Before(a.StartedAt) || i > 0 && a.StartedAt.Before(*task.Attempts[i-1].EndedAt) {
						t.Errorf("attempt %d of %s is %+v", i+1, chain(&task), a)
					}
				}
			}
		})
	}
}

// meddle does one of all that callers and operators do.
func meddle(t *testing.T, r *rand.Rand, srv *sdktest.Server, agents []*sdktest.Agent) {
	t.Helper()
	srv.Clock().Advance(time.Duration(r.IntN(600)) * time.Second)
	tasks := srv.Tasks()
	task := tasks[r.IntN(len(tasks))]
	var err error
	switch r.IntN(5) {
	case 0:
		_, err = srv.Client().CancelTask(t.Context(), task.ID, "at random")
	case 1:
		if task.InputRequest != nil {
			_, err = srv.Client().ProvideInput(t.Context(), task.ID, task.InputRequest.ID, true)
		}
	case 2:
		if task.Status.Terminal() {
			_, err = srv.Client().RetryTask(t.Context(), task.ID)
		}
	case 3:
		if r.IntN(4) == 0 {
			agents[r.IntN(len(agents))].Vanish()
		}
	default:
		if r.IntN(4) == 0 {
			agents[r.IntN(len(agents))].Stop()
		}
	}
	if err != nil {
		t.Error(err)
	}
}
