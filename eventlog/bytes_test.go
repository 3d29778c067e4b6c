package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rolecall-dev/rolecall/sdk"
)

// publishLarge appends events that are about as large as any.
func publishLarge(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		e := anEvent(fmt.Sprint("large", i), "x.y")
		e.Data = json.RawMessage(`"` + strings.Repeat("x", sdk.MaxEventData-2) + `"`)
		if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPullOfLargeEventsIsShort(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const large, all = 40, 60
	publishLarge(t, l, 1, large)
	publish(t, l, large+1, all)
	subscribe(t, l, Subscription{})
	place, short := uint64(0), 0
	for place < all {
		list, bytes := pulled(t, l, 100, 0), 0
		for _, d := range list {
			if place++; d.Record.Sequence != place || d.Deliveries != 1 {
				t.Fatalf("event %d for the %d. time, want %d", d.Record.Sequence, d.Deliveries, place)
			}
			bytes += len(d.Record.Data)
		}
		if bytes > pullBytes || len(list) == 0 {
			t.Fatalf("%d events of %d bytes in one pull", len(list), bytes)
		}
		short++
	}
	if short != 3 {
		t.Errorf("%d pulls, want two of large events and one of the rest", short)
	}
}

// failsLater is a consumer whose second fetch fails.
type failsLater struct {
	jetstream.Consumer
	fetches int
}

func (f *failsLater) FetchNoWait(most int) (jetstream.MessageBatch, error) {
	if f.fetches++; f.fetches == 2 {
		return nil, errors.New("away")
	}
	return f.Consumer.FetchNoWait(most)
}

// TestAPullGivesOutWhatCameBeforeAnError: given back, it would have been given out once more than it was.
func TestAPullGivesOutWhatCameBeforeAnError(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const all = 40
	publish(t, l, 1, all)
	subscribe(t, l, Subscription{})
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := p.find(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	s, c, err := l.subscription(bounded(t), stream, "work")
	if err != nil {
		t.Fatal(err)
	}
	turn := pull{log: l, project: "p", of: s, consumer: &failsLater{Consumer: c}, most: all}
	list, err := turn.run(bounded(t), 0)
	if err != nil || len(list) != pullBytes/largestEvent {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i, d := range append(list, pulled(t, l, 100, 0)...) {
		if d.Record.Sequence != uint64(i+1) || d.Deliveries != 1 {
			t.Errorf("event %d for the %d. time, want %d", d.Record.Sequence, d.Deliveries, i+1)
		}
	}
}

// TestAFollowerHoldsFewBytes of what it has not answered, in its queue and while it catches up.
func TestAFollowerHoldsFewBytes(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	slow, fast := follow(t, l, Filter{}, Now()), follow(t, l, Filter{}, Now())
	const all = 20
	for i := 1; i <= all; i++ {
		publishLarge(t, l, i, i)
		expect(t, fast, uint64(i), uint64(i))
	}
	if got := slow.queued.Load(); got > followerBytes || slow.missed.Load() == 0 {
		t.Errorf("%d bytes are in its queue", got)
	}
	for want := uint64(1); want <= all; want++ {
		expect(t, slow, want, want)
		held := 0
		for _, r := range slow.page {
			held += len(r.Data)
		}
		if held > followBytes {
			t.Errorf("%d bytes are in its page", held)
		}
	}
	if got := slow.queued.Load(); got != 0 {
		t.Errorf("%d bytes in an empty queue", got)
	}
	catching := follow(t, l, Filter{}, First())
	expect(t, catching, 1, all)
}

// TestNoEventIsLargerThanTheLargest: who reads counts on it.
func TestNoEventIsLargerThanTheLargest(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	e := anEvent("one", "x.y")
	e.Data, e.Subject = json.RawMessage(`"`+strings.Repeat("x", sdk.MaxEventData-2)+`"`), strings.Repeat("x", 33<<10)
	if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); !errors.Is(err, sdk.ErrPayloadTooLarge) {
		t.Errorf("%v", err)
	}
	e.Subject = strings.Repeat("\"", sdk.MaxEventSubject)
	if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
		t.Error(err)
	}
}

// TestAReaderMakesRoomForAnyMessage, also for one that is larger than its fetches, and for that alone.
func TestAReaderMakesRoomForAnyMessage(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const large, all, room = 2, 40, 1 << 10
	publishLarge(t, l, 1, large)
	publish(t, l, large+1, all)
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	s, e, err := p.ensured(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	r := l.newReader(reading{stream: s, subject: everything("p"), upTo: all, created: e.created, bytes: room})
	defer r.close()
	for read := 0; read < all; {
		page, err := r.page(bounded(t))
		if err != nil || len(page) == 0 {
			t.Fatalf("after %d: %d events, %v", read, len(page), err)
		}
		bytes := 0
		for _, one := range page {
			bytes += len(one.Data)
		}
		if read += len(page); bytes > room && len(page) > 1 {
			t.Errorf("%d events of %d bytes in a page, up to %d", len(page), bytes, read)
		}
	}
}
