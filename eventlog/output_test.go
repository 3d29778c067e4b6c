package eventlog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestOutputReachesThoseWhoFollowItsTask(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	own, other := followOutput(t, l, "p", "a"), followOutput(t, l, "q", "a")
	publishOutput(t, l, "p", "a", "1")
	publishOutput(t, l, "q", "a", "2")
	for o, want := range map[*Output]string{own: "1", other: "2"} {
		select {
		case got := <-o.C():
			if string(got) != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case <-bounded(t).Done():
			t.Fatal("nothing came")
		}
	}
	for _, id := range []string{"*", ">", "a.b", ""} {
		if _, err := l.FollowOutput("p", id); err == nil {
			t.Errorf("%q is followed", id)
		}
		if err := l.PublishOutput("p", id, nil); err == nil {
			t.Errorf("output of %q is taken", id)
		}
	}
}

// TestOutputIsDroppedForWhoDoesNotRead: and nobody waits.
func TestOutputIsDroppedForWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	slow, last := followOutput(t, l, "p", "a"), followOutput(t, l, "p", "b")
	for range outputQueue + 10 {
		publishOutput(t, l, "p", "a", "x")
	}
	publishOutput(t, l, "p", "b", "end")
	select {
	case <-last.C():
	case <-bounded(t).Done():
		t.Fatal("nothing came")
	}
	until(t, func() bool { return slow.Dropped() == 10 })
	if len(slow.queue) != outputQueue {
		t.Errorf("%d wait", len(slow.queue))
	}
}

func followOutput(t *testing.T, l *Log, project, task string) *Output {
	t.Helper()
	o, err := l.FollowOutput(project, task)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func publishOutput(t *testing.T, l *Log, project, task, data string) {
	t.Helper()
	if err := l.PublishOutput(project, task, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestEventsAreKnownByTheirKeys(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	first, err := l.AppendKeyed(bounded(t), "p", []sdk.Event{anEvent("a", "x.y"), anEvent("b", "x.y")}, []string{"", "k"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.AppendKeyed(bounded(t), "p", []sdk.Event{anEvent("c", "x.y"), anEvent("d", "x.y"), anEvent("a", "x.y")}, []string{"k", "l"})
	if err != nil {
		t.Fatal(err)
	}
	if !again[0].Duplicate || again[0].Sequence != first[1].Sequence || again[1].Duplicate || !again[2].Duplicate {
		t.Errorf("%+v after %+v", again, first)
	}
	if got := strings.Join(ids(t, l, "p", Query{}), " "); got != "a b d" {
		t.Errorf("kept: %s", got)
	}
}

// TestOriginsAreApart: two programs with the same key of the API may number their events alike.
func TestOriginsAreApart(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	one, two := anEvent("1", "x.y"), anEvent("1", "x.y")
	one.OriginSource, two.OriginSource = "/a", "/b"
	acks, err := l.Append(bounded(t), "p", []sdk.Event{one, two})
	if err != nil || acks[0].Duplicate || acks[1].Duplicate {
		t.Errorf("%+v, %v", acks, err)
	}
}

// TestTextIsKeptAsItIs: code is full of what JSON for web pages escapes, and would not fit.
func TestTextIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	e := anEvent("1", "x.y")
	e.Data = json.RawMessage(`"` + strings.Repeat("<", sdk.MaxEventData-2) + `"`)
	if _, err := l.Append(bounded(t), "p", []sdk.Event{e, anEvent("2", "x.y")}); err != nil {
		t.Fatal(err)
	}
	page, err := l.Read(bounded(t), "p", Query{Limit: 10, Bytes: 1000})
	if err != nil || len(page.Records) != 1 || !page.More || page.Next != 1 {
		t.Fatalf("%d records, %+v, %v", len(page.Records), page.More, err)
	}
	if r := page.Records[0]; !bytes.Contains(r.Data, e.Data) || !bytes.Equal(r.JSON(), r.AppendJSON(nil)) {
		t.Error("the event is not what was appended")
	}
}

func TestReadyAnswersWhatIsAtHand(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	publish(t, l, 1, 10)
	f := follow(t, l, Filter{}, First())
	if f.Ready() != nil {
		t.Error("it answers what is not read yet")
	}
	got := []uint64{next(t, f).Sequence}
	for r := f.Ready(); r != nil; r = f.Ready() {
		got = append(got, r.Sequence)
	}
	for len(got) < 10 {
		got = append(got, next(t, f).Sequence)
	}
	publish(t, l, 11, 20)
	until(t, func() bool { return len(f.queue) == 10 })
	if r := f.Ready(); r != nil { // Next has to say first that the history is over
		t.Errorf("event %d before the history is over", r.Sequence)
	}
	got = append(got, next(t, f).Sequence)
	for r := f.Ready(); r != nil; r = f.Ready() {
		got = append(got, r.Sequence)
	}
	for i, sequence := range got {
		if sequence != uint64(i+1) {
			t.Fatalf("got %v", got)
		}
	}
	if len(got) != 20 {
		t.Errorf("got %d events", len(got))
	}
}

// until waits for a fact.
func until(t *testing.T, fact func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := bounded(t); !fact(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not come to be")
		}
	}
}
