package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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

func TestAStoryGoesOnInALogThatLacksItsMiddle(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	story := aTask("restored")
	tell := func(from, to, acknowledged int) error {
		return l.Tell(bounded(t), "p", string(KindTask), story.ID, acknowledged, chapters(from, to))
	}
	if err := tell(1, 2, 0); err != nil {
		t.Fatal(err)
	}
	if err := tell(6, 6, 4); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("after a gap in what the caller itself knows: %v", err)
	}
	for _, part := range [][3]int{{6, 7, 5}, {6, 8, 5}, {3, 9, 2}} { // the last is late, and from before
		if err := tell(part[0], part[1], part[2]); err != nil {
			t.Errorf("%v: %v", part, err)
		}
	}
	if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &story}}), append(numbered(1, 2), numbered(6, 9)...); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNothingFollowsTheEndOfAStory(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	for name, test := range map[string]struct {
		first, then []sdk.EventType
		from        int // seq of the first of then
		want        int
	}{
		"more progress":                    {[]sdk.EventType{"task.created", "task.failed"}, []sdk.EventType{"task.progress"}, 3, 2},
		"another end":                      {[]sdk.EventType{"task.created", "task.failed"}, []sdk.EventType{"task.progress", "task.completed", "code.generated"}, 2, 2},
		"code after a failure":             {[]sdk.EventType{"task.created", "task.failed"}, []sdk.EventType{"code.generated"}, 3, 2},
		"code after a completion":          {[]sdk.EventType{"task.created", "task.completed"}, []sdk.EventType{"code.generated"}, 3, 3},
		"all of it again":                  {[]sdk.EventType{"task.created", "task.completed"}, []sdk.EventType{"task.created", "task.completed", "code.tested"}, 1, 3},
		"code further on":                  {[]sdk.EventType{"task.created", "task.completed"}, []sdk.EventType{"task.completed", "code.tested"}, 3, 2},
		"something after code":             {[]sdk.EventType{"task.completed", "code.tested"}, []sdk.EventType{"code.reviewed"}, 3, 2},
		"a session":                        {[]sdk.EventType{"session.closed"}, []sdk.EventType{"task.progress"}, 2, 1},
		"a plan":                           {[]sdk.EventType{"plan.cancelled"}, []sdk.EventType{"plan.step"}, 2, 1},
		"after a gap, as if it were there": {[]sdk.EventType{"task.cancelled"}, []sdk.EventType{"task.progress"}, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story := aTask(strings.NewReplacer(" ", "-", ",", "").Replace(name))
			for _, part := range []StoryPart{{Events: typed(1, test.first)}, {Events: typed(test.from, test.then)}} {
				part.Story = story
				if err := l.AppendStory(bounded(t), "p", part); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := ids(t, l, "p", Query{Filter: Filter{Story: &story}}), numbered(1, test.want); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// typed are events of the given types whose seq goes up from a number.
func typed(from int, types []sdk.EventType) (list []sdk.Event) {
	for i, typ := range types {
		list = append(list, told(from+i, typ))
	}
	return list
}
