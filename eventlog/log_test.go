package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const patience = 30 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open opens an embedded log in dir, which is closed at the test's end.
func open(t *testing.T, cfg Config) *Log {
	t.Helper()
	if cfg.Dir == "" && cfg.URL == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Logger = quiet()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := l.Await(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return l
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func anEvent(id string, typ sdk.EventType) sdk.Event {
	return sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: id, Source: "key/test", Type: typ, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Data: json.RawMessage(`{"n":1}`),
	}
}

func told(n int, typ sdk.EventType) sdk.Event {
	e := anEvent(fmt.Sprintf("t.%d", n), typ)
	e.Seq = n
	return e
}

// ids reads every kept event that q chooses, page by page.
func ids(t *testing.T, l *Log, project string, q Query) []string {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 7
	}
	var all []string
	for {
		page, err := l.Read(bounded(t), project, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			e, err := r.Event()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.ID)
		}
		if !page.More {
			return all
		}
		q.From = After(page.Next)
	}
}

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	ctx := bounded(t)
	var want []string
	for i := range 20 {
		typ := sdk.EventType([]string{"build.done", "code.generated"}[i%2])
		e := anEvent(fmt.Sprintf("e%02d", i), typ)
		e.Subject = fmt.Sprintf("thing/%d", i%3)
		acks, err := l.Append(ctx, "p", []sdk.Event{e})
		if err != nil {
			t.Fatal(err)
		}
		if acks[0] != (Ack{ID: e.ID, Sequence: uint64(i + 1)}) {
			t.Fatalf("ack %d: %+v", i, acks[0])
		}
		want = append(want, e.ID)
	}
	for name, test := range map[string]struct {
		q    Query
		keep func(i int) bool
	}{
		"all":               {Query{}, func(int) bool { return true }},
		"after":             {Query{From: After(5)}, func(i int) bool { return i >= 5 }},
		"type":              {Query{Filter: Filter{Types: sdk.EventPatterns{"build.done"}}}, func(i int) bool { return i%2 == 0 }},
		"family":            {Query{Filter: Filter{Types: sdk.EventPatterns{"code.*"}}}, func(i int) bool { return i%2 == 1 }},
		"two types":         {Query{Filter: Filter{Types: sdk.EventPatterns{"code.*", "build.*"}}}, func(int) bool { return true }},
		"subject":           {Query{Filter: Filter{Subject: "thing/2"}}, func(i int) bool { return i%3 == 2 }},
		"type of none":      {Query{Filter: Filter{Types: sdk.EventPatterns{"deploy.done"}}}, func(int) bool { return false }},
		"after the last":    {Query{From: After(20)}, func(int) bool { return false }},
		"the newest":        {Query{Newest: 6}, func(i int) bool { return i >= 14 }},
		"fewer than newest": {Query{From: After(18), Newest: 6}, func(i int) bool { return i >= 18 }},
		"since long ago":    {Query{From: Since(time.Now().Add(-time.Hour))}, func(int) bool { return true }},
		"until long ago":    {Query{Until: time.Now().Add(-time.Hour)}, func(int) bool { return false }},
		"since now":         {Query{From: Since(time.Now().Add(time.Hour))}, func(int) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var keep []string
			for i, id := range want {
				if test.keep(i) {
					keep = append(keep, id)
				}
			}
			if got := ids(t, l, "p", test.q); !slices.Equal(got, keep) {
				t.Errorf("got %v, want %v", got, keep)
			}
		})
	}
	for newest, cut := range map[uint64]bool{0: false, 19: true, 20: false, 21: false} {
		if page, err := l.Read(ctx, "p", Query{Newest: newest, Limit: 1}); err != nil || page.Cut != cut {
			t.Errorf("the newest %d: %+v, %v", newest, page, err)
		}
	}
	if got := ids(t, l, "other", Query{}); len(got) != 0 {
		t.Errorf("another project has %v", got)
	}
}

func TestRecordsAreEventsWithTheirSequence(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	e := anEvent("e", "build.done")
	if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
		t.Fatal(err)
	}
	page, err := l.Read(bounded(t), "p", Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	var wire sdk.Event
	if err := json.Unmarshal(page.Records[0].JSON(), &wire); err != nil {
		t.Fatal(err)
	}
	if wire.Sequence != "00000000000000000001" || wire.ID != "e" || string(wire.Data) != `{"n":1}` {
		t.Errorf("on the wire: %s", page.Records[0].JSON())
	}
}

func TestTheSameSourceAndIDIsOneEvent(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	first, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("a", "x.y"), anEvent("b", "x.y")})
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("b", "x.y"), anEvent("c", "x.y"), anEvent("c", "x.y")})
	if err != nil {
		t.Fatal(err)
	}
	want := []Ack{{"b", first[1].Sequence, true}, {"c", 3, false}, {"c", 3, true}}
	if !slices.Equal(again, want) {
		t.Errorf("got %+v, want %+v", again, want)
	}
	other := anEvent("a", "x.y")
	other.Source = "key/other"
	if acks, err := l.Append(bounded(t), "p", []sdk.Event{other}); err != nil || acks[0].Duplicate {
		t.Errorf("another source's event is %+v, %v", acks, err)
	}
}

func TestAppendsAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const writers, each = 20, 30
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range each {
				if _, err := l.Append(t.Context(), "p", []sdk.Event{anEvent(fmt.Sprintf("%d-%d", w, i), "x.y"), anEvent("always the same", "x.y")}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	got := ids(t, l, "p", Query{Limit: 100})
	if len(got) != writers*each+1 {
		t.Fatalf("%d events, want %d", len(got), writers*each+1)
	}
	last := map[string]int{}
	for _, id := range got {
		var w string
		var i int
		if before, after, ok := strings.Cut(id, "-"); ok {
			w = before
			if _, err := fmt.Sscan(after, &i); err != nil {
				t.Fatal(err)
			}
			if i != last[w] {
				t.Fatalf("writer %s: %d after %d", w, i, last[w])
			}
			last[w]++
		}
	}
}

func TestWhatIsAcknowledgedOutlivesTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	if _, err := Open(t.Context(), Config{Dir: dir, Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "held by another process") {
		t.Errorf("a second log in the same directory: %v", err)
	}
	if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("a", "x.y")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(bounded(t), "p", []sdk.Event{anEvent("b", "x.y")}); !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("append to a closed log: %v", err)
	}
	again := open(t, Config{Dir: dir})
	if got := ids(t, again, "p", Query{}); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after opening again: %v", got)
	}
}

func TestAReadFromBeforeTheFirstKeptEventSaysSo(t *testing.T) {
	t.Parallel()
	l := open(t, Config{MaxBytes: minBytes})
	e := anEvent("", "x.y")
	e.Data = json.RawMessage(`"` + strings.Repeat("x", 100<<10) + `"`)
	for i := range 20 {
		e.ID = fmt.Sprint(i)
		if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := l.Read(bounded(t), "p", Query{From: After(0), Limit: 1})
	gone, ok := errors.AsType[*sdk.Error](err)
	if !ok || !errors.Is(err, sdk.ErrHistoryExpired) || gone.FirstSequence < 2 {
		t.Fatalf("reading from the beginning: %+v", err)
	}
	if _, err := l.Follow(bounded(t), "p", Filter{}, After(0)); !errors.Is(err, sdk.ErrHistoryExpired) {
		t.Errorf("following from the beginning: %v", err)
	}
	if _, err := l.Read(bounded(t), "p", Query{From: After(gone.FirstSequence - 1), Limit: 1}); err != nil {
		t.Errorf("reading after %d: %v", gone.FirstSequence-1, err)
	}
	if got := ids(t, l, "p", Query{}); len(got) == 0 || got[len(got)-1] != "19" {
		t.Errorf("reading the first that is kept: %v", got)
	}
}
