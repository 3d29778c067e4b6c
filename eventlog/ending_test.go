package eventlog

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestAStoryIsEndedOnce by whoever comes first of many, while its own writer goes on.
func TestAStoryIsEndedOnce(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	story := aTask("one")
	var work sync.WaitGroup
	var wrote atomic.Int64
	work.Go(func() {
		if err := l.AppendStory(t.Context(), "p", StoryPart{Story: story, Events: chapters(1, 20)}); err != nil && !errors.Is(err, sdk.ErrConflict) {
			t.Error(err)
		}
	})
	for range 8 {
		work.Go(func() {
			n, err := l.EndStory(t.Context(), "p", story, func(last LastEvent) []sdk.Event {
				if last.Type == sdk.EventTaskFailed {
					return nil
				}
				return []sdk.Event{told(last.Seq+1, sdk.EventTaskFailed)}
			})
			if err != nil {
				t.Error(err)
			}
			wrote.Add(int64(n))
		})
	}
	work.Wait()
	got := ids(t, l, "p", Query{Filter: Filter{Story: &story}})
	if !slices.Equal(got, numbered(1, len(got))) {
		t.Errorf("the story is %v", got)
	}
	ends := ids(t, l, "p", Query{Filter: Filter{Story: &story, Types: sdk.EventPatterns{"task.failed"}}})
	if int(wrote.Load()) != len(ends) || len(ends) == 0 {
		t.Errorf("%d were written, the log has %v", wrote.Load(), ends)
	}
}

func TestEndStoryRefusesAGap(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	skip := func(last LastEvent) []sdk.Event { return []sdk.Event{told(last.Seq+2, sdk.EventTaskFailed)} }
	if n, err := l.EndStory(bounded(t), "p", aTask("one"), skip); n != 0 || err == nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if n, err := l.EndStory(bounded(t), "p", aTask("one"), func(LastEvent) []sdk.Event { return nil }); n != 0 || err != nil {
		t.Errorf("nothing more: wrote %d, %v", n, err)
	}
	if n, err := l.EndStory(bounded(t), "p", Story{Kind: KindTask, ID: "a b"}, skip); n != 0 || err == nil {
		t.Errorf("no story: wrote %d, %v", n, err)
	}
}

// TestEndStoryTellsSinceWhenTheLogIsWhole: of a story that it has nothing of.
func TestEndStoryTellsSinceWhenTheLogIsWhole(t *testing.T) {
	t.Parallel()
	l := open(t, Config{MaxBytes: minBytes})
	var oldest, first time.Time
	look := func() {
		t.Helper()
		if _, err := l.EndStory(bounded(t), "p", aTask("one"), func(last LastEvent) []sdk.Event {
			if last.Seq != 0 || last.Type != "" {
				t.Errorf("%+v", last)
			}
			oldest, first = last.Oldest, last.Began
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	look()
	if !oldest.IsZero() || !first.IsZero() {
		t.Errorf("a log without events is whole since %s, and takes them since %s", oldest, first)
	}
	began := time.Now()
	for i := range 8 {
		e := anEvent(string(rune('a'+i)), "x.y")
		e.Data = json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)
		if _, err := l.Append(bounded(t), "p", []sdk.Event{e}); err != nil {
			t.Fatal(err)
		}
		if look(); i == 0 && !oldest.IsZero() {
			t.Errorf("with everything it is whole since %s", oldest)
		}
		if first.Before(began) || first.After(time.Now()) {
			t.Errorf("it takes events since %s, and was begun at %s", first, began)
		}
	}
	if !oldest.After(began) || oldest.After(time.Now()) {
		t.Errorf("it is whole since %s, and was begun at %s", oldest, began)
	}
}

func TestARecordsStory(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]Story{
		"rc.p.t.one": aTask("one"), "rc.p.s.two": {Kind: KindSession, ID: "two"}, "rc.p.s.a.b": {}, "rc.p.e.code.done": {}, "rc.p": {}, "rc.p.t.": {},
	} {
		got, ok := (&Record{subject: subject}).Story()
		if ok != (want != Story{}) || ok && got != want {
			t.Errorf("%s: %+v, %v", subject, got, ok)
		}
	}
}
