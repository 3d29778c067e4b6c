package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestWatchTaskAnswersChanges(t *testing.T) {
	t.Parallel()
	states := []sdk.Task{
		task("queued", 0), task("queued", 0), task("queued", 0), task("queued", 0), task("queued", 0), task("running", 5),
		task("running", 5), task("running", 50), task("completed", 100),
	}
	bubble(t, func(n int, _ *http.Request) (answer, error) { return says(200, states[n]), nil },
		func(t *testing.T, c *sdk.Client, w *wire) {
			var got []string
			for task, err := range c.WatchTask(t.Context(), "t1") {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %v", task.Status, task.Progress.Percentage))
			}
			if diff := cmp.Diff([]string{"queued 0", "running 5", "running 50", "completed 100"}, got); diff != "" {
				t.Error(diff)
			}
			for i := 1; i < len(w.at); i++ {
				if gap := w.at[i] - w.at[i-1]; gap > 2*time.Second || gap < 100*time.Millisecond {
					t.Errorf("looked at %v: a gap of %v", w.at, gap)
				}
			}
		})
}

func TestFollowTaskAnswersEachProgressOnce(t *testing.T) {
	t.Parallel()
	p := func(attempt int, percent float64) sdk.Progress {
		return sdk.Progress{Percentage: percent, At: noon(int(percent)), Attempt: attempt}
	}
	type state struct {
		now  sdk.Progress
		list []sdk.Progress
	}
	states := []state{
		{p(1, 10), []sdk.Progress{p(1, 5), p(1, 10)}},
		{p(1, 30), []sdk.Progress{p(1, 5), p(1, 10), p(1, 20)}}, // 30 is live and not recorded
		{p(2, 1), []sdk.Progress{p(1, 5), p(1, 20), p(2, 1)}},   // the next attempt, on a clock that is behind
		{p(2, 2), []sdk.Progress{p(2, 1), p(2, 2)}},
	}
	at := -1
	bubble(t, func(_ int, r *http.Request) (answer, error) {
		if strings.HasSuffix(r.URL.Path, "/progress") {
			return says(200, map[string]any{"items": states[at].list}), nil
		}
		at = min(at+1, len(states)-1)
		status := sdk.StatusRunning
		if at == len(states)-1 {
			status = sdk.StatusCompleted
		}
		return says(200, sdk.Task{ID: "t1", Status: status, Progress: &states[at].now}), nil
	}, func(t *testing.T, c *sdk.Client, _ *wire) {
		var got []string
		for p, err := range c.FollowTask(t.Context(), "t1") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d:%v", p.Attempt, p.Percentage))
		}
		if diff := cmp.Diff([]string{"1:5", "1:10", "1:20", "1:30", "2:1", "2:2"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFollowTaskOutlivesAFailure: what was recorded while the list could not be had is answered with the next one, or at the end.
func TestFollowTaskOutlivesAFailure(t *testing.T) {
	t.Parallel()
	p := func(percent float64) sdk.Progress {
		return sdk.Progress{Percentage: percent, At: noon(int(percent)), Attempt: 1}
	}
	for name, tc := range map[string]struct {
		lists [][]sdk.Progress // nil can not be had
		want  []float64
	}{
		"once":       {[][]sdk.Progress{{p(10)}, nil, {p(10), p(20), p(30), p(40)}, {p(10), p(20), p(30), p(40), p(50)}}, []float64{10, 20, 30, 40, 50}},
		"at the end": {[][]sdk.Progress{{p(10)}, {p(10), p(20)}, nil, nil}, []float64{10, 20, 30, 50}},
	} {
		t.Run(name, func(t *testing.T) {
			at := -1
			bubble(t, func(_ int, r *http.Request) (answer, error) {
				if strings.HasSuffix(r.URL.Path, "/progress") {
					if tc.lists[at] == nil {
						return problem(sdk.CodeUnavailable, "away"), nil
					}
					return says(200, map[string]any{"items": tc.lists[at]}), nil
				}
				at = min(at+1, len(tc.lists)-1)
				task, newest := sdk.Task{ID: "t1", Status: sdk.StatusRunning}, p([]float64{10, 30, 40, 50}[at])
				if task.Progress = &newest; at == len(tc.lists)-1 {
					task.Status = sdk.StatusCompleted
				}
				return says(200, task), nil
			}, func(t *testing.T, c *sdk.Client, _ *wire) {
				var got []float64
				for p, err := range c.FollowTask(t.Context(), "t1") {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, p.Percentage)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestIteratorsStopWhenTold(t *testing.T) {
	t.Parallel()
	bubble(t, func(int, *http.Request) (answer, error) { return says(200, task("running", 1)), nil },
		func(t *testing.T, c *sdk.Client, w *wire) {
			for task, err := range c.WatchTask(t.Context(), "t1") {
				if err != nil {
					t.Error(err)
				}
				if task.Status == "running" {
					break
				}
			}
			if len(w.at) != 1 {
				t.Errorf("%d requests after the loop was left", len(w.at))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var last error
			for _, err := range c.WatchTask(ctx, "t1") {
				last = err
			}
			if !errors.Is(last, context.DeadlineExceeded) {
				t.Errorf("the last error is %v", last)
			}
		})
}
