package sdktest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// TestNothingWaitsForTime takes a task over days in a bubble, whose own time would jump on as soon as anything waited for it.
func TestNothingWaitsForTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		srv := sdktest.New(t)
		c := srv.Client()
		srv.Agent(sdk.RoleCoder, sdktest.Script(
			sdktest.Attempt().Fail(sdk.Retryable("model_busy", errors.New("try later"))),
			sdktest.Attempt().Work(10*time.Hour).Ask("Go on?", `{"type":"boolean"}`),
			sdktest.Attempt().UntilStopped(),
			sdktest.Attempt().Work(time.Hour/2).Complete("done"),
		))
		ended := make(chan *sdk.Task)
		id := create(t, c, func(r *sdk.TaskRequest) {
			r.Retry = &sdk.Retry{InitialIntervalMs: 3_600_000}
			r.Timeouts = &sdk.Timeouts{AttemptMs: 12 * 3_600_000}
		}).ID
		go func() {
			task, err := c.WaitForTask(t.Context(), id)
			if err != nil {
				t.Error(err)
			}
			ended <- task
		}()
		synctest.Wait() // it waits
		srv.Clock().Advance(20 * time.Hour)
		asked := srv.AwaitTask(id, func(t sdk.Task) bool { return t.Status == sdk.StatusInputRequired })
		if _, err := c.ProvideInput(t.Context(), id, asked.InputRequest.ID, true); err != nil {
			t.Fatal(err)
		}
		srv.Clock().Advance(20 * time.Hour)
		task := <-ended
		if got := chain(task); got != "0.1 failed, 0.2 input_required, 0.3 timed_out, 0.4 completed" {
			t.Errorf("%q", got)
		}
		if took := task.CompletedAt.Sub(task.CreatedAt); took < 30*time.Hour {
			t.Errorf("it took %s", took)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("something waited for %s of time", waited)
		}
	})
}
