package eventlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// fill publishes events of 10 KiB; a log of the least size keeps about a hundred.
func fill(t *testing.T, l *Log, name string, n int) {
	t.Helper()
	var events []sdk.Event
	for i := range n {
		e := anEvent(fmt.Sprint(name, i), "x.y")
		e.Data = json.RawMessage(`"` + strings.Repeat("x", 10<<10) + `"`)
		events = append(events, e)
	}
	if _, err := l.Append(bounded(t), "p", events); err != nil {
		t.Fatal(err)
	}
}

func TestAReaderThatRetentionOvertakesIsToldSo(t *testing.T) {
	t.Parallel()
	l := open(t, Config{MaxBytes: minBytes})
	const before = 90 // more than one fetch
	fill(t, l, "a", before)
	f := follow(t, l, Filter{}, After(0))
	p, err := l.project("p")
	if err != nil {
		t.Fatal(err)
	}
	s, e, err := p.ensured(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	r := l.newReader(reading{stream: s, subject: everything("p"), upTo: before, created: e.created})
	defer r.close()
	if err := r.open(bounded(t)); err != nil {
		t.Fatal(err)
	}
	r.pending = 10 // so that the first page ends there
	if page, err := r.page(bounded(t)); err != nil || len(page) != 10 {
		t.Fatalf("the first page: %d events, %v", len(page), err)
	}
	fill(t, l, "b", 200)
	if page, err := r.page(bounded(t)); !errors.Is(err, sdk.ErrHistoryExpired) {
		t.Errorf("the page after what is gone: %d events, %v", len(page), err)
	}
	for want := uint64(1); ; want++ {
		r, err := f.Next(bounded(t))
		if errors.Is(err, sdk.ErrHistoryExpired) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Sequence != want {
			t.Fatalf("got %d, want %d or that it is gone", r.Sequence, want)
		}
	}
}

func TestTheFirstIsTheFirstWhenReadingBegins(t *testing.T) {
	t.Parallel()
	l := open(t, Config{MaxBytes: minBytes})
	began := time.Now()
	fill(t, l, "a", 150)
	for name, from := range map[string]Position{"first": First(), "since": Since(began)} {
		f := follow(t, l, Filter{}, from)
		fill(t, l, name, 20)
		last := next(t, f).Sequence
		for range 20 {
			r := next(t, f)
			if r.Sequence != last+1 {
				t.Fatalf("from %s: got %d after %d", name, r.Sequence, last)
			}
			last = r.Sequence
		}
	}
}

func TestAStoryIsNotGoneWithWhatIsAroundIt(t *testing.T) {
	t.Parallel()
	l := open(t, Config{MaxBytes: minBytes})
	story := aTask("a")
	f, all := follow(t, l, Filter{Story: &story}, Now()), follow(t, l, Filter{}, Now())
	const last = 2*followerQueue + 3
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: chapters(1, 3)}); err != nil {
		t.Fatal(err)
	}
	expect(t, f, 1, 3)
	expect(t, all, 1, 3)
	for n := range 30 { // no faster than the log can be followed: else nobody knows whether the story was in what is gone
		fill(t, l, fmt.Sprint("a", n), 10)
		expect(t, all, uint64(10*n+4), uint64(10*n+13))
	}
	for from := 4; from <= last; from += sdk.MaxEventBatch {
		part := StoryPart{Story: story, Events: chapters(from, min(from+sdk.MaxEventBatch-1, last)), Acknowledged: from - 1}
		if err := l.AppendStory(bounded(t), "p", part); err != nil {
			t.Fatal(err)
		}
	}
	for n := 4; n <= last; n++ {
		if r := next(t, f); r.number != n {
			t.Fatalf("got number %d, want %d", r.number, n)
		}
	}
}

func TestWhoFollowsALogThatIsMadeAnewIsToldSo(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 20)
	now, slow := follow(t, l, Filter{}, Now()), follow(t, l, Filter{}, After(5))
	expect(t, slow, 6, 6)
	if err := l.js.DeleteStream(bounded(t), streamName("p")); err != nil {
		t.Fatal(err)
	}
	publish(t, l, 101, 125)
	for name, f := range map[string]*Follower{"at the end": now, "behind": slow} {
		for {
			_, err := f.Next(bounded(t))
			if gone, ok := errors.AsType[*sdk.Error](err); ok && gone.Code == sdk.CodeHistoryExpired && gone.FirstSequence == 1 {
				break
			}
			if err != nil || name == "at the end" {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	expect(t, follow(t, l, Filter{}, After(0)), 1, 25)
}

func TestSinceATimeToComeWaitsForIt(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 2)
	soon := time.Now().Add(300 * time.Millisecond)
	f := follow(t, l, Filter{}, Since(soon))
	var after uint64
	for n := 3; after == 0; n++ {
		late := !time.Now().Before(soon)
		publish(t, l, n, n)
		if late {
			after = uint64(n)
		}
	}
	first := next(t, f)
	if first.at.Before(soon) || first.Sequence > after {
		t.Errorf("the first is %d of %v; %d came after %v", first.Sequence, first.at, after, soon)
	}
}

// TestReadingSinceATimeToComeIsNotTriedAgain: that there is nothing is known from the first answer.
func TestReadingSinceATimeToComeIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 2)
	before := l.nc.Stats().OutMsgs
	if _, err := l.Read(bounded(t), "p", Query{From: Since(time.Now().Add(time.Hour)), Limit: 1}); err != nil {
		t.Error(err)
	}
	if asked := l.nc.Stats().OutMsgs - before; asked != 2 { // what there is, and what comes after the time
		t.Errorf("the server was asked %d times", asked)
	}
}

func TestAReaderThatTheServerForgotGoesOn(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const many = 1000
	publish(t, l, 1, many)
	f := follow(t, l, Filter{}, After(0))
	expect(t, f, 1, 1)
	s, _ := f.project.known()
	if err := s.DeleteConsumer(bounded(t), f.history.consumer.CachedInfo().Name); err != nil {
		t.Fatal(err)
	}
	expect(t, f, 2, many)
}

func TestAReaderSeesThatEventsWereLostOnTheWay(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const many = 1200
	publish(t, l, 1, many)
	for _, lost := range []int{1, 100, many} {
		f := follow(t, l, Filter{}, After(0))
		expect(t, f, 1, 1)
		batch, err := f.history.consumer.FetchNoWait(lost) // they go somewhere else
		if err != nil {
			t.Fatal(err)
		}
		gone := 0
		for range batch.Messages() {
			gone++
		}
		if gone == 0 {
			t.Error("nothing was lost")
		}
		expect(t, f, 2, many)
		f.Close()
	}
}
