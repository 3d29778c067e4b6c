package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlanStreamOfAnEarlyEnd: the log has a plan's end before the end of its tasks' stories, as when it was away, and of one task before
// anything. The reader is told of all, the plan's end last, also one who goes on from any event before, and one who was cut off between them.
func TestPlanStreamOfAnEarlyEnd(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	p := h.plan.ID
	live := h.stream(t).begun()
	h.tells(t, p, "", sdk.EventPlanCreated, `{}`)
	h.tells(t, p, "early", sdk.EventTaskCreated, `{"type":"code.write"}`) // of which the plan tells later
	h.tells(t, p, "early", sdk.EventTaskFailed, `{"type":"code.write"}`)
	h.steps(t, "a", sdk.StepReady, sdk.StepRunning, "early")
	h.steps(t, "b", sdk.StepReady, sdk.StepRunning, "mine")
	h.tells(t, p, "mine", sdk.EventTaskCreated, `{"type":"code.write"}`)
	h.steps(t, "c", sdk.StepReady, sdk.StepRunning, "late")
	begun := live.some(7)
	h.tells(t, p, "", sdk.EventPlanCompleted, `{}`)
	var cut []*streaming // who goes on while the end is put off
	for _, f := range begun {
		cut = append(cut, h.stream(t, headerLastEventID, f.id).begun())
	}
	h.tells(t, p, "mine", sdk.EventTaskCompleted, `{"type":"code.write"}`)
	between := live.some(1)
	h.tells(t, p, "late", sdk.EventTaskCreated, `{"type":"my.check"}`)
	h.tells(t, p, "mine", sdk.EventCodeGenerated, `{}`) // which follows a completion of its type
	h.tells(t, p, "late", sdk.EventTaskCompleted, `{"type":"my.check"}`)
	if between[0].id != "" {
		t.Errorf("what is told in place of the end comes with %s, which was told before", between[0].id)
	}
	whole := placed("", append(append(begun, between...), live.toTheEnd()...))
	if got, want := namesOf(whole[7:]), "task.completed task.created code.generated task.completed plan.completed"; got != want {
		t.Fatal(got)
	}
	last := whole[len(whole)-1]
	for _, f := range whole[7:] {
		if e := eventOf(t, f.data); e.Sequence != "" {
			t.Errorf("%s says that it is at %s, after which nobody may go on", f.event, e.Sequence)
		}
		if f != last && f.id >= last.id {
			t.Errorf("%s at %s, the end at %s", f.event, f.id, last.id)
		}
	}
	if diff := cmp.Diff(whole, placed("", h.stream(t).begun().toTheEnd()), cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("afterwards: %s", diff)
	}
	for i, st := range cut {
		for _, st := range []*streaming{st, h.stream(t, headerLastEventID, whole[i].id).begun()} {
			if diff := cmp.Diff(whole[i+1:], placed(whole[i].id, st.toTheEnd()), cmp.AllowUnexported(frame{})); diff != "" {
				t.Errorf("after %s: %s", whole[i].event, diff)
			}
		}
	}
	again := placed(whole[8].id, h.stream(t, headerLastEventID, whole[8].id).begun().toTheEnd())
	if diff := cmp.Diff(whole[7:], again, cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("between the two: %s", diff)
	}
	h.stream(t, headerLastEventID, last.id).want(http.StatusNoContent)
}

// newUntoldPlan is a plan that has failed, of whose task the log never gets anything.
func newUntoldPlan(t *testing.T, patience time.Duration) *heldPlan {
	t.Helper()
	h := newHeldPlan(t)
	h.server.times.heartbeat, h.server.times.patience = 50*time.Millisecond, patience
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{}`)
	h.steps(t, "a", sdk.StepReady, sdk.StepRunning, "never")
	h.tells(t, h.plan.ID, "", sdk.EventPlanFailed, `{}`)
	return h
}

// TestPlanStreamOfATaskWithoutEnd: a plan's end waits for a task's story no longer than the server has patience.
func TestPlanStreamOfATaskWithoutEnd(t *testing.T) {
	t.Parallel()
	began := time.Now()
	h := newUntoldPlan(t, 200*time.Millisecond)
	if got := strings.Fields(namesOf(h.stream(t).begun().toTheEnd())); strings.Join(got, " ") != "plan.created plan.step plan.failed" || time.Since(began) < 200*time.Millisecond {
		t.Errorf("%s after %s", got, time.Since(began))
	}
}

// TestPlanStreamOfLatePlanning: the end of a plan names the tasks of its planning, of which the log may have nothing yet.
func TestPlanStreamOfLatePlanning(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	p := h.plan.ID
	h.tells(t, p, "", sdk.EventPlanCreated, `{"steps":0}`)
	h.tells(t, p, "one", sdk.EventTaskCreated, `{}`)
	h.tells(t, p, "one", sdk.EventTaskCancelled, `{}`)
	h.tells(t, p, "", sdk.EventPlanFailed, `{"planningTaskIds":["one","two"]}`)
	st := h.stream(t).begun()
	told := st.some(3)
	h.tells(t, p, "two", sdk.EventTaskCreated, `{}`)
	h.tells(t, p, "two", sdk.EventTaskFailed, `{}`)
	if got := namesOf(append(told, st.toTheEnd()...)); got != "plan.created task.created task.cancelled task.created task.failed plan.failed" {
		t.Error(got)
	}
}

// TestPlanStreamOfATaskThatNeverBegan: the end of a plan that the log has for longer than the server has patience waits for what the log has,
// and for nothing else.
func TestPlanStreamOfATaskThatNeverBegan(t *testing.T) {
	t.Parallel()
	h := newUntoldPlan(t, 100*time.Millisecond)
	h.stream(t).begun().toTheEnd() // which takes as long as the server has patience
	later := func() *runFeed {
		of := h.server.streamedPlan("shop", h.plan.ID)
		feed := &runFeed{server: h.server, log: h.log, of: of, stories: of.newStories(), from: eventlog.After(0)}
		t.Cleanup(feed.close)
		for range 2 {
			if _, err := feed.next(bounded(t)); err != nil {
				t.Fatal(err)
			}
		}
		return feed
	}
	h.server.times.patience = 50 * time.Millisecond
	feed := later()
	end, err := feed.take(bounded(t))
	if err != nil || end.Type != sdk.EventPlanFailed {
		t.Fatalf("%+v, %v", end, err)
	}
	if off, err := feed.putOff(bounded(t), end); off || err != nil {
		t.Errorf("the end is put off: %v, %v", off, err)
	}
	h.tells(t, h.plan.ID, "never", sdk.EventTaskCreated, `{}`)
	h.tells(t, h.plan.ID, "never", sdk.EventTaskProgress, `{}`)
	if feed = later(); len(feed.page) == 0 {
		t.Fatal("the page is over")
	}
	if end, err = feed.take(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if off, err := feed.putOff(bounded(t), end); !off || err != nil || feed.late.behind != end.Sequence+2 {
		t.Errorf("the end is told before what is behind it, to %d: %v, %v", feed.late.behind, off, err)
	}
	feed.late.until = time.Now().Add(time.Hour)
	for _, want := range []sdk.EventType{sdk.EventTaskCreated, sdk.EventTaskProgress, sdk.EventPlanFailed} {
		got, err := feed.next(bounded(t))
		if err != nil || got.record.Type != want {
			t.Fatalf("%+v, %v, want %s", got, err, want)
		}
	}
}

// TestPlanStreamLooksOn: who is cut off while it looks for what is behind a plan's end goes on where it was, to where the log ended when it began.
func TestPlanStreamLooksOn(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.server.times.patience = 0
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{}`)
	h.steps(t, "a", sdk.StepReady, sdk.StepRunning, "never")
	h.tells(t, h.plan.ID, "", sdk.EventPlanFailed, `{}`)
	var events []sdk.Event
	for i := range feedPage {
		events = append(events, sdk.Event{
			SpecVersion: "1.0", ID: fmt.Sprint("n", i), Source: "/t", Type: sdk.EventTaskProgress, Task: "never", Plan: h.plan.ID, Time: time.Now(), Seq: 1 + i,
			Data: json.RawMessage(`{}`),
		})
	}
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: "never"}, Events: events}
	if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
		t.Fatal(err)
	}
	h.seqs["task/never"] = feedPage
	h.tells(t, h.plan.ID, "never", sdk.EventTaskProgress, `{}`)
	of := h.server.streamedPlan("shop", h.plan.ID)
	feed := &runFeed{server: h.server, log: h.log, of: of, stories: of.newStories(), from: eventlog.After(0)}
	t.Cleanup(feed.close)
	for range 2 {
		if _, err := feed.next(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	end, err := feed.take(bounded(t))
	if err != nil || end.Type != sdk.EventPlanFailed {
		t.Fatalf("%+v, %v", end, err)
	}
	if err := feed.lookOn(bounded(t), end.Sequence); err != nil || !feed.behind.more {
		t.Fatalf("a page: %+v, %v", feed.behind, err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if off, err := feed.putOff(cut, end); off || !errors.Is(err, context.Canceled) {
		t.Fatalf("it is put off: %v, %v", off, err)
	}
	h.tells(t, h.plan.ID, "never", sdk.EventTaskProgress, `{}`)
	if off, err := feed.putOff(bounded(t), end); !off || err != nil || feed.late.behind != end.Sequence+feedPage+1 {
		t.Errorf("it began anew, and found %d: %v, %v", feed.late.behind, off, err)
	}
}

// TestPlanStreamOfPlanningThatIsGone: the end of a plan does not wait for the tasks of its planning where the log has no longer anything of
// that time.
func TestPlanStreamOfPlanningThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{"steps":0}`)
	h.tells(t, h.plan.ID, "one", sdk.EventTaskCreated, `{}`)
	h.tells(t, h.plan.ID, "one", sdk.EventTaskFailed, `{}`)
	large := `{"type":"a.b","data":"` + strings.Repeat("x", 250<<10) + `"}`
	for range 5 {
		publishedFrom(t, call(h.server, http.MethodPost, "/v1/events", large, bearing(h.shop)...), http.StatusCreated)
	}
	if _, first, err := h.log.Oldest(bounded(t), "shop"); err != nil || first <= 3 {
		t.Fatalf("the first event that is kept is %d, %v", first, err)
	}
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindPlan, ID: h.plan.ID}, Acknowledged: 1, Events: []sdk.Event{{
		SpecVersion: "1.0", ID: "2", Source: "/plan", Type: sdk.EventPlanFailed, Plan: h.plan.ID, Seq: 2, Time: time.Now(),
		Data: json.RawMessage(`{"planningTaskIds":["one"]}`),
	}}}
	if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
		t.Fatal(err)
	}
	want := runStream{of: h.server.streamedPlan("shop", h.plan.ID), life: lifetime{began: time.Now()}, last: 8, resumed: true}
	resumed := func() (feed *runFeed, off bool) {
		feed = &runFeed{server: h.server, log: h.log, of: want.of, stories: want.of.newStories(), from: want.from(), origin: new(want.began())}
		t.Cleanup(feed.close)
		end, err := feed.take(bounded(t))
		if err != nil || end.Type != sdk.EventPlanFailed {
			t.Fatalf("%+v, %v", end, err)
		}
		if off, err = feed.putOff(bounded(t), end); err != nil {
			t.Fatal(err)
		}
		return feed, off
	}
	if feed, off := resumed(); off {
		t.Errorf("the end is put off for %v", feed.stories.open)
	}
	h.tells(t, h.plan.ID, "two", sdk.EventTaskCreated, `{}`) // what is behind the end is told before it all the same
	if feed, off := resumed(); !off || feed.late.behind != feed.late.record.Sequence+1 {
		t.Errorf("the end is put off: %v, for what is at %d", off, feed.late.behind)
	}
}
