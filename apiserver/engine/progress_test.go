package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

// listings counts the queries of a run, and how many there are at once.
type listings struct{ asked, open, most atomic.Int64 }

// answer takes long to list one progress, unless the asker gives up first.
func (l *listings) answer(long time.Duration) func(context.Context) ([]sdk.Progress, error) {
	return func(ctx context.Context) ([]sdk.Progress, error) {
		l.asked.Add(1)
		l.most.Store(max(l.most.Load(), l.open.Add(1)))
		defer l.open.Add(-1)
		select {
		case <-time.After(long):
			return []sdk.Progress{{Percentage: 10, At: at(4), Attempt: 1}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestReadersShareOneQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		var l listings
		o.progress = l.answer(10 * time.Millisecond)
		e := newEngine(o, Config{})
		defer e.Close()
		read := func() {
			if items, stale, err := e.ListProgress(t.Context(), "p", "a"); len(items) != 1 || stale || err != nil {
				t.Errorf("%v, stale %v, %v", items, stale, err)
			}
		}
		for range 100 {
			go read()
		}
		synctest.Wait()
		pass(20 * time.Millisecond)
		read()
		if n := l.asked.Load(); n != 1 {
			t.Errorf("101 readers took %d queries", n)
		}
		pass(e.cfg.DescribeTTL)
		read()
		if n := l.asked.Load(); n != 2 {
			t.Errorf("a list of %v ago still serves: %d queries", e.cfg.DescribeTTL, n)
		}
	})
}

func TestFirstReaderGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		var l listings
		o.progress = l.answer(100 * time.Millisecond)
		e := newEngine(o, Config{})
		defer e.Close()
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			if _, _, err := e.ListProgress(ctx, "p", "a"); err == nil {
				t.Error("a reader that is gone is answered")
			}
		}()
		synctest.Wait()
		leave()
		if items, stale, err := e.ListProgress(t.Context(), "p", "a"); len(items) != 1 || stale || err != nil || l.asked.Load() != 1 {
			t.Errorf("%v, stale %v, %v after %d queries", items, stale, err, l.asked.Load())
		}
	})
}

func TestQueriesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		var l listings
		o.progress = l.answer(time.Hour) // as without a control worker
		e := newEngine(o, Config{})
		defer e.Close()
		began := time.Now()
		answers := make(chan recordedProgress, 50)
		for i := range cap(answers) {
			go func() {
				list, err := e.recorded(t.Context(), fmt.Sprintf("task:p:t%d", i), sdk.Task{})
				if err != nil {
					t.Error(err)
				}
				answers <- list
			}()
		}
		for range cap(answers) {
			if list := <-answers; !list.stale {
				t.Errorf("not stale: %+v", list)
			}
		}
		if most := l.most.Load(); most != int64(e.cfg.MaxQueries) || time.Since(began) != queryTimeout {
			t.Errorf("%d queries at once, and %v", most, time.Since(began))
		}
		asked := l.asked.Load()
		if list, err := e.recorded(t.Context(), "task:p:t0", sdk.Task{}); !list.stale || err != nil || l.asked.Load() != asked {
			t.Errorf("a run that did not answer is asked again at once: %+v, %v", list, err)
		}
	})
}

func TestListOfAClosedRunIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOneRun(t, input())
		var l listings
		o.progress = l.answer(10 * time.Millisecond)
		e := newEngine(o, Config{})
		defer e.Close()
		if _, _, err := e.ListProgress(t.Context(), "p", "a"); err != nil {
			t.Fatal(err)
		}
		o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
		pass(e.cfg.DescribeTTL)
		for range 10 {
			if items, stale, err := e.ListProgress(t.Context(), "p", "a"); len(items) != 1 || stale || err != nil {
				t.Errorf("%v, stale %v, %v", items, stale, err)
			}
			pass(time.Minute)
		}
		if n := l.asked.Load(); n != 2 {
			t.Errorf("%d queries, want one while it ran and one after", n)
		}
	})
}

func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.progress = func(context.Context) ([]sdk.Progress, error) {
		return make([]sdk.Progress, 220), nil
	}
	e := newTestEngine(t, o, Config{})
	for i := range 1000 {
		for _, status := range []sdk.Status{sdk.StatusRunning, sdk.StatusCompleted} {
			if _, err := e.recorded(t.Context(), fmt.Sprintf("task:p:t%d", i), sdk.Task{Status: status}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if e.openLists.size > openListBytes || e.closedLists.size > closedListBytes || e.closedLists.order.Len() > 500 || e.closedLists.size == 0 {
		t.Errorf("%d and %d bytes, %d lists", e.openLists.size, e.closedLists.size, e.closedLists.order.Len())
	}
}
