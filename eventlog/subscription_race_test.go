package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestManyMakeAndEndOneSubscription: whoever is first, nobody is told of a fault of the log.
func TestManyMakeAndEndOneSubscription(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			for turn := range 20 {
				if (n+turn)%3 == 0 {
					if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil && !errors.Is(err, sdk.ErrNotFound) {
						t.Errorf("ending it: %v", err)
					}
					continue
				}
				s := Subscription{Name: "work", From: "now", MaxDeliveries: 1 + n, AckWait: time.Minute}
				if _, _, err := l.PutSubscription(bounded(t), "p", s); err != nil {
					t.Errorf("making it: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestSubscriptionsOfALogThatWasRemoved(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(l *Log) error{
		"list": func(l *Log) error {
			all, err := l.ListSubscriptions(bounded(t), "p")
			if len(all) > 0 {
				t.Errorf("listed: %+v", all)
			}
			return err
		},
		"make": func(l *Log) error {
			_, created, err := l.PutSubscription(bounded(t), "p", Subscription{Name: "work", From: "now", MaxDeliveries: 1, AckWait: time.Minute})
			if !created {
				t.Error("it was not made")
			}
			return err
		},
	} {
		l := open(t, Config{})
		subscribe(t, l, Subscription{})
		if err := l.js.DeleteStream(bounded(t), streamName("p")); err != nil {
			t.Fatal(err)
		}
		if err := ask(l); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyWaitForOneSubscription: more than JetStream lets wait by itself.
func TestManyWaitForOneSubscription(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	subscribe(t, l, Subscription{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	for range 600 {
		all.Go(func() {
			if _, err := l.Pull(ctx, "p", "work", 1, 3*time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAFollowerThatMissesAnEventIsWoken(t *testing.T) {
	t.Parallel()
	f := &Follower{queue: make(chan *Record, 1), wake: make(chan struct{}, 1)}
	f.offer(&Record{Sequence: 1})
	f.offer(&Record{Sequence: 2})
	f.offer(&Record{Sequence: 3})
	if f.missed.Load() != 2 || len(f.wake) != 1 {
		t.Errorf("missed from %d on, woken %d times", f.missed.Load(), len(f.wake))
	}
}

func TestAPageOfLargeDeadEventsIsShort(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	subscribe(t, l, Subscription{})
	e := anEvent("large", "x.y")
	e.Data = json.RawMessage(`"` + strings.Repeat("x", sdk.MaxEventData-2) + `"`)
	m, err := encode("x", e)
	if err != nil {
		t.Fatal(err)
	}
	const many = 40
	for n := range uint64(many) {
		if err := l.bury(bounded(t), "p", "work", &Record{Sequence: n + 1, Type: e.Type, Data: m.Data}, 1); err != nil {
			t.Fatal(err)
		}
	}
	var places []uint64
	pages := 0
	for after := uint64(0); pages == 0 || after > 0; pages++ {
		list, next, err := l.ListDead(bounded(t), "p", "work", after)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > pageBytes/sdk.MaxEventData+1 {
			t.Errorf("a page of %d", len(list))
		}
		for _, d := range list {
			places = append(places, d.Record.Sequence)
		}
		after = next
	}
	for n := range uint64(many) {
		if len(places) != many || places[n] != n+1 {
			t.Fatalf("listed: %v", places)
		}
	}
	if pages < 3 {
		t.Errorf("%d pages", pages)
	}
}

// TestWhatCannotBeFencedIsNotUsedUp: while the log has no room for fences, an event that comes again is given to nobody, and does not
// come again and again until it is dead.
func TestWhatCannotBeFencedIsNotUsedUp(t *testing.T) {
	t.Parallel()
	l := open(t, Config{URL: newExternalOf(t, 2*minBytes).ClientURL(), MaxBytes: minBytes})
	publish(t, l, 1, 1)
	subscribe(t, l, Subscription{AckWait: 10 * time.Millisecond})
	soon(t, l, 1)
	ctx := bounded(t)
	for refused := 0; refused == 0 && ctx.Err() == nil; {
		if list, err := l.Pull(ctx, "p", "work", 1, time.Second); len(list) > 0 {
			t.Fatalf("given out: %+v", list)
		} else if err != nil {
			refused++
		}
	}
	for range 20 {
		if list, err := l.Pull(ctx, "p", "work", 1, 0); len(list) > 0 || err != nil {
			t.Fatalf("given out: %+v, %v", list, err)
		}
	}
	stream, err := l.js.Stream(ctx, streamName("p"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := stream.Consumer(ctx, consumerPrefix+"work")
	if err != nil {
		t.Fatal(err)
	}
	if n := c.CachedInfo().Delivered.Consumer; n > 3 {
		t.Errorf("it was given out %d times", n)
	}
}
