package transcript_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

const interval = 100 * time.Millisecond

// heard writes down what a throttler hands on, and when.
type heard struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	times []time.Duration
}

func (h *heard) hear(p transcript.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = append(h.times, time.Since(h.began))
	h.lines = append(h.lines, fmt.Sprintf("%v at %s", p.Percentage, time.Since(h.began)))
}

func (h *heard) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if diff := cmp.Diff(want, h.lines); diff != "" {
		t.Errorf("handed on (-want +got):\n%s", diff)
	}
}

// wait lets time pass in the bubble.
func wait(d time.Duration) { <-time.After(d) }

func at(percentage float64) transcript.Progress {
	return transcript.Progress{Phase: "Processing", Percentage: percentage}
}

func TestTheNewestInEachIntervalIsHandedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: time.Now()}
		throttler := transcript.NewProgressThrottler(h.hear, interval)
		for _, p := range []float64{30, 45, 60} { // the documented ones
			throttler.Push(at(p))
		}
		h.want(t)
		wait(interval)
		h.want(t, "60 at 100ms")
		wait(interval / 2) // a pause: the next interval begins with the next update
		throttler.Push(at(61))
		wait(interval - time.Millisecond)
		throttler.Push(at(62))
		h.want(t, "60 at 100ms")
		wait(time.Millisecond)
		h.want(t, "60 at 100ms", "62 at 250ms")
		for i := range 1000 { // one each millisecond, for ten intervals
			throttler.Push(at(float64(i)))
			wait(time.Millisecond)
		}
		wait(interval)
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.lines); n != 12 || !strings.HasPrefix(h.lines[n-1], "999 at ") {
			t.Errorf("handed on %d times: %v", n, h.lines)
		}
		for i := 1; i < len(h.times); i++ {
			if gap := h.times[i] - h.times[i-1]; gap < interval {
				t.Errorf("%s after the one before: %s", gap, h.lines[i])
			}
		}
	})
}

func TestFlushHandsOnAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: time.Now()}
		throttler := transcript.NewProgressThrottler(h.hear, interval)
		throttler.Flush()
		throttler.Push(at(1))
		throttler.Push(at(2))
		wait(interval / 2)
		throttler.Flush()
		h.want(t, "2 at 50ms")
		throttler.Flush()
		throttler.Push(at(3)) // the first interval does not end this one early
		wait(interval - time.Millisecond)
		h.want(t, "2 at 50ms")
		wait(time.Millisecond)
		h.want(t, "2 at 50ms", "3 at 150ms")
	})
}

func TestCancelDropsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: time.Now()}
		throttler := transcript.NewProgressThrottler(h.hear, interval)
		throttler.Cancel()
		throttler.Push(at(1))
		throttler.Cancel()
		throttler.Flush()
		wait(2 * interval)
		h.want(t)
		throttler.Push(at(2))
		wait(interval)
		h.want(t, "2 at 300ms")
	})
}

// TestOneCallAtATime: while one lasts the newest waits, whoever hands it on, and a call may use the throttler.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: time.Now()}
		var throttler *transcript.ProgressThrottler[transcript.Progress]
		throttler = transcript.NewProgressThrottler(func(p transcript.Progress) {
			h.hear(p)
			if p.Percentage == 1 {
				throttler.Push(at(2))
				throttler.Flush() // it comes after this call
				throttler.Push(at(3))
				wait(3 * interval)
			}
		}, interval)
		throttler.Push(at(1))
		wait(2 * interval)
		h.want(t, "1 at 100ms")
		throttler.Push(at(4))
		throttler.Flush()
		h.want(t, "1 at 100ms")
		wait(2 * interval)
		h.want(t, "1 at 100ms", "4 at 400ms")
	})
}

func TestAStoreKeepsTheFirstAndTheNewest(t *testing.T) {
	t.Parallel()
	var store transcript.ProgressStore[transcript.Progress]
	if p, ok := store.Latest("task-001"); ok || store.History("task-001") != nil {
		t.Errorf("an empty store has %+v", p)
	}
	documented := []transcript.Progress{{Phase: "Analyzing", Percentage: 25}, {Phase: "Executing", Percentage: 50}, {Phase: "Validating", Percentage: 75}}
	for _, p := range documented {
		store.Record("task-001", p)
	}
	if p, ok := store.Latest("task-001"); !ok || p != documented[2] {
		t.Errorf("the latest is %+v, %v", p, ok)
	}
	history := store.History("task-001")
	if diff := cmp.Diff(documented, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	history[0].Phase = "changed"
	if diff := cmp.Diff(documented, store.History("task-001")); diff != "" {
		t.Errorf("the history is not the caller's own (-want +got):\n%s", diff)
	}
	store.Clear("task-001")
	store.Clear("task-001")
	if p, ok := store.Latest("task-001"); ok || store.History("task-001") != nil {
		t.Errorf("a cleared task has %+v", p)
	}
	for n := 1; n <= 3*(transcript.MaxStoredFirst+transcript.MaxStoredLast); n++ {
		store.Record("long", at(float64(n)))
		if p, ok := store.Latest("long"); !ok || p != at(float64(n)) {
			t.Fatalf("the latest is %+v, %v after %d", p, ok, n)
		}
		var want []transcript.Progress
		for i := 1; i <= n; i++ {
			if i <= transcript.MaxStoredFirst || i > n-transcript.MaxStoredLast {
				want = append(want, at(float64(i)))
			}
		}
		if got := store.History("long"); !slices.Equal(want, got) {
			t.Fatalf("history after %d (-want +got):\n%s", n, cmp.Diff(want, got))
		}
	}
}

// TestAStoreForgetsTheTaskWithoutNews that is longest without any.
func TestAStoreForgetsTheTaskWithoutNews(t *testing.T) {
	t.Parallel()
	store := transcript.NewProgressStore[int]()
	name := func(i int) string { return fmt.Sprintf("task-%d", i) }
	for i := range transcript.MaxStoredTasks {
		store.Record(name(i), i)
	}
	store.Record(name(0), -1)
	for i := range 10 {
		store.Record(name(transcript.MaxStoredTasks+i), i)
	}
	for i := range transcript.MaxStoredTasks + 10 {
		_, ok := store.Latest(name(i))
		if want := i == 0 || i > 10; ok != want {
			t.Errorf("%s is there: %v", name(i), ok)
		}
	}
}

func TestAStoreIsSharedSafely(t *testing.T) {
	t.Parallel()
	var store transcript.ProgressStore[int]
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 1000 {
				task := fmt.Sprint(i % 7)
				store.Record(task, w)
				store.Latest(task)
				store.History(task)
				if i%50 == 0 {
					store.Clear(task)
				}
			}
		})
	}
	all.Wait()
}
