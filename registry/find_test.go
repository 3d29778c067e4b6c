package registry

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// found is who was found for so many tasks, and for how many each.
func (s *server) found(tasks int, except ...string) map[string]int {
	s.t.Helper()
	by := map[string]int{}
	for range tasks {
		id, err := s.Find(bounded(s.t), "shop", "coder", []string{"go"}, except)
		if err != nil {
			s.t.Fatal(err)
		}
		by[id]++
	}
	return by
}

func slots(n int) func(*sdk.AgentRequest) { return func(q *sdk.AgentRequest) { q.Slots = n } }

// TestFindSpreadsWhatWaits: of the tasks that look at the same time each agent gets as many as it has slots, before any has more.
func TestFindSpreadsWhatWaits(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	for id, n := range map[string]int{"a": 1, "b": 2, "c": 5, "d": 1} {
		s.register(id, addressable, slots(n))
	}
	s.beat("c", sdk.AgentHeartbeat{CurrentTasks: []string{"t1", "t2"}})
	s.beat("d", sdk.AgentHeartbeat{Status: sdk.AgentBusy})
	c.pass(time.Second)
	s.shared.drop("shop")
	if d := cmp.Diff(map[string]int{"a": 1, "b": 2, "c": 3}, s.found(6)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, s.found(4)); d != "" {
		t.Error("more than there are slots:", d)
	}
	if d := cmp.Diff(map[string]int{"b": 2, "d": 2}, s.found(4, "a", "c")); d != "" {
		t.Error("without two of them:", d)
	}
	c.pass(handedFor)
	if d := cmp.Diff(map[string]int{"a": 1, "b": 2, "c": 3}, s.found(6)); d != "" {
		t.Error("who has not taken what it was found for is as free as before:", d)
	}
	c.pass(time.Second)
	s.beat("a", sdk.AgentHeartbeat{CurrentTasks: []string{}})
	s.shared.drop("shop")
	if d := cmp.Diff(map[string]int{"a": 1}, s.found(1)); d != "" {
		t.Error("who says that it has nothing:", d)
	}
}

// TestFindChoosesAmongEquals: several servers that know nothing of each other do not all find the same one.
func TestFindChoosesAmongEquals(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", newClock())
	for i := range 8 {
		s.register(fmt.Sprintf("a%d", i), addressable)
	}
	s.shared.drop("shop")
	by := map[string]int{}
	for range 100 {
		s.Registry.handed = newHanded()
		maps.Copy(by, s.found(1))
	}
	if len(by) < 4 { // by luck: once in 10^28
		t.Errorf("of 8 equals %v were found", slices.Sorted(maps.Keys(by)))
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.register("a", addressable, slots(2))
	s.register("b", addressable)
	s.register("c")
	s.register("d", addressable, func(q *sdk.AgentRequest) { q.Capabilities = nil })
	s.register("e", addressable)
	s.beat("b", sdk.AgentHeartbeat{CurrentTasks: []string{"t"}})
	s.shared.drop("shop")
	free := func() []string {
		s.t.Helper()
		ids, err := s.Free(bounded(t), "shop", "coder", []string{"go"}, []string{"a", "b", "c", "d", "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(slices.Values(ids))
	}
	if got := free(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%q", got)
	}
	c.pass(time.Second)
	s.found(2, "e")
	if got := free(); len(got) != 0 {
		t.Errorf("after it was found twice: %q", got)
	}
	s.beat("b", sdk.AgentHeartbeat{CurrentTasks: []string{}})
	s.shared.drop("shop")
	if got := free(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("once one has ended: %q", got)
	}
}

func TestHandedIsBounded(t *testing.T) {
	t.Parallel()
	h, now := newHanded(), newClock().now()
	for range 2 * handedTo {
		h.note("a", now)
	}
	if n := h.since("a", now, now); n != handedTo {
		t.Errorf("%d are remembered", n)
	}
	for i := range maxHanded {
		h.note(fmt.Sprint(i), now.Add(handedFor))
	}
	if len(h.to) > maxHanded || h.since("a", now, now) != 0 || h.since("5", now, now.Add(handedFor)) != 1 {
		t.Errorf("%d agents are remembered", len(h.to))
	}
	for i := range maxHanded {
		h.note(fmt.Sprint("b", i), now.Add(handedFor))
	}
	if len(h.to) > maxHanded {
		t.Errorf("%d agents are remembered at once", len(h.to))
	}
}
