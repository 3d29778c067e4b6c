package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// heldPlan is a server over TCP with a log and a plan.
type heldPlan struct {
	keyring
	server *Server
	plans  *memoryPlans
	log    *eventlog.Log
	url    string
	plan   sdk.Plan
	seqs   map[string]int // of each story the last number
}

func newHeldPlan(t testing.TB, change ...func(*eventlog.Config)) *heldPlan {
	t.Helper()
	return newKeyring(t).holdPlan(t, change...)
}

func (ring keyring) holdPlan(t testing.TB, change ...func(*eventlog.Config)) *heldPlan {
	t.Helper()
	h := &heldPlan{keyring: ring, log: openLog(t, change...), seqs: map[string]int{}}
	h.server = h.keyring.server(t, newMemoryTasks(), io.Discard, onLog(h.log))
	h.plans = plansOf(t, h.server)
	h.plan = answerOf[sdk.Plan](t, call(h.server, http.MethodPost, "/v1/plans", okPlan, bearing(h.shop)...), http.StatusCreated)
	h.url, _ = listening(t, h.server)
	return h
}

func (h *heldPlan) stream(t testing.TB, headers ...string) *streaming {
	t.Helper()
	return openStream(t, h.url+"/v1/plans/"+h.plan.ID+"/events", append(bearing(h.shop), headers...)...)
}

// tells writes an event of a story: of the plan's own where task is "", else of a task of the plan of.
func (h *heldPlan) tells(t testing.TB, of, task string, typ sdk.EventType, data string) {
	t.Helper()
	story, subject := eventlog.Story{Kind: eventlog.KindPlan, ID: of}, "plan/"+of
	if task != "" {
		story, subject = eventlog.Story{Kind: eventlog.KindTask, ID: task}, "task/"+task
	}
	h.seqs[subject]++
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprint(subject, h.seqs[subject]), Source: "/" + subject, Type: typ, Task: task, Plan: of, Project: "shop",
		Subject: subject, Time: time.Now().UTC(), Seq: h.seqs[subject], Data: json.RawMessage(data),
	}
	if err := h.log.AppendStory(bounded(t), "shop", eventlog.StoryPart{Story: story, Events: []sdk.Event{e}}); err != nil {
		t.Fatal(err)
	}
}

// steps tells that a step goes from one status to another.
func (h *heldPlan) steps(t testing.TB, step string, from, to sdk.StepStatus, task string) {
	t.Helper()
	h.tells(t, h.plan.ID, "", sdk.EventPlanStep, fmt.Sprintf(`{"planId":%q,"step":%q,"from":%q,"to":%q,"taskId":%q,"reworks":0}`, h.plan.ID, step, from, to, task))
}

// runs tells a plan of two steps, one of which follows the other, with what others do between.
func (h *heldPlan) runs(t testing.TB) {
	t.Helper()
	p := h.plan.ID
	h.tells(t, p, "", sdk.EventPlanCreated, `{"planId":"p"}`)
	h.tells(t, "another", "", sdk.EventPlanCreated, `{}`)
	h.tells(t, p, "", sdk.EventPlanStarted, `{"planId":"p"}`)
	h.steps(t, "write", sdk.StepReady, sdk.StepRunning, "w")
	h.tells(t, "another", "theirs", sdk.EventTaskCreated, `{"type":"code.write"}`)
	h.tells(t, p, "w", sdk.EventTaskCreated, `{"type":"code.write"}`)
	h.tells(t, p, "w", sdk.EventTaskProgress, `{"percentage":30}`)
	h.tells(t, "", "alone", sdk.EventTaskCreated, `{"type":"code.write"}`)
	h.tells(t, p, "w", sdk.EventTaskCompleted, `{"type":"code.write"}`)
	h.tells(t, p, "w", sdk.EventCodeGenerated, `{}`)
	h.steps(t, "write", sdk.StepRunning, sdk.StepCompleted, "w")
	h.steps(t, "review", sdk.StepReady, sdk.StepRunning, "r")
	h.tells(t, p, "r", sdk.EventTaskCreated, `{"type":"my.check"}`)
	h.tells(t, p, "r", sdk.EventTaskFailed, `{"type":"my.check"}`)
	h.steps(t, "review", sdk.StepRunning, sdk.StepFailed, "r")
	h.tells(t, p, "", sdk.EventPlanFailed, `{"planId":"p","status":"failed"}`)
	h.tells(t, "another", "", sdk.EventPlanFailed, `{}`)
}

const toldOfThePlan = "plan.created plan.started plan.step task.created task.progress task.completed code.generated plan.step " +
	"plan.step task.created task.failed plan.step plan.failed"

// TestPlanStream: the plan's own events and those of its tasks alone, in order, to its end; and from any of them on the same rest.
func TestPlanStream(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	live := h.stream(t).begun()
	h.runs(t)
	whole := live.toTheEnd()
	if got := namesOf(whole); got != toldOfThePlan {
		t.Fatal(got)
	}
	for _, f := range whole {
		if e := eventOf(t, f.data); e.Plan != h.plan.ID || e.Sequence != f.id || string(e.Type) != f.event {
			t.Errorf("%+v is at %s", e, f.id)
		}
	}
	if diff := cmp.Diff(whole, h.stream(t).begun().toTheEnd(), cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("afterwards: %s", diff)
	}
	for i, f := range whole[:len(whole)-1] {
		if diff := cmp.Diff(whole[i+1:], h.stream(t, headerLastEventID, f.id).begun().toTheEnd(), cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("after %s: %s", f.event, diff)
		}
	}
	h.stream(t, headerLastEventID, whole[len(whole)-1].id).want(http.StatusNoContent)
	if p := h.stream(t, headerLastEventID, "99").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("beyond the log's end: %+v", p)
	}
	if p := h.stream(t, headerLastEventID, "x").problem(); p.Code != sdk.CodeInvalidInput {
		t.Errorf("%+v", p)
	}
}

// TestPlanStreamOfAReaderWhoIsCutOff: who goes on after each event, while the plan goes on, is told all of it once.
func TestPlanStreamOfAReaderWhoIsCutOff(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	first := h.stream(t).begun()
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{"planId":"p"}`)
	told := []frame{first.mustNext()}
	first.cancel()
	next := func() *streaming { return h.stream(t, headerLastEventID, told[len(told)-1].id).begun() }
	for i := range 6 {
		st := next()
		task := fmt.Sprint("t", i)
		h.steps(t, task, sdk.StepReady, sdk.StepRunning, task)
		h.tells(t, h.plan.ID, task, sdk.EventTaskCreated, `{}`)
		told = append(told, st.some(1)...)
		st.cancel() // in the middle
		h.tells(t, h.plan.ID, task, sdk.EventTaskCancelled, `{}`)
		st = next()
		told = append(told, st.some(2)...)
		st.cancel()
	}
	last := next()
	h.tells(t, h.plan.ID, "", sdk.EventPlanCancelled, `{}`)
	told = append(told, last.toTheEnd()...)
	if diff := cmp.Diff(h.stream(t).begun().toTheEnd(), told, cmp.AllowUnexported(frame{})); diff != "" || len(told) != 20 {
		t.Errorf("%d events: %s", len(told), diff)
	}
}

// TestPlanStreamReadsByPages: a story of more than a page comes whole.
func TestPlanStreamReadsByPages(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{}`)
	h.tells(t, h.plan.ID, "mine", sdk.EventTaskCreated, `{}`)
	const steps = 2*feedPage + 10
	for from := 0; from < steps; from += feedPage {
		var events []sdk.Event
		for i := from; i < min(from+feedPage, steps); i++ {
			events = append(events, sdk.Event{
				SpecVersion: "1.0", ID: fmt.Sprint("p", i), Source: "/t", Type: sdk.EventTaskProgress, Task: "mine", Plan: h.plan.ID, Time: time.Now(), Seq: 2 + i,
				Data: json.RawMessage(fmt.Sprintf(`{"percentage":%d}`, i)),
			})
		}
		part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: "mine"}, Events: events}
		if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
			t.Fatal(err)
		}
	}
	st := h.stream(t).begun()
	h.seqs["task/mine"] = 1 + steps
	h.tells(t, h.plan.ID, "mine", sdk.EventTaskFailed, `{}`)
	h.tells(t, h.plan.ID, "", sdk.EventPlanFailed, `{}`)
	frames := st.toTheEnd()
	if len(frames) != steps+4 {
		t.Fatalf("%d events", len(frames))
	}
	for i, f := range frames[2 : 2+steps] {
		if !strings.Contains(f.data, fmt.Sprintf(`"percentage":%d}`, i)) {
			t.Fatalf("event %d: %s", i, f.data)
		}
	}
	resumed := h.stream(t, headerLastEventID, frames[1+steps].id).begun().toTheEnd() // its task began pages before
	if diff := cmp.Diff(frames[2+steps:], resumed, cmp.AllowUnexported(frame{})); diff != "" {
		t.Error(diff)
	}
}

// TestSilentPlanStream: the stream of a plan that ended long ago, and of which the log has nothing, ends.
func TestSilentPlanStream(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.server.times.heartbeat, h.server.times.patience = 50*time.Millisecond, 0
	waiting := h.stream(t).begun() // a story may still come
	ended := h.plan
	ended.Status, ended.CompletedAt = sdk.StatusFailed, new(time.Now().Add(-time.Hour))
	h.plans.put("shop", ended)
	for _, st := range []*streaming{waiting, h.stream(t).begun()} {
		if got := st.toTheEnd(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestPlanStreamWhoseBeginningIsGone: what is left is told to who asks for it.
func TestPlanStreamWhoseBeginningIsGone(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{}`)
	h.tells(t, h.plan.ID, "mine", sdk.EventTaskCreated, `{}`)
	large := `{"type":"a.b","data":"` + strings.Repeat("x", 250<<10) + `"}`
	for range 5 {
		publishedFrom(t, call(h.server, http.MethodPost, "/v1/events", large, bearing(h.shop)...), http.StatusCreated)
	}
	for _, of := range []struct {
		story eventlog.Story
		typ   sdk.EventType
	}{
		{eventlog.Story{Kind: eventlog.KindTask, ID: "mine"}, sdk.EventTaskCompleted}, {eventlog.Story{Kind: eventlog.KindPlan, ID: h.plan.ID}, sdk.EventPlanCompleted},
	} {
		part := eventlog.StoryPart{Story: of.story, Acknowledged: 1, Events: []sdk.Event{{
			SpecVersion: "1.0", ID: "2", Source: "/" + string(of.story.Kind), Type: of.typ, Plan: h.plan.ID, Seq: 2, Time: time.Now(), Data: json.RawMessage(`{"type":"my.check"}`),
		}}}
		if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
			t.Fatal(err)
		}
	}
	if p := h.stream(t).want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired || p.FirstSequence == "" || !strings.Contains(p.Detail, "the plan's story") {
		t.Fatalf("%+v", p)
	}
	h.plans.put("shop", sdk.Plan{ID: "older", Status: sdk.StatusFailed, CompletedAt: new(time.Now().Add(-time.Hour))})
	if p := openStream(t, h.url+"/v1/plans/older/events", bearing(h.shop)...).want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("one that ended before what the log has: %+v", p)
	}
	if got := h.stream(t, headerLastEventID, "7").begun().toTheEnd(); namesOf(got) != "task.completed plan.completed" {
		t.Errorf("%+v", got)
	}
}

// TestPlanStreamOfAnother: a key of another project has nothing of it.
func TestPlanStreamOfAnother(t *testing.T) {
	t.Parallel()
	h := newHeldPlan(t)
	h.runs(t)
	for _, key := range []string{h.bank, h.both} {
		project := map[string]string{h.bank: "vault", h.both: "till"}[key]
		if p := openStream(t, h.url+"/v1/plans/"+h.plan.ID+"/events", append(bearing(key), headerProject, project)...).problem(); p.Code != sdk.CodeNotFound {
			t.Errorf("%+v", p)
		}
	}
	for _, id := range []string{"*", "%3E", "a.b", "a%20b", "a%2Fb"} {
		if p := openStream(t, h.url+"/v1/plans/"+id+"/events", bearing(h.shop)...).problem(); p.Code != sdk.CodeInvalidInput {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if _, err := h.stream(t, "Accept", "text/event-stream").begun().next(); errors.Is(err, io.EOF) {
		t.Error("its own key has nothing")
	}
}

// TestPlanStreamOfAKeyThatIsRevoked ends, and says why.
func TestPlanStreamOfAKeyThatIsRevoked(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t)
	secret, id := ring.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}})
	h := ring.holdPlan(t)
	h.server.times.heartbeat = 50 * time.Millisecond
	h.tells(t, h.plan.ID, "", sdk.EventPlanCreated, `{}`)
	st := openStream(t, h.url+"/v1/plans/"+h.plan.ID+"/events", bearing(secret)...).begun()
	if got := st.mustNext(); got.event != "plan.created" {
		t.Fatalf("%+v", got)
	}
	if _, err := keys.Revoke(t.Context(), h.path, id); err != nil {
		t.Fatal(err)
	}
	if got := st.mustNext(); got.event != "gone" || !strings.Contains(got.data, `"code":"unauthenticated"`) {
		t.Errorf("%+v", got)
	}
	if _, err := st.next(); !errors.Is(err, io.EOF) {
		t.Errorf("it goes on: %v", err)
	}
}
