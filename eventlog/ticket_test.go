package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// soon pulls until something comes.
func soon(t *testing.T, l *Log, most int) []Delivery {
	t.Helper()
	ctx := bounded(t)
	for {
		if list := pulled(t, l, most, time.Second); len(list) > 0 {
			return list
		}
		if ctx.Err() != nil {
			t.Fatal("nothing comes")
		}
	}
}

func TestATicketIsGoodForItsOwnDeliveryOnly(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, l *Log, first Ticket){
		"given back": func(t *testing.T, l *Log, first Ticket) {
			t.Helper()
			if _, stale := settle(t, l, first, VerdictNack); stale {
				t.Error("giving back is stale")
			}
		},
		"its time made shorter": func(t *testing.T, l *Log, _ Ticket) {
			t.Helper()
			subscribe(t, l, Subscription{AckWait: 50 * time.Millisecond})
		},
		"the subscription made anew": func(t *testing.T, l *Log, _ Ticket) {
			t.Helper()
			if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil {
				t.Fatal(err)
			}
			subscribe(t, l, Subscription{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, Config{})
			publish(t, l, 1, 1)
			subscribe(t, l, Subscription{})
			first := soon(t, l, 1)[0]
			lose(t, l, first.Ticket)
			second := soon(t, l, 1)[0]
			for _, v := range []Verdict{VerdictAck, VerdictNack, VerdictExtend} {
				if _, stale := settle(t, l, first.Ticket, v); !stale {
					t.Errorf("the first receiver's %s was taken", v)
				}
			}
			if s, err := l.GetSubscription(bounded(t), "p", "work"); err != nil || s.Unacked != 1 {
				t.Errorf("the second receiver's event: %+v, %v", s, err)
			}
			if name == "its time made shorter" {
				return // by now the second receiver's time may have passed as well
			}
			if _, stale := settle(t, l, second.Ticket, VerdictAck); stale {
				t.Error("the second receiver's ack is stale")
			}
			if s, err := l.GetSubscription(bounded(t), "p", "work"); err != nil || s.Unacked != 0 {
				t.Errorf("after the second receiver's ack: %+v, %v", s, err)
			}
		})
	}
}

// TestGivingBackCanBeRepeated where JetStream did not hear of it: until the event is another's, and nothing else can be done with the ticket.
func TestGivingBackCanBeRepeated(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 1)
	subscribe(t, l, Subscription{AckWait: time.Hour})
	first := soon(t, l, 1)[0].Ticket
	if err := l.spend(bounded(t), "p", first); err != nil { // as by a nack whose second step failed
		t.Fatal(err)
	}
	for _, v := range []Verdict{VerdictAck, VerdictExtend} {
		if _, stale := settle(t, l, first, v); !stale {
			t.Errorf("%s is taken of an event that was given back", v)
		}
	}
	for range 2 {
		if _, stale := settle(t, l, first, VerdictNack); stale {
			t.Error("giving back once more is stale")
		}
	}
	second := soon(t, l, 1)[0]
	if second.Deliveries != 2 {
		t.Errorf("given out %d times", second.Deliveries)
	}
	if _, stale := settle(t, l, first, VerdictNack); !stale {
		t.Error("another's event is given back")
	}
	if _, stale := settle(t, l, second.Ticket, VerdictAck); stale {
		t.Error("the second receiver's ack is stale")
	}
}

func TestATicketGivenBackStaysWorthlessThroughARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	publish(t, l, 1, 1)
	subscribe(t, l, Subscription{})
	first := soon(t, l, 1)[0]
	settle(t, l, first.Ticket, VerdictNack)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, Config{Dir: dir})
	if _, stale := settle(t, l, first.Ticket, VerdictAck); !stale {
		t.Error("a ticket is good again after a restart")
	}
}

// cramped is a log whose server has no room for the dead.
func cramped(t *testing.T) *Log {
	t.Helper()
	return open(t, Config{URL: newExternalOf(t, deadBytes).ClientURL(), MaxBytes: minBytes})
}

func TestAnEventThatCannotBeBuriedHarmsNoOther(t *testing.T) {
	t.Parallel()
	l := cramped(t)
	publish(t, l, 1, 1)
	subscribe(t, l, Subscription{MaxDeliveries: 2})
	for range 2 {
		settle(t, l, soon(t, l, 1)[0].Ticket, VerdictNack)
	}
	publish(t, l, 2, 4)
	var got []uint64
	ctx := bounded(t)
	for len(got) < 3 && ctx.Err() == nil {
		for _, d := range pulled(t, l, 10, 100*time.Millisecond) {
			if d.Deliveries != 1 {
				t.Errorf("event %d was given out %d times", d.Record.Sequence, d.Deliveries)
			}
			got = append(got, d.Record.Sequence)
			settle(t, l, d.Ticket, VerdictAck)
		}
	}
	if !slices.Equal(got, []uint64{2, 3, 4}) {
		t.Errorf("given out: %v", got)
	}
	if s, err := l.GetSubscription(bounded(t), "p", "work"); err != nil || s.Unacked != 1 {
		t.Errorf("the event that cannot be buried is not waiting: %+v, %v", s, err)
	}
}

func TestWhileTooManyAreOutAPullAnswersAtOnce(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, maxUnacked+10)
	subscribe(t, l, Subscription{})
	var last Delivery
	for out := 0; out < maxUnacked; {
		list := soon(t, l, maxPull)
		out, last = out+len(list), list[len(list)-1]
	}
	began := time.Now()
	for range 5 {
		if list := pulled(t, l, 1, 0); len(list) != 0 {
			t.Errorf("given out: %+v", list)
		}
	}
	if took := time.Since(began); took > 20*time.Second { // a pull that waits takes 5 s
		t.Errorf("it took %v", took)
	}
	settle(t, l, last.Ticket, VerdictAck)
	if d := soon(t, l, 1)[0]; d.Record.Sequence != maxUnacked+1 {
		t.Errorf("the next is %d", d.Record.Sequence)
	}
}

func TestAPullThatIsCancelledTakesNothing(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	subscribe(t, l, Subscription{})
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	time.AfterFunc(50*time.Millisecond, cancel)
	if list, err := l.Pull(ctx, "p", "work", 1, time.Minute); !errors.Is(err, context.Canceled) || len(list) != 0 {
		t.Errorf("%d events, %v", len(list), err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v", took)
	}
	publish(t, l, 1, 1)
	if d := soon(t, l, 1)[0]; d.Record.Sequence != 1 || time.Until(d.Ticket.Expires) < 20*time.Second {
		t.Errorf("the next receiver: %+v", d)
	}
}

func TestAPullEndsWithItsSubscription(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	subscribe(t, l, Subscription{})
	ended := make(chan error, 1)
	go func() {
		_, err := l.Pull(t.Context(), "p", "work", 1, time.Minute)
		ended <- err
	}()
	if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("the pull: %v", err)
		}
	case <-bounded(t).Done():
		t.Error("the pull goes on")
	}
}

func TestAPullFindsTheOnlyEventItChooses(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 300)
	for i, typ := range []sdk.EventType{"code.generated", "z.z"} {
		if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent(fmt.Sprint("z", i), typ)}); err != nil {
			t.Fatal(err)
		}
		subscribe(t, l, Subscription{Name: "chooses-" + fmt.Sprint(i), Types: sdk.EventPatterns{sdk.EventPattern(typ)}})
		list, err := l.Pull(bounded(t), "p", "chooses-"+fmt.Sprint(i), 1, 0)
		if err != nil || len(list) != 1 || list[0].Record.Type != typ {
			t.Errorf("%s: %d events, %v", typ, len(list), err)
		}
	}
}

func TestTheDeadAreListedOnceEach(t *testing.T) {
	t.Parallel()
	l := open(t, Config{DedupWindow: time.Second})
	publish(t, l, 1, 2)
	deaths := func() []Dead {
		t.Helper()
		subscribe(t, l, Subscription{MaxDeliveries: 1})
		for _, d := range soon(t, l, 2) {
			settle(t, l, d.Ticket, VerdictNack)
		}
		ctx := bounded(t)
		for {
			pulled(t, l, 2, 0)
			dead, _, err := l.ListDead(bounded(t), "p", "work", 0)
			if err != nil || ctx.Err() != nil {
				t.Fatal(len(dead), err)
			}
			if len(dead) == 2 {
				return dead
			}
		}
	}
	for _, d := range deaths() { // as by a puller that dies before JetStream knows
		if err := l.bury(bounded(t), "p", "work", d.Record, d.Deliveries); err != nil {
			t.Fatal(err)
		}
	}
	if dead, _, err := l.ListDead(bounded(t), "p", "work", 0); err != nil || len(dead) != 2 {
		t.Errorf("buried twice: %d, %v", len(dead), err)
	}
	first, _, err := l.ListDead(bounded(t), "p", "work", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.DeleteSubscription(bounded(t), "p", "work"); err != nil {
		t.Fatal(err)
	}
	if err := l.bury(bounded(t), "p", "work", first[0].Record, 1); err != nil { // as by a puller that is late
		t.Fatal(err)
	}
	subscribe(t, l, Subscription{})
	if dead, _, err := l.ListDead(bounded(t), "p", "work", 0); err != nil || len(dead) != 0 {
		t.Errorf("the dead of one that was deleted: %d, %v", len(dead), err)
	}
	if dead := deaths(); dead[0].Record.Sequence != 1 || dead[1].Record.Sequence != 2 {
		t.Errorf("the dead of a subscription made anew: %+v", dead)
	}
	if err := l.purgeDead(bounded(t), "p", "work", jetstream.WithPurgeKeep(1)); err != nil {
		t.Fatal(err)
	}
	if dead, _, err := l.ListDead(bounded(t), "p", "work", 0); err != nil || len(dead) != 1 {
		t.Errorf("the newest: %d, %v", len(dead), err)
	}
}

func TestASequenceIsTheSameWithItsZeros(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 6)
	for _, from := range []string{"5", "05", "00000000000000000005"} {
		if s := subscribe(t, l, Subscription{From: from}); s.From != "5" {
			t.Errorf("from %s: %+v", from, s)
		}
	}
}

// TestAPositionBeyondTheEndIsOfAnotherLog, for whoever reads, follows or subscribes.
func TestAPositionBeyondTheEndIsOfAnotherLog(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for name, last := range map[string]uint64{"p": 6, "empty": 0} {
		if last > 0 {
			publish(t, l, 1, int(last))
		}
		for _, at := range []uint64{last, last + 1, 1 << 40, 1<<64 - 1} {
			_, read := l.Read(bounded(t), name, Query{From: After(at), Limit: 1})
			f, following := l.Follow(bounded(t), name, Filter{}, After(at))
			if following == nil {
				f.Close()
			}
			_, _, subscribing := l.PutSubscription(bounded(t), name, Subscription{
				Name: fmt.Sprint("s", at), From: strconv.FormatUint(at, 10), MaxDeliveries: 1, AckWait: time.Second,
			})
			for what, err := range map[string]error{"reading": read, "following": following, "subscribing": subscribing} {
				expired, ok := errors.AsType[*sdk.Error](err)
				if ok = ok && expired.Code == sdk.CodeHistoryExpired && expired.FirstSequence == 1; ok != (at > last) || !ok && err != nil {
					t.Errorf("%s after %d of %d: %v", what, at, last, err)
				}
			}
		}
	}
}
