package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// first takes the first n events of a subscription, and fails at an error.
func first(t *testing.T, n int, events func(func(*sdk.Event, error) bool)) []string {
	t.Helper()
	var got []string
	for e, err := range events {
		if err != nil {
			t.Fatalf("after %d events: %v", len(got), err)
		}
		if got = append(got, strings.TrimLeft(e.Sequence, "0")); len(got) == n {
			break
		}
	}
	return got
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// TestSubscribeLosesAndRepeatsNothing cuts every stream after a few events, within a frame or between two, and repeats some.
func TestSubscribeLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const all = 60
	l := &eventLog{stream: func(n int, s *stream) {
		s.begin()
		if n%3 == 1 && s.after > 0 {
			s.after-- // a service that repeats one
		}
		s.send(1 + random.IntN(4)) // streams are opened one after the other
		switch n % 4 {
		case 0:
			s.write("id: 99\nevent: a\ndata: {\"speci")
			s.cut()
		case 1:
			s.write("event: resume\ndata: {}\n\n")
		case 2:
			s.cut()
		}
	}}
	c := l.serve(t)
	for range all {
		l.add("code.generated")
	}
	interruptions := 0
	got := first(t, all, c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}, sdk.OnInterruption(func(err error) {
		if interruptions++; !errors.Is(err, sdk.ErrUnavailable) {
			t.Errorf("interrupted by %v", err)
		}
	})))
	if diff := cmp.Diff(numbers(1, all), got); diff != "" {
		t.Error(diff)
	}
	if opened := len(l.requests()); opened != interruptions+1 || opened < 10 {
		t.Errorf("%d streams, %d interruptions", opened, interruptions)
	}
}

func TestSubscribeSaysWhereItBegins(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		filter sdk.EventFilter
		uri    string // of the first stream
		lastID string
	}{
		"now": {sdk.EventFilter{}, "/v1/events/stream", ""},
		"chosen": {
			sdk.EventFilter{Types: sdk.EventPatterns{"code.*", "a.b"}, Subject: "task/1 2"},
			"/v1/events/stream?subject=task%2F1+2&types=code.%2A%2Ca.b", "",
		},
		"from the start": {sdk.EventFilter{FromStart: true}, "/v1/events/stream?after=0", ""},
		"after zero":     {sdk.EventFilter{After: "0"}, "/v1/events/stream", sdk.FormatSequence(0)},
		"after an event": {sdk.EventFilter{After: "1"}, "/v1/events/stream", sdk.FormatSequence(1)},
		"since":          {sdk.EventFilter{Since: noon(1)}, "/v1/events/stream?since=2026-01-02T12%3A00%3A01Z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &eventLog{}
			c := l.serve(t)
			l.add("code.generated", "code.generated")
			ctx, cancel := context.WithCancel(t.Context())
			unsubscribe, err := c.SubscribeFunc(ctx, tc.filter, func(*sdk.Event, error) {})
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			unsubscribe()
			r := l.requests()[0]
			if r.URI != tc.uri || r.Header.Get("Last-Event-ID") != tc.lastID {
				t.Errorf("asked for %s after %q", r.URI, r.Header.Get("Last-Event-ID"))
			}
		})
	}
}

// TestSubscribeNowLosesNothing: what comes while a stream is cut that has brought nothing yet is brought by the next.
func TestSubscribeNowLosesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ says, since, lastID string }{
		"by time":     {"", "since=20", ""},
		"by position": {"id: 1\n\n", "", sdk.FormatSequence(1)},
		"by zero":     {"id: 0\n\n", "", sdk.FormatSequence(0)},
	} {
		l := &eventLog{}
		l.stream = func(n int, s *stream) {
			s.begin()
			s.write(tc.says)
			if n == 0 {
				l.add("a.b", "a.c")
				return
			}
			s.after = 1
			s.all()
		}
		c := l.serve(t)
		l.add("before")
		for e, err := range c.Subscribe(t.Context(), sdk.EventFilter{}) {
			if err != nil || e.Type != "a.b" || string(e.Data) != `{"a":"b\nc"}` {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
			break
		}
		if r := l.requests()[1]; !strings.Contains(r.URI, tc.since) || (tc.since == "") == strings.Contains(r.URI, "since") || r.Header.Get("Last-Event-ID") != tc.lastID {
			t.Errorf("%s: went on with %s after %q", name, r.URI, r.Header.Get("Last-Event-ID"))
		}
	}
}

func TestSubscriptionEnds(t *testing.T) {
	t.Parallel()
	expired := sdk.Errorf(sdk.CodeHistoryExpired, "gone")
	expired.FirstSequence = 7
	problem := `{"code":"history_expired","status":410,"detail":"gone","firstSequence":"00000000000000000007"}`
	for name, tc := range map[string]struct {
		stream func(int, *stream)
		want   error
		first  uint64
		opened int
	}{
		"refused":         {func(_ int, s *stream) { s.refuse(sdk.Errorf(sdk.CodeForbidden, "no")) }, sdk.ErrForbidden, 0, 1},
		"gone at first":   {func(_ int, s *stream) { s.refuse(expired) }, sdk.ErrHistoryExpired, 7, 1},
		"gone later":      {func(_ int, s *stream) { s.begin(); s.write("event: gone\ndata: " + problem + "\n\n") }, sdk.ErrHistoryExpired, 7, 1},
		"never there":     {func(_ int, s *stream) { s.refuse(sdk.Errorf(sdk.CodeUnavailable, "no log")) }, sdk.ErrUnavailable, 0, 4},
		"another service": {func(_ int, s *stream) { s.write("<html>") }, sdk.ErrInternal, 0, 1},
		"no event":        {func(_ int, s *stream) { s.begin(); s.write("id: 1\ndata: nonsense\n\n") }, sdk.ErrInternal, 0, 1},
		"a huge event": {func(_ int, s *stream) {
			s.begin()
			s.write("data: " + strings.Repeat("x", 2<<20))
			<-s.Context().Done()
		}, sdk.ErrPayloadTooLarge, 0, 1},
		"gone while it was cut": {func(n int, s *stream) {
			if n > 0 {
				s.refuse(expired)
				return
			}
			s.begin()
			s.cut()
		}, sdk.ErrHistoryExpired, 7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &eventLog{stream: tc.stream}
			c := l.serve(t)
			var failed error
			for e, err := range c.Subscribe(t.Context(), sdk.EventFilter{After: "5"}) {
				if failed = err; e != nil || err == nil {
					t.Errorf("an event: %+v", e)
					break
				}
			}
			e, ok := errors.AsType[*sdk.Error](failed)
			if !ok || !errors.Is(e, tc.want) || e.FirstSequence != tc.first {
				t.Errorf("ended with %v", failed)
			}
			if n := len(l.requests()); n != tc.opened {
				t.Errorf("%d streams, want %d", n, tc.opened)
			}
		})
	}
}

// TestFromStartIsWhatIsKept: a start that retention has taken is no error for who asks for all that is kept.
func TestFromStartIsWhatIsKept(t *testing.T) {
	t.Parallel()
	l := &eventLog{stream: func(n int, s *stream) {
		if n < 2 {
			e := sdk.Errorf(sdk.CodeHistoryExpired, "gone")
			e.FirstSequence = uint64(n + 2)
			s.refuse(e)
			return
		}
		s.begin()
		s.all()
	}}
	c := l.serve(t)
	l.add("a", "a", "a", "a")
	if diff := cmp.Diff([]string{"3", "4"}, first(t, 2, c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}))); diff != "" {
		t.Error(diff)
	}
}

// TestFromStartTellsOfALoss: what was lost after the stream was open is an error, also where the service does not say what time it is.
func TestFromStartTellsOfALoss(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ before, date int }{
		"after an event": {1, 1}, "before any": {0, 1}, "without a date": {1, 0}, "neither": {0, 0},
	} {
		l := &eventLog{stream: func(n int, s *stream) {
			if tc.date == 0 {
				s.Header()["Date"] = nil
			}
			switch n {
			case 0:
				s.begin()
				s.send(tc.before)
			case 1:
				e := sdk.Errorf(sdk.CodeHistoryExpired, "gone")
				e.FirstSequence = 4
				s.refuse(e)
			default:
				s.begin()
				s.all()
			}
		}}
		c := l.serve(t)
		l.add("a", "a", "a", "a")
		got := 0
		for _, err := range c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}) {
			if err != nil {
				if !errors.Is(err, sdk.ErrHistoryExpired) || got != tc.before {
					t.Errorf("%s: %v after %d events", name, err, got)
				}
				break
			}
			if got++; got > tc.before || len(l.requests()) > 1 {
				t.Errorf("%s: event %d after %d streams", name, got, len(l.requests()))
				break
			}
		}
	}
}

// TestSubscribePassesOnWhatIsNotKept: an announcement has no position and moves none.
func TestSubscribePassesOnWhatIsNotKept(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	l.stream = func(n int, s *stream) {
		s.begin()
		if n > 0 {
			s.all()
			return
		}
		s.send(1)
		s.write("event: tomorrow\ndata: 5\n\n" + "event: agent.heartbeat\ndata: {\"specversion\":\"1.0\",\"type\":\"agent.heartbeat\"}\n\n")
	}
	c := l.serve(t)
	l.add("a", "b")
	var got []string
	for e, err := range c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, string(e.Type)); len(got) == 3 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "agent.heartbeat", "b"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSubscribeTakesEventsOfAnyType: also of one that is the name of a frame, as a service may send it.
func TestSubscribeTakesEventsOfAnyType(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	c := l.serve(t)
	l.add("output", "resume", "gone", "error", "open", "message", "a.b")
	if diff := cmp.Diff(numbers(1, 7), first(t, 7, c.Subscribe(t.Context(), sdk.EventFilter{FromStart: true}, sdk.LiveOutput(func(o sdk.TaskOutput) {
		t.Errorf("live output: %+v", o)
	})))); diff != "" {
		t.Error(diff)
	}
	if n := len(l.requests()); n != 1 {
		t.Errorf("%d streams", n)
	}
}

func TestSubscribeFunc(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	c := l.serve(t)
	var mu sync.Mutex
	var got []sdk.EventType
	came := make(chan struct{}, 10)
	unsubscribe, err := c.SubscribeFunc(t.Context(), sdk.EventFilter{}, func(e *sdk.Event, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		got = append(got, e.Type)
		came <- struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.add("a", "b") // the stream is open: both are handled
	<-came
	<-came
	unsubscribe()
	unsubscribe()
	l.add("c")
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]sdk.EventType{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestUnsubscribeWaitsForTheHandler.
func TestUnsubscribeWaitsForTheHandler(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	c := l.serve(t)
	inside, release := make(chan struct{}), make(chan struct{})
	var once sync.Once // b may come as well before unsubscribe is called
	returned := false
	unsubscribe, err := c.SubscribeFunc(t.Context(), sdk.EventFilter{}, func(*sdk.Event, error) {
		once.Do(func() { close(inside) })
		<-release
		returned = true // the race detector sees whether unsubscribe has waited
	})
	if err != nil {
		t.Fatal(err)
	}
	l.add("a", "b", "c")
	<-inside
	go close(release)
	unsubscribe()
	if !returned {
		t.Error("the handler still runs")
	}
}

func TestSubscribeFuncTellsItsEnd(t *testing.T) {
	t.Parallel()
	if _, err := (&eventLog{stream: func(_ int, s *stream) { s.refuse(sdk.Errorf(sdk.CodeForbidden, "no")) }}).serve(t).
		SubscribeFunc(t.Context(), sdk.EventFilter{}, nil); !errors.Is(err, sdk.ErrForbidden) {
		t.Errorf("a refusal at first: %v", err)
	}
	l := &eventLog{stream: func(n int, s *stream) {
		if s.begin(); n > 0 {
			s.write("event: gone\ndata: {}\n\n")
		}
	}}
	ended := make(chan error, 1)
	unsubscribe, err := l.serve(t).SubscribeFunc(t.Context(), sdk.EventFilter{}, func(_ *sdk.Event, err error) { ended <- err })
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, sdk.ErrHistoryExpired) {
		t.Errorf("ended with %v", err)
	}
	unsubscribe()

	ctx, cancel := context.WithCancel(t.Context())
	unsubscribe, err = (&eventLog{}).serve(t).SubscribeFunc(ctx, sdk.EventFilter{}, func(_ *sdk.Event, err error) { ended <- err })
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	unsubscribe()
}

func TestWrongFiltersAreNotSent(t *testing.T) {
	t.Parallel()
	c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: &wire{answer: func(_ int, r *http.Request) (answer, error) {
		t.Errorf("sent %s", r.URL)
		return answer{}, errors.New("no")
	}}}})
	for name, tc := range map[string]struct {
		filter sdk.EventFilter
		says   string
	}{
		"a pattern":   {sdk.EventFilter{Types: sdk.EventPatterns{"a.*.b", "A"}}, `query.types "a.*.b" is not a type such as task.completed, code.* or *; query.types "A"`},
		"a subject":   {sdk.EventFilter{Subject: text(257)}, "query.subject"},
		"a position":  {sdk.EventFilter{After: "x"}, "query.after"},
		"two starts":  {sdk.EventFilter{After: "1", Since: noon(1)}, "query.after"},
		"three":       {sdk.EventFilter{FromStart: true, Since: noon(1)}, "query.after"},
		"an end":      {sdk.EventFilter{Until: noon(1)}, "query.until"},
		"a page size": {sdk.EventFilter{Limit: 1}, "query.limit"},
	} {
		for _, err := range c.Subscribe(t.Context(), tc.filter) {
			if !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := c.SubscribeFunc(t.Context(), tc.filter, nil); !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"a.b", ""} {
		for _, err := range c.TaskEvents(t.Context(), id) {
			if !errors.Is(err, sdk.ErrInvalidInput) {
				t.Errorf("the task %q: %v", id, err)
			}
		}
	}
	for _, err := range c.TaskEvents(t.Context(), "t1", sdk.ResumeAfter("x")) {
		if !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("a position: %v", err)
		}
	}
}
