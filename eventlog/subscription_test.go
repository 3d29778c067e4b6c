package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func subscribe(t *testing.T, l *Log, s Subscription) Subscription {
	t.Helper()
	if s.Name == "" {
		s.Name = "work"
	}
	if s.From == "" {
		s.From = "beginning"
	}
	if s.MaxDeliveries == 0 {
		s.MaxDeliveries = 10
	}
	if s.AckWait == 0 {
		s.AckWait = 30 * time.Second
	}
	made, _, err := l.PutSubscription(bounded(t), "p", s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func pulled(t *testing.T, l *Log, most int, wait time.Duration) []Delivery {
	t.Helper()
	list, err := l.Pull(bounded(t), "p", "work", most, wait)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func settle(t *testing.T, l *Log, ticket Ticket, v Verdict) (next Ticket, stale bool) {
	t.Helper()
	next, stale, err := l.Settle(bounded(t), "p", ticket, v, 0)
	if err != nil {
		t.Fatal(err)
	}
	return next, stale
}

func TestASubscriptionRemembersItsPlace(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 5)
	subscribe(t, l, Subscription{})
	for _, d := range pulled(t, l, 3, 0) {
		if _, stale := settle(t, l, d.Ticket, VerdictAck); stale {
			t.Errorf("the acknowledgement of %d is stale", d.Record.Sequence)
		}
	}
	rest := pulled(t, l, 100, 0)
	if len(rest) != 2 || rest[0].Record.Sequence != 4 || rest[0].Deliveries != 1 {
		t.Fatalf("the rest: %+v", rest)
	}
	s, err := l.GetSubscription(bounded(t), "p", "work")
	if err != nil || s.Unacked != 2 || s.Pending != 0 {
		t.Errorf("the subscription: %+v, %v", s, err)
	}
	if got := pulled(t, l, 1, 50*time.Millisecond); len(got) != 0 {
		t.Errorf("with nothing left: %+v", got)
	}
}

func TestSubscriptionsBeginWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 5)
	begins := map[string]uint64{"beginning": 1, "3": 4, "00000000000000000004": 5, "now": 6}
	for from := range begins {
		subscribe(t, l, Subscription{Name: "from-" + from, From: from})
	}
	publish(t, l, 6, 6)
	for from, first := range begins {
		list, err := l.Pull(bounded(t), "p", "from-"+from, 1, 0)
		if err != nil || len(list) != 1 || list[0].Record.Sequence != first {
			t.Errorf("from %s: %+v, %v", from, list, err)
		}
	}
}

func TestASubscriptionGivesOutOnlyItsTypes(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for i, typ := range []sdk.EventType{"x.y", "code.generated", "task.completed", "x.z", "code.reviewed"} {
		e := anEvent(fmt.Sprint(i), typ)
		if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		types sdk.EventPatterns
		want  []uint64
	}{
		"code": {sdk.EventPatterns{"code.*"}, []uint64{2, 5}}, "x": {sdk.EventPatterns{"x.y"}, []uint64{1}}, "all": {nil, []uint64{1, 2, 3, 4, 5}},
	} {
		subscribe(t, l, Subscription{Name: name, Types: test.types})
		list, err := l.Pull(bounded(t), "p", name, 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, d := range list {
			got = append(got, d.Record.Sequence)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestAPoisonousEventEndsAmongTheDead(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 3)
	subscribe(t, l, Subscription{MaxDeliveries: 2})
	var handled []uint64
	for len(handled) < 2 {
		for _, d := range pulled(t, l, 10, 100*time.Millisecond) {
			if d.Record.Sequence == 2 {
				settle(t, l, d.Ticket, VerdictNack)
				continue
			}
			handled = append(handled, d.Record.Sequence)
			settle(t, l, d.Ticket, VerdictAck)
		}
	}
	var dead []Dead
	for len(dead) == 0 {
		for _, d := range pulled(t, l, 10, 100*time.Millisecond) {
			settle(t, l, d.Ticket, VerdictNack)
		}
		var err error
		if dead, _, err = l.ListDead(bounded(t), "p", "work", 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(dead) != 1 || dead[0].Record.Sequence != 2 || dead[0].Deliveries != 2 || dead[0].Record.Type != "x.y" {
		t.Errorf("dead: %+v", dead)
	}
	if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil {
		t.Fatal(err)
	}
	subscribe(t, l, Subscription{})
	if dead, _, err := l.ListDead(bounded(t), "p", "work", 0); err != nil || len(dead) != 0 {
		t.Errorf("dead of a new subscription by the same name: %+v, %v", dead, err)
	}
}

func TestALateAcknowledgementIsStale(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 1)
	subscribe(t, l, Subscription{AckWait: time.Second, MaxDeliveries: 1000})
	first := soon(t, l, 1)[0]
	extended, stale := settle(t, l, first.Ticket, VerdictExtend)
	for ctx := bounded(t); stale && ctx.Err() == nil; { // this machine was too slow
		first = soon(t, l, 1)[0]
		extended, stale = settle(t, l, first.Ticket, VerdictExtend)
	}
	if stale || !extended.Expires.After(first.Ticket.Expires) {
		t.Fatalf("the extension: %+v after %+v, stale %v", extended, first.Ticket, stale)
	}
	second := soon(t, l, 1)[0]
	if second.Deliveries <= first.Deliveries {
		t.Fatalf("given out again: %+v after %+v", second, first)
	}
	for _, late := range []Ticket{first.Ticket, extended} {
		if _, stale := settle(t, l, late, VerdictAck); !stale {
			t.Errorf("an acknowledgement that came late was taken: %+v", late)
		}
	}
	if s, err := l.GetSubscription(bounded(t), "p", "work"); err != nil || s.Unacked != 1 {
		t.Errorf("the second receiver's event: %+v, %v", s, err)
	}
}

func TestReceiversShareTheWorkAndLoseNothing(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	subscribe(t, l, Subscription{AckWait: time.Second})
	const many = 200
	var mu sync.Mutex
	acked := map[uint64]int{}
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	var receivers sync.WaitGroup
	for r := range 3 {
		receivers.Go(func() {
			for taken := 0; ctx.Err() == nil; taken++ {
				list, err := l.Pull(ctx, "p", "work", 5, 200*time.Millisecond)
				if errors.Is(err, context.Canceled) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if r == 0 && taken >= 3 && len(list) > 0 {
					return // dies with events in its hands
				}
				for _, d := range list {
					_, stale, err := l.Settle(context.WithoutCancel(ctx), "p", d.Ticket, VerdictAck, 0)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if !stale {
						acked[d.Record.Sequence]++
					}
					if len(acked) == many {
						cancel()
					}
					mu.Unlock()
				}
			}
		})
	}
	publish(t, l, 1, many)
	receivers.Wait()
	for n := uint64(1); n <= many; n++ {
		if acked[n] != 1 {
			t.Errorf("event %d was acknowledged %d times", n, acked[n])
		}
	}
}

func TestSubscriptionsAreManaged(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	if _, err := l.GetSubscription(bounded(t), "p", "work"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("before it is made: %v", err)
	}
	made := subscribe(t, l, Subscription{Types: sdk.EventPatterns{"x.*"}})
	changed, created, err := l.PutSubscription(bounded(t), "p", Subscription{Name: "work", From: "beginning", MaxDeliveries: 3, AckWait: time.Minute})
	if err != nil || created || changed.MaxDeliveries != 3 || len(changed.Types) != 0 || !changed.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("changed: %+v, %v, %v", changed, created, err)
	}
	if _, _, err := l.PutSubscription(bounded(t), "p", Subscription{Name: "work", From: "now", MaxDeliveries: 3, AckWait: time.Minute}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("from elsewhere: %v", err)
	}
	for i := range MaxSubscriptions - 1 {
		subscribe(t, l, Subscription{Name: fmt.Sprint("more-", i)})
	}
	if _, _, err := l.PutSubscription(bounded(t), "p", Subscription{Name: "too-many", From: "now", MaxDeliveries: 3, AckWait: time.Minute}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
	if all, err := l.ListSubscriptions(bounded(t), "p"); err != nil || len(all) != MaxSubscriptions {
		t.Errorf("%d subscriptions, %v", len(all), err)
	}
	if all, err := l.ListSubscriptions(bounded(t), "q"); err != nil || len(all) != 0 {
		t.Errorf("another project's: %v, %v", all, err)
	}
	if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil {
		t.Error(err)
	}
	if err := l.DeleteSubscription(bounded(t), "p", "work"); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("deleting it again: %v", err)
	}
	for name, ticket := range map[string]Ticket{
		"another project's": {Subscription: "work", Reply: "$JS.ACK.rolecall-q.sub-work.1.1.1.1.0", Expires: time.Now().Add(time.Hour)},
		"another subject":   {Subscription: "work", Reply: "rc.p.t.x", Expires: time.Now().Add(time.Hour)},
	} {
		if _, _, err := l.Settle(bounded(t), "p", ticket, VerdictAck, 0); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("a ticket with %s: %v", name, err)
		}
	}
}
