package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestListsTakeTurns: a project that lists without a pause gets so many pages a second, and no other one waits for it, however slow
// Temporal is. Whoever gets no page is told that there are too many, and when to come again.
func TestListsTakeTurns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes time.Duration
		least int64 // pages in a minute
	}{
		"at once": {0, 60 * listsPerSecond / 2},
		"0.9 s":   {900 * time.Millisecond, 150},
		"2 s":     {2 * time.Second, 60},
		"4 s":     {4 * time.Second, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := listEngine(t, &visibility{takes: tc.takes})
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				var pages, refused atomic.Int64
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						for ctx.Err() == nil {
							_, err := e.ListTasks(ctx, "p", sdk.TaskFilter{}, "")
							switch e, _ := errors.AsType[*sdk.Error](err); {
							case err == nil:
								pages.Add(1)
							case ctx.Err() != nil:
							case e.Code == sdk.CodeRateLimited && e.RetryAfter > 0:
								refused.Add(1)
								pass(e.RetryAfter)
							default:
								t.Errorf("%v", err)
							}
						}
					})
				}
				pass(30 * time.Second)
				began := time.Now()
				if _, err := e.ListTasks(ctx, "q", sdk.TaskFilter{}, ""); err != nil || time.Since(began) != tc.takes {
					t.Errorf("another project: %v after %v", err, time.Since(began))
				}
				all.Wait()
				if got, most := pages.Load(), int64(listsAtOnce+60*listsPerSecond); got > most || got < tc.least || refused.Load() == 0 {
					t.Errorf("%d pages in a minute, want %d to %d; %d refused", got, tc.least, most, refused.Load())
				}
			})
		})
	}
}

// TestEachCallForAListIsATurn: a page that takes several calls, because its tasks are large, pays for each.
func TestEachCallForAListIsATurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &visibility{runs: manyRuns(t, 200, 10), largest: 7}
		e := listEngine(t, v)
		began := time.Now()
		if page, err := e.ListTasks(t.Context(), "p", sdk.TaskFilter{Limit: 200}, ""); err != nil || len(page.Items) != 6 {
			t.Fatalf("%d tasks, %v", len(page.Items), err)
		}
		if calls, want := len(v.asked), time.Second/listsPerSecond; calls != listsAtOnce+1 || time.Since(began).Round(time.Millisecond) != want {
			t.Errorf("%d calls took %v, want %d in %v", calls, time.Since(began), listsAtOnce+1, want)
		}
	})
}

// TestRefusedTurnsSayWhen: who comes again after Retry-After is not refused again.
func TestRefusedTurnsSayWhen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := listEngine(t, &visibility{})
		e.cfg.CallTimeout = 5*time.Second - 100*time.Millisecond // between two turns, so that no wait ends with a turn
		var all sync.WaitGroup
		defer all.Wait()
		for range listsAtOnce + 5*listsPerSecond - 1 { // as many as are let wait
			all.Go(func() {
				if _, err := e.ListTasks(t.Context(), "p", sdk.TaskFilter{}, ""); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		_, err := e.ListTasks(t.Context(), "p", sdk.TaskFilter{}, "")
		refusal, _ := errors.AsType[*sdk.Error](err)
		if !errors.Is(err, sdk.ErrRateLimited) || refusal.RetryAfter < 5*time.Second || refusal.RetryAfter > 6*time.Second {
			t.Fatalf("%+v", err)
		}
		pass(refusal.RetryAfter)
		began := time.Now()
		if _, err := e.ListTasks(t.Context(), "p", sdk.TaskFilter{}, ""); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
