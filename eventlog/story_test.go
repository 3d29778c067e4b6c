package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func aTask(id string) Story { return Story{Kind: KindTask, ID: id} }

func chapters(from, to int) (list []sdk.Event) {
	for n := from; n <= to; n++ {
		list = append(list, told(n, sdk.EventTaskProgress))
	}
	return list
}

func numbered(from, to int) (list []string) {
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprintf("t.%d", n))
	}
	return list
}

func TestAStoryIsToldOnce(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	story := aTask("one")
	for _, part := range [][2]int{{1, 2}, {1, 2}, {1, 4}, {3, 3}, {4, 6}, {7, 7}, {2, 7}} {
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: chapters(part[0], part[1])}); err != nil {
			t.Fatalf("%v: %v", part, err)
		}
	}
	if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &story}}), numbered(1, 7); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: chapters(9, 9)}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("an event after a gap: %v", err)
	}
	late := aTask("late")
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: late, Events: chapters(3, 3)}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("a story that begins with a gap: %v", err)
	}
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: late, Events: chapters(4, 4), Acknowledged: 2}); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("a story that goes on after a gap: %v", err)
	}
	for _, part := range [][2]int{{1, 2}, {3, 3}} {
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: late, Events: chapters(part[0], part[1])}); err != nil {
			t.Error(err)
		}
	}
	if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &late}}), numbered(1, 3); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	old := aTask("old") // retention has left nothing of it
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: old, Events: chapters(8, 9), Acknowledged: 7}); err != nil {
		t.Error(err)
	}
	if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &old}}), numbered(8, 9); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAStoryFromManyPlacesAtOnce(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	const stories, length, writers = 5, 12, 4
	var work sync.WaitGroup
	for s := range stories {
		for range writers {
			work.Go(func() {
				for n := 1; n <= length; n++ {
					if err := l.AppendStory(t.Context(), "p", StoryPart{Story: aTask(fmt.Sprint(s)), Events: chapters(max(1, n-2), n)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	work.Wait()
	for s := range stories {
		story := aTask(fmt.Sprint(s))
		if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &story}}), numbered(1, length); !slices.Equal(got, want) {
			t.Errorf("story %d: got %v, want %v", s, got, want)
		}
	}
}

func TestStoriesAreApart(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for _, story := range []Story{aTask("a"), aTask("aa"), {KindSession, "a"}, {KindPlan, "a"}} {
		e := told(1, sdk.EventTaskCreated)
		e.ID = string(story.Kind) + story.ID
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: []sdk.Event{e}}); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, l, "p", Query{Filter: Filter{Story: &story}}); !slices.Equal(got, []string{e.ID}) {
			t.Errorf("story %v: %v", story, got)
		}
	}
	for _, bad := range []Story{{}, {KindTask, ""}, {KindTask, "*"}, {KindTask, "a.b"}, {KindTask, ">"}, {"e", "a"}} {
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: bad, Events: chapters(1, 1)}); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("story %+v: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "*", ">", "p.t", "P", "p p"} {
		if _, err := l.Read(bounded(t), bad, Query{Limit: 1}); !errors.Is(err, sdk.ErrInternal) {
			t.Errorf("project %q: %v", bad, err)
		}
	}
}

func TestTerminalLooksAtTheLastEvent(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	story := aTask("one")
	ends := []sdk.EventType{sdk.EventTaskCompleted, sdk.EventTaskFailed}
	if r, err := l.Terminal(bounded(t), "p", story, ends...); r != nil || err != nil {
		t.Errorf("before anything: %v, %v", r, err)
	}
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: chapters(1, 2)}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Terminal(bounded(t), "p", story, ends...); r != nil || err != nil {
		t.Errorf("before the end: %v, %v", r, err)
	}
	if err := l.AppendStory(bounded(t), "p", StoryPart{Story: story, Events: []sdk.Event{told(3, sdk.EventTaskFailed)}}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Terminal(bounded(t), "p", story, ends...); err != nil || r == nil || r.Type != sdk.EventTaskFailed {
		t.Errorf("after the end: %v, %v", r, err)
	}
}
