package sdk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

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
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-time.After(time.Until(next)):
		case <-changed:
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

// undone is how many events are not acknowledged.
func (s *shared) undone() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, k := range s.events {
		if !k.done {
			n++
		}
	}
	return n
}
