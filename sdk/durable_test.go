package sdk_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestDurableOnTheWire(t *testing.T) {
	t.Parallel()
	settled := []sdk.Settled{{Ack: "a2"}, {Ack: "b", Stale: true}, {Ack: "c", Error: &sdk.Fault{Path: "$.acks[2]", Message: "away"}}}
	subscription := &sdk.Subscription{Name: "n", AckWaitMs: 7}
	for name, tc := range map[string]struct {
		call  func(*sdk.Durable) (any, error)
		want  asked
		reply any
		got   any
	}{
		"Put": {
			func(d *sdk.Durable) (any, error) {
				return d.Put(t.Context(), sdk.SubscriptionRequest{Types: sdk.EventPatterns{"a.*"}, From: "beginning", MaxDeliveries: 3, AckWaitMs: 1000})
			},
			asked{Method: "PUT", URI: "/n", Body: `{"types":["a.*"],"from":"beginning","maxDeliveries":3,"ackWaitMs":1000}`}, subscription, subscription,
		},
		"Get": {func(d *sdk.Durable) (any, error) { return d.Get(t.Context()) }, asked{Method: "GET", URI: "/n"}, subscription, subscription},
		"Delete": {
			func(d *sdk.Durable) (any, error) { return nil, d.Delete(t.Context()) },
			asked{Method: "DELETE", URI: "/n"}, nil, nil,
		},
		"Pull": {
			func(d *sdk.Durable) (any, error) { return d.Pull(t.Context(), sdk.PullRequest{Max: 2, WaitMs: 5}) },
			asked{Method: "POST", URI: "/n/pull", Body: `{"max":2,"waitMs":5}`},
			sdk.DeliveryList{Items: []sdk.Delivery{{Ack: "a", Deliveries: 2}}}, []sdk.Delivery{{Ack: "a", Deliveries: 2}},
		},
		"Ack": {
			func(d *sdk.Durable) (any, error) { return d.Ack(t.Context(), "a", "b", "c") },
			asked{Method: "POST", URI: "/n/ack", Body: `{"acks":["a","b","c"]}`}, sdk.SettledList{Items: settled}, settled,
		},
		"Nack": {
			func(d *sdk.Durable) (any, error) { return d.Nack(t.Context(), 1500*time.Millisecond, "a", "b", "c") },
			asked{Method: "POST", URI: "/n/nack", Body: `{"acks":["a","b","c"],"delayMs":1500}`}, sdk.SettledList{Items: settled}, settled,
		},
		"Extend": {
			func(d *sdk.Durable) (any, error) { return d.Extend(t.Context(), "a", "b", "c") },
			asked{Method: "POST", URI: "/n/extend", Body: `{"acks":["a","b","c"]}`}, sdk.SettledList{Items: settled}, settled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := says(200, tc.reply)
			if tc.reply == nil {
				a = answer{status: http.StatusNoContent}
			}
			s := &script{answers: []answer{a}}
			got, err := tc.call(s.serve(t).Durable("n"))
			if diff := cmp.Diff(tc.got, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			r := s.requests()[0]
			r.Header = nil
			tc.want.URI = "/behind/a/proxy/v1/subscriptions" + tc.want.URI
			if diff := cmp.Diff(tc.want, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDurableDead(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{
		says(200, sdk.DeadEventPage{Items: []sdk.DeadEvent{{Deliveries: 1}}, NextCursor: "c 1"}),
		says(200, sdk.DeadEventPage{Items: []sdk.DeadEvent{{Deliveries: 2}}}),
	}}
	var got []int
	for e, err := range s.serve(t).Durable("n").Dead(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Deliveries)
	}
	if diff := cmp.Diff([]int{1, 2}, got); diff != "" || s.requests()[1].URI != "/behind/a/proxy/v1/subscriptions/n/dead?cursor=c+1" {
		t.Errorf("%s, asked %s", diff, s.requests()[1].URI)
	}
}

func TestWrongDurableCallsAreNotSent(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(200, sdk.Subscription{})}}
	c := s.serve(t)
	d := c.Durable("n")
	for says, call := range map[string]func() error{
		"name of a subscription": func() error { _, err := c.Durable("../n").Get(t.Context()); return err },
		"$.types": func() error {
			_, err := d.Put(t.Context(), sdk.SubscriptionRequest{Types: sdk.EventPatterns{">"}})
			return err
		},
		"$.from":          func() error { _, err := d.Put(t.Context(), sdk.SubscriptionRequest{From: "then"}); return err },
		"$.maxDeliveries": func() error { _, err := d.Put(t.Context(), sdk.SubscriptionRequest{MaxDeliveries: 1001}); return err },
		"$.ackWaitMs":     func() error { _, err := d.Put(t.Context(), sdk.SubscriptionRequest{AckWaitMs: 999}); return err },
		"$.max must":      func() error { _, err := d.Pull(t.Context(), sdk.PullRequest{Max: 101}); return err },
		"$.waitMs":        func() error { _, err := d.Pull(t.Context(), sdk.PullRequest{WaitMs: 60_001}); return err },
		"$.acks":          func() error { _, err := d.Ack(t.Context()); return err },
		"$.delayMs":       func() error { _, err := d.Nack(t.Context(), 13*time.Hour, "a"); return err },
		"concurrency":     func() error { return d.Run(t.Context(), nil, sdk.Concurrency(101)) },
		"OnEvent":         func() error { return sdk.NewService(c, "n").Run(t.Context()) },
		"a handler": func() error {
			s := sdk.NewService(c, "n")
			s.OnTask(sdk.TypeCodeReview, nil)
			return s.Run(t.Context())
		},
	} {
		if err := call(); !errors.Is(err, sdk.ErrInvalidInput) || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%v does not say %s", err, says)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
