package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowToSay is an engine that takes a while to say whether it is ready, and counts how often it was asked.
type slowToSay struct {
	*memoryTasks
	asked atomic.Int64
}

func (s *slowToSay) Ready(ctx context.Context) error {
	s.asked.Add(1)
	select {
	case <-time.After(100 * time.Millisecond):
		return s.memoryTasks.Ready(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestReadyzAsksSeldom: however many ask, Temporal is asked once a second.
func TestReadyzAsksSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tasks := &slowToSay{memoryTasks: newMemoryTasks()}
		s := newTestServer(t, tasks, io.Discard)
		ask := func(want int) {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if w := call(s, http.MethodGet, "/readyz", ""); w.Code != want {
						t.Errorf("%d %s", w.Code, w.Body)
					}
				})
			}
			all.Wait()
		}
		ask(http.StatusOK)
		ask(http.StatusOK)
		if got := tasks.asked.Load(); got != 1 {
			t.Errorf("asked %d times at once", got)
		}
		tasks.failure = errors.New("away")
		time.Sleep(readyTTL)
		ask(http.StatusInternalServerError)
		ask(http.StatusInternalServerError)
		if got := tasks.asked.Load(); got != 2 {
			t.Errorf("asked %d times in all", got)
		}
	})
}

// TestReadyzOutlivesItsFirstAsker: one who hangs up does not answer for the others.
func TestReadyzOutlivesItsFirstAsker(t *testing.T) {
	t.Parallel()
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	var r readiness
	if err := r.of(gone, func(ctx context.Context) error { return ctx.Err() }); err != nil {
		t.Errorf("%v", err)
	}
}

// TestReadyzNamesStaleKeys: a keys file that can not be used is no reason to take the server out of service, and is not passed over.
func TestReadyzNamesStaleKeys(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	synctest.Test(t, func(t *testing.T) {
		s := ring.server(t, newMemoryTasks(), io.Discard)
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { s.FollowKeys(ctx) })
		if body := call(s, http.MethodGet, "/readyz", "").Body.String(); strings.Contains(body, "problem") {
			t.Errorf("%s", body)
		}
		if err := os.WriteFile(ring.path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w := call(s, http.MethodGet, "/readyz", "")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"problem":"the keys file can not be used`) || strings.Contains(w.Body.String(), ring.path) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		stop()
		following.Wait()
	})
}
