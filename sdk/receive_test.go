package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// receive runs a receiver in made-up time until the time is over.
func receive(t *testing.T, s *shared, d time.Duration, handler func(context.Context, *sdk.Delivery) error, opts ...sdk.RunOption) error {
	t.Helper()
	s.request = &sdk.SubscriptionRequest{}
	c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: s}})
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return c.Durable("n").Run(ctx, handler, opts...)
}

func TestRunAcknowledgesAndGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "good", "bad", "panics", "patient")
		var failures []string
		err := receive(t, s, time.Minute, func(_ context.Context, d *sdk.Delivery) error {
			switch {
			case d.Event.Type == "bad" && d.Deliveries < 4:
				return errors.New("not yet")
			case d.Event.Type == "panics" && d.Deliveries < 2:
				panic("no")
			case d.Event.Type == "patient" && d.Deliveries < 2:
				e := sdk.Retryable("", errors.New("later"))
				e.RetryAfter = 20 * time.Second
				return e
			}
			return nil
		}, sdk.OnFailure(func(d *sdk.Delivery, err error) {
			said, _, _ := strings.Cut(err.Error(), "\n")
			failures = append(failures, fmt.Sprintf("%s %d: %s", d.Event.Type, d.Deliveries, said))
		}))
		if err != nil {
			t.Error(err)
		}
		want := []string{
			"0s ack 0/1/0", "0s nack 1/1/0", "0s nack 2/1/0", "0s nack 3/1/0", "1s nack 1/2/0", "1s ack 2/2/0", "3s nack 1/3/0", "7s ack 1/4/0", "20s ack 3/2/0",
		}
		if diff := cmp.Diff(want, s.log); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"bad 1: not yet", "panics 1: the handler panicked: no", "patient 1: agent_failed: later", "bad 2: not yet", "bad 3: not yet"}, failures); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRunAsksForMoreTime: a handler that takes ten times as long keeps its event, and its last ack is taken.
func TestRunAsksForMoreTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "long")
		if err := receive(t, s, time.Hour, func(context.Context, *sdk.Delivery) error {
			pass(305 * time.Second)
			return nil
		}); err != nil {
			t.Error(err)
		}
		if s.undone() != 0 || len(s.log) != 31 || s.log[30] != "5m5s ack 0/1/30" {
			t.Errorf("%d undone: %q", s.undone(), s.log)
		}
	})
}

// TestRunStopsWhoLostItsEvent: where more time can not be had, the handler is told before the event is another's.
func TestRunStopsWhoLostItsEvent(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(string) *sdk.Error{
		"the service is away": func(verb string) *sdk.Error {
			if verb == "/extend" {
				return sdk.Errorf(sdk.CodeUnavailable, "away")
			}
			return nil
		},
		"it was given away": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := sharing(30*time.Second, "long")
			s.refuse = refuse
			var causes []string
			began := time.Now()
			err := receive(t, s, 10*time.Minute, func(ctx context.Context, d *sdk.Delivery) error {
				if d.Deliveries > 1 {
					return nil
				}
				if refuse == nil {
					s.mu.Lock()
					s.events[0].deliveries++
					s.mu.Unlock()
				}
				<-ctx.Done()
				causes = append(causes, fmt.Sprint(time.Since(began).Round(time.Second), " ", context.Cause(ctx)))
				return ctx.Err()
			})
			at := map[bool]string{true: "10s", false: "30s"}[refuse == nil]
			if err != nil || len(causes) != 1 || !strings.HasPrefix(causes[0], at+" lease_lost") {
				t.Errorf("%s: %v, stopped %v", name, err, causes)
			}
			if s.undone() != 0 || slices.ContainsFunc(s.log, func(l string) bool { return strings.Contains(l, "nack") }) {
				t.Errorf("%s: %d undone, %q", name, s.undone(), s.log)
			}
		})
	}
}

// TestRunBelievesNoLongerThanTheService: an event's time counts from when it was asked for, however long the answer takes.
func TestRunBelievesNoLongerThanTheService(t *testing.T) {
	t.Parallel()
	for slow, given := range map[string]int{"/pull": 0, "/extend": 1} { // how often more time is given
		synctest.Test(t, func(t *testing.T) {
			s := sharing(30*time.Second, "long")
			s.request = &sdk.SubscriptionRequest{}
			asked := 0
			s.refuse = func(verb string) *sdk.Error {
				if verb == "/extend" {
					if asked++; asked > given {
						return sdk.Errorf(sdk.CodeUnavailable, "away")
					}
				}
				return nil
			}
			took := 5 * time.Second
			transport := roundTrip(func(r *http.Request) (*http.Response, error) {
				resp, err := s.RoundTrip(r)
				if strings.HasSuffix(r.URL.Path, slow) {
					pass(took)
					took = 0
				}
				return resp, err
			})
			began, lost := time.Now(), time.Duration(0)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: transport}})
			err := c.Durable("n").Run(ctx, func(ctx context.Context, _ *sdk.Delivery) error {
				<-ctx.Done()
				lost = time.Since(began)
				return context.Cause(ctx)
			})
			if err != nil || !s.events[0].due.Equal(began.Add(lost)) {
				t.Errorf("a slow %s: %v, lost after %v, the service's after %v", slow, err, lost, s.events[0].due.Sub(began))
			}
		})
	}
}

// TestOnFailureTellsHandlersFromCalls: a delivery comes with what its handler failed with alone, for who counts that.
func TestOnFailureTellsHandlersFromCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "good", "bad")
		away := time.Now().Add(40 * time.Millisecond)
		s.refuse = func(verb string) *sdk.Error {
			if verb == "/ack" && time.Now().Before(away) {
				return sdk.Errorf(sdk.CodeForbidden, "not now")
			}
			return nil
		}
		var handlers, calls []string
		err := receive(t, s, 10*time.Second, func(_ context.Context, d *sdk.Delivery) error {
			if d.Event.Type == "bad" && d.Deliveries == 1 {
				return errors.New("no")
			}
			return nil
		}, sdk.OnFailure(func(d *sdk.Delivery, err error) {
			if d == nil {
				calls = append(calls, err.Error())
				return
			}
			handlers = append(handlers, err.Error())
		}))
		if diff := cmp.Diff([]string{"no"}, handlers); diff != "" || err != nil || s.undone() != 0 {
			t.Errorf("%v, %d undone: %s", err, s.undone(), diff)
		}
		if len(calls) == 0 || calls[0] != "event 0, which was handled, could not be settled: forbidden: not now" {
			t.Errorf("calls: %q", calls)
		}
	})
}

// TestRunLearnsAShorterWait: whoever loses an event asks anew how long one is his, and keeps the next.
func TestRunLearnsAShorterWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "long")
		deliveries := 0
		err := receive(t, s, 10*time.Minute, func(ctx context.Context, d *sdk.Delivery) error {
			if deliveries = d.Deliveries; deliveries == 1 { // it is given another while it is under way
				s.mu.Lock()
				s.ackWait, s.events[0].due = 6*time.Second, time.Now().Add(6*time.Second)
				s.mu.Unlock()
			}
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil || s.undone() != 0 || deliveries != 2 {
			t.Errorf("%v, %d undone after %d deliveries: %q", err, s.undone(), deliveries, s.log)
		}
	})
}

func TestRunIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, slices.Repeat([]sdk.EventType{"a"}, 20)...)
		var mu sync.Mutex
		running, most := 0, 0
		err := receive(t, s, time.Minute, func(context.Context, *sdk.Delivery) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			pass(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}, sdk.Concurrency(4))
		if err != nil || most != 4 || s.undone() != 0 || !strings.HasPrefix(s.log[19], "5s ") {
			t.Errorf("%v: %d at once, %d undone, the last at %s", err, most, s.undone(), s.log[len(s.log)-1])
		}
	})
}

// TestRunDrains: handlers may go on for the grace; what is not done then is given back at once.
func TestRunDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "quick", "slow", "never")
		began := time.Now()
		err := receive(t, s, time.Second, func(ctx context.Context, d *sdk.Delivery) error {
			if d.Event.Type == "never" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			pass(map[sdk.EventType]time.Duration{"quick": time.Millisecond, "slow": 15 * time.Second}[d.Event.Type])
			return ctx.Err()
		}, sdk.Concurrency(3), sdk.DrainGrace(20*time.Second))
		if took := time.Since(began); err != nil || took != 21*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		var settled []string
		for _, l := range s.log {
			if !strings.Contains(l, "extend") {
				settled = append(settled, l)
			}
		}
		if diff := cmp.Diff([]string{"0s ack 0/1/0", "15s ack 1/1/1", "21s nack 2/1/2"}, settled); diff != "" {
			t.Error(diff)
		}
		if due := s.events[2].due; due.After(time.Now()) {
			t.Errorf("what was not done comes again at %v", due.Sub(began))
		}
	})
}

// TestRunOutlivesRestarts of the service, and ends where trying again mends nothing.
func TestRunOutlivesRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "a")
		away, calls := time.Now().Add(time.Minute), 0
		s.refuse = func(string) *sdk.Error {
			if calls++; time.Now().Before(away) {
				return sdk.Errorf(sdk.CodeUnavailable, "starting")
			}
			return nil
		}
		err := receive(t, s, 5*time.Minute, func(context.Context, *sdk.Delivery) error { return nil })
		if err != nil || s.undone() != 0 || calls > 80 {
			t.Errorf("%v, %d undone after %d calls", err, s.undone(), calls)
		}
		s.refuse = func(verb string) *sdk.Error {
			if verb == "/pull" {
				return sdk.Errorf(sdk.CodeNotFound, "it was deleted")
			}
			return nil
		}
		if err := receive(t, s, time.Minute, nil); !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("a subscription that is gone: %v", err)
		}
	})
}
