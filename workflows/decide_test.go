package workflows

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	r := sdk.Retry{MaxAttempts: 10, InitialIntervalMs: 1000, BackoffCoefficient: 2, MaxIntervalMs: 60_000}
	for n, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 100: time.Minute, 5000: time.Minute,
	} {
		if got := backoff(r, n); got != want {
			t.Errorf("after %d: %s, want %s", n, got, want)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	retry := sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 1000, BackoffCoefficient: 2, MaxIntervalMs: 60_000}
	failure := func(code sdk.Code, retryable bool) attemptEnd {
		return attemptEnd{outcome: sdk.OutcomeFailed, failure: &sdk.TaskError{Code: code}, retryable: retryable}
	}
	for name, tc := range map[string]struct {
		standing standing
		end      attemptEnd
		want     move
	}{
		"completed":                     {standing{}, attemptEnd{outcome: sdk.OutcomeCompleted}, move{step: stepComplete}},
		"asks":                          {standing{}, attemptEnd{outcome: sdk.OutcomeInputRequired}, move{step: stepAsk}},
		"first failure":                 {standing{used: 1, left: time.Hour}, failure("agent_failed", true), move{stepRetry, time.Second}},
		"second failure":                {standing{used: 2, left: time.Hour}, failure("agent_failed", true), move{stepRetry, 2 * time.Second}},
		"third failure, more stages":    {standing{used: 3, left: time.Hour}, failure("agent_failed", true), move{step: stepFallback}},
		"third failure, last stage":     {standing{used: 3, left: time.Hour, lastStage: true}, failure("agent_failed", true), move{step: stepFail}},
		"no time for the next attempt":  {standing{used: 1, left: time.Second}, failure("agent_failed", true), move{step: stepFallback}},
		"no time at all":                {standing{used: 1}, failure("agent_failed", true), move{step: stepFail}},
		"final, more stages":            {standing{used: 1, left: time.Hour}, failure("agent_failed", false), move{step: stepFallback}},
		"ends the task":                 {standing{used: 1, left: time.Hour}, failure("budget_exceeded", true), move{step: stepFail}},
		"lost":                          {standing{spared: 5, left: time.Hour}, failure("worker_lost", true), move{step: stepRetry}},
		"lost for the sixth time":       {standing{spared: 6, left: time.Hour}, failure("worker_lost", true), move{step: stepFallback}},
		"the agent wishes another wait": {standing{used: 1, left: time.Hour}, attemptEnd{outcome: sdk.OutcomeFailed, failure: &sdk.TaskError{Code: "busy"}, retryable: true, retryAfter: time.Minute}, move{stepRetry, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.standing.retry = retry
			if got := next(tc.standing, tc.end); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// FuzzNext plays whole tasks against the decision: they end, within their bounds, and never retry what must not be.
func FuzzNext(f *testing.F) {
	codes := []sdk.Code{"agent_failed", "worker_lost", "interrupted", "queue_timeout", "invalid_input", "attempt_timeout", "own_code"}
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6}, uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, ends []byte, maxAttempts, stages uint8) {
		if len(ends) == 0 {
			return
		}
		retry := sdk.Retry{MaxAttempts: int(maxAttempts%100) + 1, InitialIntervalMs: 100, BackoffCoefficient: 1.5, MaxIntervalMs: 1000}
		last := int(stages % 6)
		stage, used, spared, left := 0, 0, 0, time.Hour
		for n := 0; ; n++ {
			if n > (last+1)*(retry.MaxAttempts+maxSpared+1) {
				t.Fatal("the task does not end")
			}
			b := ends[n%len(ends)]
			end := attemptEnd{outcome: sdk.OutcomeFailed, failure: &sdk.TaskError{Code: codes[int(b)%len(codes)]}, retryable: b%2 == 0}
			kind := effectOf(end.failure.Code, end.retryable)
			if kind == effectSpare {
				spared++
			} else {
				used++
			}
			m := next(standing{retry: retry, used: used, spared: spared, lastStage: stage == last, left: left}, end)
			left -= m.delay
			switch m.step {
			case stepRetry:
				if kind == effectEnd || kind == effectFallback || used >= retry.MaxAttempts && kind == effectRetry || m.delay < 0 || left <= 0 {
					t.Fatalf("retried %+v after %d", end.failure, used)
				}
			case stepFallback:
				if stage == last || kind == effectEnd {
					t.Fatalf("fell back from stage %d of %d on %s", stage, last, end.failure.Code)
				}
				stage, used, spared = stage+1, 0, 0
			case stepFail:
				return
			case stepComplete, stepAsk:
				t.Fatalf("a failure ended as %v", m.step)
			}
		}
	})
}

// TestEffectOf_IsTheTableOfTheDocs holds the function and the table for people together, row by row.
func TestEffectOf_IsTheTableOfTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/reference/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	effects := map[string]effect{"retries": effectRetry, "retries, free": effectSpare, "falls back": effectFallback, "ends the task": effectEnd}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (retries|retries, free|falls back|ends the task) \\|").FindAllStringSubmatch(string(page), -1)
	documented := map[sdk.Code]bool{}
	for _, row := range rows {
		code := sdk.Code(row[1])
		documented[code] = true
		if got := effectOf(code, true); got != effects[row[2]] {
			t.Errorf("the docs say that %s %s; the code says %v", code, row[2], got)
		}
	}
	for _, code := range []sdk.Code{
		sdk.CodeAgentFailed, sdk.CodeAgentPanicked, sdk.CodeWorkerLost, sdk.CodeInterrupted, sdk.CodeQueueTimeout, sdk.CodeAttemptTimeout,
		sdk.CodeTotalTimeout, sdk.CodeInputTimeout, sdk.CodeNoAgent, sdk.CodePayloadTooLarge, sdk.CodeInvalidOutput, sdk.CodeBudgetExceeded, sdk.CodeInvalidInput,
	} {
		if !documented[code] {
			t.Errorf("%s has no row in docs/reference/errors.md", code)
		}
	}
}
