package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// consumer is one receiver of a subscription over a connection of its own.
type consumer struct {
	url   string
	web   *http.Client
	fails func(format string, args ...any)
}

// post sends a request about the subscription; ok is false when ctx has ended.
func (c consumer) post(ctx context.Context, verb string, body, into any) (ok bool) {
	raw, err := json.Marshal(body)
	if err != nil {
		c.fails("%v", err)
		return false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/subscriptions/jobs/"+verb, bytes.NewReader(raw))
	if err != nil {
		c.fails("%v", err)
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.web.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			c.fails("%s: %v", verb, err)
		}
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		c.fails("%s: %d", verb, answer.StatusCode)
		return false
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		if ctx.Err() == nil {
			c.fails("%s: %v", verb, err)
		}
		return false
	}
	return true
}

// TestThreeConsumersShareASubscription: one of them begins, and stops with events in its hands and without a word. Every event is acknowledged once
// all the same, and what the one that stopped says later is worth nothing.
func TestThreeConsumersShareASubscription(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.put(`{"from":"beginning","ackWaitMs":1000}`, http.StatusCreated)
	url := served(t, r.server)
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	const many = 300
	var mu sync.Mutex
	acked := map[string]int{}
	var abandoned []string // the acks of what the first one had in its hands
	all, all3 := make(chan struct{}), sync.Once{}
	stopped := make(chan struct{}) // the first one has
	working, stop := context.WithCancel(ctx)
	defer stop()
	var consumers sync.WaitGroup
	for n := range 3 {
		web := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(web.CloseIdleConnections)
		c := consumer{url, web, t.Errorf}
		consumers.Go(func() {
			if n == 0 {
				defer close(stopped)
			} else {
				<-stopped
			}
			for turn := 0; working.Err() == nil; turn++ {
				var list sdk.DeliveryList
				if !c.post(working, "pull", sdk.PullRequest{Max: 7, WaitMs: 500}, &list) {
					return
				}
				if len(list.Items) == 0 {
					continue
				}
				acks := sdk.AckRequest{}
				for _, d := range list.Items {
					acks.Acks = append(acks.Acks, d.Ack)
				}
				if n == 0 && turn >= 2 {
					mu.Lock()
					abandoned = acks.Acks
					mu.Unlock()
					return
				}
				var settled sdk.SettledList
				if !c.post(ctx, "ack", acks, &settled) {
					return
				}
				mu.Lock()
				for i, s := range settled.Items {
					if s.Error != nil {
						t.Errorf("an ack: %+v", *s.Error)
					}
					if !s.Stale {
						acked[list.Items[i].Event.ID]++
					}
				}
				if len(acked) == many {
					all3.Do(func() { close(all) })
				}
				mu.Unlock()
			}
		})
	}
	for from := 1; from <= many; from += 50 {
		r.publish("default", from, from+49)
	}
	select {
	case <-all:
	case <-ctx.Done():
		mu.Lock()
		t.Errorf("%d of %d events were acknowledged", len(acked), many)
		mu.Unlock()
	}
	stop()
	consumers.Wait()
	for i := 1; i <= many; i++ {
		if acked[fmt.Sprint(i)] != 1 {
			t.Errorf("event %d was acknowledged %d times", i, acked[fmt.Sprint(i)])
		}
	}
	if len(abandoned) == 0 {
		t.Fatal("nobody stopped with events in its hands")
	}
	for _, late := range r.settle("ack", abandoned...) {
		if !late.Stale {
			t.Errorf("a late ack: %+v", late)
		}
	}
	if got := r.get(); got.Unacked != 0 || got.Pending != 0 {
		t.Errorf("at the end: %+v", got)
	}
}

// served serves a server on a free port until the test ends.
func served(t *testing.T, s *Server) (url string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}
