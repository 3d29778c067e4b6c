package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func tellPlan(t *testing.T, c *sdk.Client, opts ...sdk.FollowOption) (got []sdk.EventType) {
	t.Helper()
	for e, err := range c.PlanEvents(t.Context(), "pl1", opts...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type)
	}
	return got
}

// TestPlanEventsGoToTheEnd: over cuts, past the ends of its tasks, to the plan's own last event and no further.
func TestPlanEventsGoToTheEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []sdk.EventType{"plan.completed", "plan.failed", "plan.cancelled"} {
		l := &eventLog{stream: func(n int, s *stream) {
			s.begin()
			s.send(2)
			if n%2 == 0 {
				s.cut()
			}
		}}
		c := l.serve(t)
		story := []sdk.EventType{"plan.created", "plan.started", "plan.step", "task.created", "task.completed", "task.failed", "task.cancelled", "plan.step", end}
		l.add(append(story, "code.generated")...)
		var cuts int
		if diff := cmp.Diff(story, tellPlan(t, c, sdk.OnInterruption(func(error) { cuts++ }))); diff != "" || cuts != 4 {
			t.Errorf("after %d cuts: %s", cuts, diff)
		}
		opened := len(l.requests())
		if diff := cmp.Diff(story[6:], tellPlan(t, c, sdk.ResumeAfter("6"), sdk.FromNow(), sdk.LiveOutput(func(sdk.TaskOutput) {}))); diff != "" {
			t.Error(diff)
		}
		if r := l.requests()[opened]; r.URI != "/v1/plans/pl1/events" || r.Header.Get("Last-Event-ID") != sdk.FormatSequence(6) {
			t.Errorf("resumed with %s after %q", r.URI, r.Header.Get("Last-Event-ID"))
		}
	}
}

// TestPlanWithoutAStory: a service that ends the stream at once, and once more, has nothing to tell, of a plan that has ended.
func TestPlanWithoutAStory(t *testing.T) {
	t.Parallel()
	looks := 0
	l := &eventLog{
		stream: func(_ int, s *stream) { s.begin() },
		other: func(w http.ResponseWriter, r *http.Request) {
			looks++
			status := sdk.StatusRunning
			if looks == 1 || looks >= 3 { // else the stream was cut
				status = sdk.StatusCompleted
			}
			if err := json.NewEncoder(w).Encode(sdk.Plan{ID: "pl1", Status: status}); err != nil || r.URL.Path != "/v1/plans/pl1" {
				t.Errorf("%s: %v", r.URL, err)
			}
		},
	}
	if got := tellPlan(t, l.serve(t)); len(got) != 0 || looks != 4 || len(l.requests()) != 4 {
		t.Errorf("%v after %d looks and %d streams", got, looks, len(l.requests()))
	}
	l = &eventLog{
		stream: func(_ int, s *stream) { s.begin() },
		other:  func(w http.ResponseWriter, _ *http.Request) { refuse(w, sdk.Errorf(sdk.CodeNotFound, "no plan pl1")) },
	}
	for _, err := range l.serve(t).PlanEvents(t.Context(), "pl1") {
		if !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("a plan that is gone: %v", err)
		}
	}
}

// TestPlanEventsOutOfPlace are told where the log has something later already: each says after which place to go on.
func TestPlanEventsOutOfPlace(t *testing.T) {
	t.Parallel()
	l := &eventLog{stream: func(_ int, s *stream) {
		s.begin()
		s.send(1)
		s.write("event: task.completed\ndata: {\"specversion\":\"1.0\",\"type\":\"task.completed\"}\n\n")
		s.write("id: 7\nevent: plan.completed\ndata: {\"specversion\":\"1.0\",\"type\":\"plan.completed\"}\n\n")
	}}
	c := l.serve(t)
	l.add("plan.created")
	var got []string
	for e, err := range c.PlanEvents(t.Context(), "pl1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Type)+" "+strings.TrimLeft(e.Sequence, "0"))
	}
	if diff := cmp.Diff([]string{"plan.created 1", "task.completed 1", "plan.completed 7"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestPlanEventsOutOfPlaceAreToldOnce: who is cut off while the plan's end is put off goes on before it, and is told some once more.
func TestPlanEventsOutOfPlaceAreToldOnce(t *testing.T) {
	t.Parallel()
	frame := func(place, id, typ string) string {
		if place != "" {
			place = "id: " + place + "\n"
		}
		return fmt.Sprintf("%sevent: %s\ndata: {\"specversion\":\"1.0\",\"source\":%q,\"id\":%q,\"type\":%q}\n\n", place, typ, "/"+id[:1], id[1:], typ)
	}
	l := &eventLog{stream: func(n int, s *stream) {
		s.begin()
		switch n {
		case 0:
			s.write(frame("1", "p1", "plan.created") + frame("5", "a1", "task.created") + frame("", "a2", "task.progress"))
			s.cut()
		case 1, 2:
			s.write(frame("", "a1", "task.created") + frame("", "a2", "task.progress") + frame("", "b1", "task.created") + frame("", "a3", "task.completed"))
			s.cut()
		default:
			s.write(frame("", "a1", "task.created") + frame("", "a2", "task.progress") + frame("", "b1", "task.created") + frame("", "a3", "task.completed"))
			s.write(frame("", "b2", "task.failed") + frame("9", "p2", "plan.failed"))
		}
	}}
	var got []string
	for e, err := range l.serve(t).PlanEvents(t.Context(), "pl1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Source+e.ID+" "+strings.TrimLeft(e.Sequence, "0"))
	}
	if diff := cmp.Diff([]string{"/p1 1", "/a1 5", "/a2 5", "/b1 5", "/a3 5", "/b2 5", "/p2 9"}, got); diff != "" {
		t.Error(diff)
	}
	if opened := l.requests(); len(opened) != 4 || opened[3].Header.Get("Last-Event-ID") != sdk.FormatSequence(5) {
		t.Errorf("%d streams", len(opened))
	}
}
