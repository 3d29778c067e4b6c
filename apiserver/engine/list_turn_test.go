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

// TestListsTakeTurns: a project that lists without a pause gets so many pages a second, and no other one waits for it.
func TestListsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &visibility{}
		e := listEngine(t, v)
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
					case e.Code == sdk.CodeRateLimited && e.RetryAfter > 0:
						refused.Add(1)
						time.Sleep(e.RetryAfter)
					case ctx.Err() == nil:
						t.Errorf("%v", err)
					}
				}
			})
		}
		time.Sleep(30 * time.Second)
		began := time.Now()
		if _, err := e.ListTasks(ctx, "q", sdk.TaskFilter{}, ""); err != nil || time.Since(began) != 0 {
			t.Errorf("another project: %v after %v", err, time.Since(began))
		}
		all.Wait()
		if got, most := pages.Load(), int64(listsAtOnce+60*listsPerSecond); got > most || got < most/2 || refused.Load() == 0 {
			t.Errorf("%d pages in a minute, want %d at most; %d refused", got, most, refused.Load())
		}
	})
}
