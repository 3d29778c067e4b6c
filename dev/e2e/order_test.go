package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// roll is a handler that writes down the order in which it is given tasks. The first one it holds until it is let go.
type roll struct {
	holding chan struct{} // closed when it holds the first
	release chan struct{} // closed to let it go

	mu     sync.Mutex
	titles []string
}

// Handle implements [sdk.Handler].
func (r *roll) Handle(ctx context.Context, a *sdk.Assignment, _ sdk.Reporter) (*sdk.Result, error) {
	r.mu.Lock()
	r.titles = append(r.titles, a.Task.Title)
	first := len(r.titles) == 1
	r.mu.Unlock()
	if first {
		close(r.holding)
		select {
		case <-r.release:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return &sdk.Result{Output: json.RawMessage("true")}, nil
}

func (r *roll) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.titles...)
}

// handOut creates n tasks with numbered titles, several at a time.
func (s *scene) handOut(n int, priority sdk.Priority) (ids []string) {
	s.t.Helper()
	ids = make([]string, n)
	numbers := make(chan int)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for i := range numbers {
				task, err := s.client.RequestCode(s.t.Context(), fmt.Sprintf("%s %d", priority, i), sdk.WithPriority(priority))
				if err != nil {
					s.t.Errorf("%s task %d: %v", priority, i, err)
					continue
				}
				ids[i] = task.ID
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	callers.Wait()
	return ids
}

func TestHighPriorityOvertakesTheBacklog(t *testing.T) {
	t.Parallel()
	const low, high = 200, 10
	s := newScene(t, sharedStack(t))
	r := &roll{holding: make(chan struct{}), release: make(chan struct{})}
	began := time.Now()
	ids := s.handOut(low, sdk.PriorityLow)
	created := time.Since(began)

	s.inProcess("single", 1, r)
	select {
	case <-r.holding: // the slot is taken, and everything else waits
	case <-time.After(patience):
		t.Fatal("the worker was given nothing")
	}
	ids = append(ids, s.handOut(high, sdk.PriorityHigh)...)
	s.eventually("the backlog", patience, func() error { // Temporal answers what it counted up to 5 s ago
		waiting, err := s.backlog(sdk.RoleCoder)
		return errors.Join(err, atLeast(low-1+high, int(waiting)))
	})
	close(r.release)
	released := time.Now()
	for _, id := range ids {
		if task := s.ended(id); task.Status != sdk.StatusCompleted {
			t.Errorf("%q is %s", task.Title, task.Status)
		}
	}
	worked := time.Since(released)

	order := r.seen()
	if len(order) != low+high {
		t.Fatalf("the agent was given %d tasks, want %d", len(order), low+high)
	}
	for i, title := range order {
		want := "low"
		if 1 <= i && i <= high {
			want = "high"
		}
		if !strings.HasPrefix(title, want+" ") {
			t.Errorf("task %d was %q, want a %s one", i+1, title, want)
		}
	}
	t.Logf("the first tasks were %q; %d low ones were created in %s, and %d worked on one after the other in %s",
		order[:high+2], low, created.Round(time.Millisecond), low+high, worked.Round(time.Millisecond))
}
