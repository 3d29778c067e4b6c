package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestRateLimit(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	synctest.Test(t, func(t *testing.T) {
		tasks := newMemoryTasks()
		s := ring.server(t, tasks, io.Discard, func(c *Config) { c.RateLimit, c.RateBurst = 0.5, 3 })
		task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...), http.StatusCreated)
		read := func(more string, secret string) int {
			return call(s, http.MethodGet, "/v1/tasks/"+task.ID+more, "", append(bearing(secret), headerProject, "shop")...).Code
		}
		for i := range 2 {
			if got := read("", ring.shop); got != http.StatusOK {
				t.Errorf("request %d: %d", i, got)
			}
		}
		w := call(s, http.MethodGet, "/v1/tasks/"+task.ID, "", bearing(ring.shop)...)
		if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") != "2" {
			t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
		}
		if got := read("", ring.both); got != http.StatusOK {
			t.Errorf("another key is refused: %d", got)
		}
		if got := call(s, http.MethodGet, "/healthz", "", bearing(ring.shop)...).Code; got != http.StatusOK {
			t.Errorf("healthz is refused: %d", got)
		}
		time.Sleep(2 * time.Second) // what was refused did not count
		if got := read("?waitMs=60000", ring.shop); got != http.StatusOK {
			t.Errorf("after Retry-After: %d", got)
		}
		if got := read("", ring.shop); got != http.StatusOK { // the minute of the wait has filled the burst
			t.Errorf("after a wait: %d", got)
		}
	})
}

// What agents do at work counts apart from everything else, and there may be ten times as much of it.
func TestRateLimitOfWork(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	synctest.Test(t, func(t *testing.T) {
		m := &memoryLeases{}
		s := ring.server(t, newMemoryTasks(), io.Discard, onLeases(m), func(c *Config) { c.RateLimit, c.RateBurst = 0.5, 3 })
		m.offer("one")
		lease := claimed(t, s, bearing(ring.shop)...).Token
		work := func() *httptest.ResponseRecorder {
			return call(s, http.MethodPost, "/v1/leases/"+lease+"/progress", `{}`, bearing(ring.shop)...)
		}
		for i := range 29 { // the claim was the first of 30
			if w := work(); w.Code != http.StatusOK {
				t.Fatalf("request %d of the lease: %d", i, w.Code)
			}
		}
		w := work()
		if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") != "1" || !strings.Contains(p.Detail, "more than 5 requests") {
			t.Errorf("%+v, Retry-After %q", p, w.Header().Get("Retry-After"))
		}
		if got := call(s, http.MethodPost, "/v1/tasks", okBody, bearing(ring.shop)...).Code; got != http.StatusCreated {
			t.Errorf("the same key may not delegate: %d", got)
		}
		time.Sleep(time.Second)
		if got := work().Code; got != http.StatusOK {
			t.Errorf("a second later: %d", got)
		}
	})
}

func TestNoRateLimit(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	s := ring.server(t, newMemoryTasks(), io.Discard)
	for range 500 {
		if got := call(s, http.MethodGet, "/v1/tasks/none", "", bearing(ring.shop)...).Code; got != http.StatusNotFound {
			t.Fatalf("%d", got)
		}
	}
	if len(s.limits.known) != 0 {
		t.Errorf("%d keys are counted", len(s.limits.known))
	}
}

func TestLimitsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(1, 2, 10)
		busy := func(key string) bool { return l.take(key) > 0 }
		for i := range 10 {
			l.take(fmt.Sprint(i))
		}
		time.Sleep(time.Second)
		for range 2 {
			l.take("3") // the only one that is not quiet
		}
		l.take("new")
		if len(l.known) != 2 || !busy("3") {
			t.Errorf("%d keys are counted, the busy one among them: %v", len(l.known), busy("3"))
		}
		for i := range 1000 {
			l.take(fmt.Sprint("many", i))
			if len(l.known) > 10 {
				t.Fatalf("%d keys are counted", len(l.known))
			}
		}
	})
}

func TestLimitHoldsForManyAtOnce(t *testing.T) {
	t.Parallel()
	l := newLimits(0.001, 50, 10)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if l.take("k") == 0 {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := taken.Load(); got != 50 {
		t.Errorf("%d requests were let through, want 50", got)
	}
}

// TestAFloodDoesNotCount: what was refused, however many at once, neither delays nor hastens the next ones.
func TestAFloodDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const perSecond, burst = 10, 20
		l := newLimits(perSecond, burst, 10)
		flood := func() int64 {
			var taken atomic.Int64
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for range 500 {
						if l.take("k") == 0 {
							taken.Add(1)
						}
					}
				})
			}
			all.Wait()
			return taken.Load()
		}
		if got := flood(); got != burst {
			t.Errorf("%d requests were let through at first, want %d", got, burst)
		}
		for i := range 3 {
			time.Sleep(time.Second)
			if got := flood(); got != perSecond {
				t.Errorf("%d requests were let through in second %d, want %d", got, i, perSecond)
			}
		}
	})
}

// TestLimitHoldsWhileTimePasses floods on the real clock: each caller has its own idea of now.
func TestLimitHoldsWhileTimePasses(t *testing.T) {
	t.Parallel()
	const perSecond, burst = 2000, 50
	l := newLimits(perSecond, burst, 10)
	began := time.Now()
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for time.Since(began) < 200*time.Millisecond {
				if l.take("k") == 0 {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	most := burst + perSecond*time.Since(began).Seconds()
	if got := float64(taken.Load()); got > most+1 || got < burst {
		t.Errorf("%g requests were let through, want %d to %g", got, burst, most)
	}
	if left := l.known["k"].Tokens(); left < -1e-6 { // it would wait for longer than it was told
		t.Errorf("the refused requests have cost %g more", -left)
	}
}
