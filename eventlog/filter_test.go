package eventlog

import (
	"slices"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestFiltersOfASessionAndAPlan: the events of one and of its tasks are chosen by what they carry, in what is kept and in what comes.
func TestFiltersOfASessionAndAPlan(t *testing.T) {
	t.Parallel()
	l := open(t, Config{})
	filters := map[string]Filter{
		"s": {Session: "s"}, "p": {Plan: "p"}, "both": {Session: "s", Plan: "p"}, "another": {Plan: "pp"}, "p's tasks": {Plan: "p", Types: sdk.EventPatterns{"task.*"}},
		"p alone": {Plan: "p", Story: &Story{KindPlan, "p"}},
	}
	want := map[string][]string{
		"s": {"of s", "of both"}, "p": {"p itself", "of p", "of both"}, "both": {"of both"}, "another": {"of pp"}, "p's tasks": {"of p", "of both"}, "p alone": {"p itself"},
	}
	live := map[string]*Follower{}
	for name, f := range filters {
		live[name] = follow(t, l, f, Now())
	}
	for _, one := range []struct {
		story         Story
		session, plan string
		typ           sdk.EventType
		id            string
	}{
		{Story{KindPlan, "p"}, "", "p", sdk.EventPlanCreated, "p itself"},
		{aTask("a"), "s", "", sdk.EventTaskCreated, "of s"},
		{aTask("b"), "", "p", sdk.EventTaskCreated, "of p"},
		{aTask("c"), "", "pp", sdk.EventTaskCreated, "of pp"},
		{aTask("d"), "s", "p", sdk.EventTaskCreated, "of both"},
		{aTask("e"), "", "", sdk.EventTaskCreated, "of none"},
		{aTask("f"), "", "a.b", sdk.EventTaskCreated, "of what is no id"},
	} {
		e := told(1, one.typ)
		e.ID, e.Session, e.Plan = one.id, one.session, one.plan
		if err := l.AppendStory(bounded(t), "p", StoryPart{Story: one.story, Events: []sdk.Event{e}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range filters {
		if got := ids(t, l, "p", Query{Filter: f}); !slices.Equal(got, want[name]) {
			t.Errorf("%s: read %q, want %q", name, got, want[name])
		}
		for _, id := range want[name] {
			r, err := live[name].Next(bounded(t))
			if err != nil {
				t.Fatal(err)
			}
			if e, err := r.Event(); err != nil || e.ID != id {
				t.Errorf("%s: followed %q, want %q: %v", name, e.ID, id, err)
			}
		}
	}
}
