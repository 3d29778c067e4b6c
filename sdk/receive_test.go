package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// shared is a durable subscription in made-up time, as the service keeps one.
type shared struct {
	mu      sync.Mutex
	ackWait time.Duration
	request *sdk.SubscriptionRequest // nil while there is none
	events  []*kept
	changed chan struct{}
	refuse  func(verb string) *sdk.Error // nil lets every call through
	log     []string                     // what was done, when
	began   time.Time
}

// kept is one event and how it stands.
type kept struct {
	typ        sdk.EventType
	deliveries int
	due        time.Time // when it can be given out
	done       bool
}

func sharing(ackWait time.Duration, types ...sdk.EventType) *shared {
	s := &shared{ackWait: ackWait, changed: make(chan struct{}), began: time.Now()}
	for _, t := range types {
		s.events = append(s.events, &kept{typ: t})
	}
	return s
}

func (s *shared) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf("%v ", time.Since(s.began).Round(time.Second))+fmt.Sprintf(format, args...))
}

func (s *shared) RoundTrip(r *http.Request) (*http.Response, error) {
	verb := strings.TrimPrefix(r.URL.Path, "/v1/subscriptions/n")
	s.mu.Lock()
	if s.refuse != nil {
		if e := s.refuse(verb); e != nil {
			s.mu.Unlock()
			return reply(e.Code.HTTPStatus(), e.Problem())
		}
	}
	defer s.mu.Unlock()
	switch {
	case r.Method == http.MethodPut:
		s.request = new(sdk.SubscriptionRequest)
		if err := json.NewDecoder(r.Body).Decode(s.request); err != nil {
			return nil, err
		}
		return reply(200, sdk.Subscription{})
	case s.request == nil:
		e := sdk.Errorf(sdk.CodeNotFound, "no subscription")
		return reply(404, e.Problem())
	case r.Method == http.MethodGet:
		return reply(200, sdk.Subscription{Name: "n", From: s.request.From, AckWaitMs: s.ackWait.Milliseconds()})
	case verb == "/pull":
		return s.pull(r)
	default:
		return s.settle(r, verb)
	}
}

func (s *shared) pull(r *http.Request) (*http.Response, error) {
	var request sdk.PullRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	until := time.Now().Add(time.Duration(request.WaitMs) * time.Millisecond)
	for {
		var list sdk.DeliveryList
		next := until
		for i, k := range s.events {
			switch {
			case k.done:
			case k.due.After(time.Now()):
				next = earlier(next, k.due)
			case len(list.Items) < request.Max:
				k.deliveries++
				k.due = time.Now().Add(s.ackWait)
				list.Items = append(list.Items, sdk.Delivery{
					Event: sdk.Event{ID: fmt.Sprint(i), Type: k.typ}, Ack: fmt.Sprintf("%d/%d/0", i, k.deliveries), Deliveries: k.deliveries,
				})
			}
		}
		if len(list.Items) > 0 || !time.Now().Before(until) {
			return reply(200, list)
		}
		s.mu.Unlock()
		select {
		case <-time.After(time.Until(next)):
		case <-s.changed:
		case <-r.Context().Done():
		}
		s.mu.Lock()
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (s *shared) settle(r *http.Request, verb string) (*http.Response, error) {
	var request sdk.AckRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	var list sdk.SettledList
	for _, ack := range request.Acks {
		var i, deliveries, extended int
		if _, err := fmt.Sscanf(ack, "%d/%d/%d", &i, &deliveries, &extended); err != nil {
			return nil, err
		}
		k := s.events[i]
		stale := k.done || k.deliveries != deliveries || !time.Now().Before(k.due)
		switch {
		case stale:
		case verb == "/ack":
			k.done = true
		case verb == "/nack":
			k.due = time.Now().Add(time.Duration(request.DelayMs) * time.Millisecond)
		case verb == "/extend":
			k.due = time.Now().Add(s.ackWait)
			ack = fmt.Sprintf("%d/%d/%d", i, deliveries, extended+1)
		}
		s.note("%s %s", verb[1:], ack)
		list.Items = append(list.Items, sdk.Settled{Ack: ack, Stale: stale})
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return reply(200, list)
}

func reply(status int, v any) (*http.Response, error) {
	a := says(status, v)
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func (s *shared) undone() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events) - len(slices.Collect(func(yield func(int) bool) {
		for i, k := range s.events {
			if k.done && !yield(i) {
				return
			}
		}
	}))
}

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
			time.Sleep(305 * time.Second)
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
			time.Sleep(time.Second)
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
			time.Sleep(map[sdk.EventType]time.Duration{"quick": time.Millisecond, "slow": 15 * time.Second}[d.Event.Type])
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

func TestService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sharing(30*time.Second, "code.generated", "shop.sold", "code.tested", "unknown")
		c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: s}})
		var got []string
		failed := false
		on := func(name string) sdk.EventHandler {
			return func(_ context.Context, e *sdk.Event) error {
				got = append(got, name+" "+string(e.Type))
				if name == "second" && !failed {
					failed = true
					return errors.New("once")
				}
				return nil
			}
		}
		svc := sdk.NewService(c, "n", sdk.StartFrom("beginning"), sdk.MaxDeliveries(3), sdk.AckWait(time.Minute), sdk.Concurrency(1))
		svc.OnEvent("code.generated", on("first"))
		svc.OnEvent("code.*", on("second"))
		svc.OnEvent("shop.sold", on("third"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := svc.Run(ctx); err != nil {
			t.Error(err)
		}
		want := sdk.SubscriptionRequest{Types: sdk.EventPatterns{"code.*", "shop.sold"}, From: "beginning", MaxDeliveries: 3, AckWaitMs: 60_000}
		if diff := cmp.Diff(&want, s.request); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{
			"first code.generated", "second code.generated", "third shop.sold", "second code.tested", "first code.generated", "second code.generated",
		}, got); diff != "" {
			t.Error(diff)
		}
		if s.undone() != 1 || s.events[3].deliveries != 2 { // what nobody here knows is given back
			t.Errorf("%d undone, the unknown one given out %d times", s.undone(), s.events[3].deliveries)
		}
		again := sdk.NewService(c, "n") // without saying where it began
		again.OnEvent("*", on("any"))
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := again.Run(ctx); err != nil || s.request.From != "beginning" || s.request.Types.String() != "*" {
			t.Errorf("%v, subscribed with %+v", err, s.request)
		}
	})
}
