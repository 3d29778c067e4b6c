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

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// heldSession is a server over TCP with a log and a session.
type heldSession struct {
	keyring
	tasks    *memoryTasks
	server   *Server
	sessions *memorySessions
	log      *eventlog.Log
	url      string
	session  sdk.Session
	seqs     map[string]int // of each story the last number
}

func newHeldSession(t testing.TB, change ...func(*eventlog.Config)) *heldSession {
	t.Helper()
	h := &heldSession{keyring: newKeyring(t), tasks: newMemoryTasks(), log: openLog(t, change...), seqs: map[string]int{}}
	h.server = h.keyring.server(t, h.tasks, io.Discard, onLog(h.log))
	h.sessions = sessionsOf(t, h.server)
	h.session = answerOf[sdk.Session](t, call(h.server, http.MethodPost, "/v1/sessions", okSession, bearing(h.shop)...), http.StatusCreated)
	h.url, _ = listening(t, h.server)
	return h
}

func (h *heldSession) stream(t testing.TB, headers ...string) *streaming {
	t.Helper()
	return openStream(t, h.url+"/v1/sessions/"+h.session.ID+"/events", append(bearing(h.shop), headers...)...)
}

// tells writes an event of a story: of the session's own where task is "", else of a task of the session of.
func (h *heldSession) tells(t testing.TB, of, task string, typ sdk.EventType, data string) {
	t.Helper()
	story, subject := eventlog.Story{Kind: eventlog.KindSession, ID: of}, "session/"+of
	if task != "" {
		story, subject = eventlog.Story{Kind: eventlog.KindTask, ID: task}, "task/"+task
	}
	h.seqs[subject]++
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprint(subject, h.seqs[subject]), Source: "/" + subject, Type: typ, Task: task, Session: of, Project: "shop",
		Subject: subject, Time: time.Now().UTC(), Seq: h.seqs[subject], Data: json.RawMessage(data),
	}
	if err := h.log.AppendStory(bounded(t), "shop", eventlog.StoryPart{Story: story, Events: []sdk.Event{e}}); err != nil {
		t.Fatal(err)
	}
}

// converses tells a session of one task that is tried twice, with what others do between.
func (h *heldSession) converses(t testing.TB) {
	t.Helper()
	s := h.session.ID
	h.tells(t, s, "", sdk.EventSessionStarted, `{"costTier":"free","orchestratorModel":"ollama","executorModel":"ollama"}`)
	h.tells(t, "another", "", sdk.EventSessionStarted, `{}`)
	h.tells(t, "another", "theirs", sdk.EventTaskCreated, `{"type":"analyze"}`)
	h.tells(t, s, "mine", sdk.EventTaskCreated, `{"type":"execute","prompt":"Add it","priority":"high"}`)
	h.tells(t, s, "mine", sdk.EventTaskAssigned, `{}`)
	h.tells(t, s, "mine", sdk.EventTaskProgress, `{"percentage":30}`)
	h.tells(t, "", "alone", sdk.EventTaskCreated, `{"type":"execute"}`)
	h.tells(t, s, "mine", sdk.EventTaskRetrying, `{"attempt":1,"maxAttempts":3,"errorCount":1,"durationMs":5,"error":{"code":"x","message":"no"}}`)
	h.tells(t, s, "mine", sdk.EventTaskInputRequired, `{"prompt":"Which?"}`)
	h.tells(t, s, "mine", sdk.EventTaskCompleted, `{"type":"execute"}`)
	h.tells(t, s, "", sdk.EventSessionClosed, `{}`)
}

// toTheEnd reads a stream to its end.
func (s *streaming) toTheEnd() (frames []frame) {
	s.t.Helper()
	for {
		f, err := s.next()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			s.t.Fatal(err)
		}
		frames = append(frames, f)
	}
}

// TestSessionStream: the session's own events alone, in order, to its close; and from any of them on the same rest.
func TestSessionStream(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	live := h.stream(t).begun()
	h.converses(t)
	whole := live.toTheEnd()
	var names []string
	for _, f := range whole {
		names = append(names, f.event)
	}
	want := "session_start task_start task_progress task_error task_progress task_complete session_close"
	if got := strings.Join(names, " "); got != want {
		t.Fatalf("%s", got)
	}
	if got := whole[4].data; !strings.Contains(got, `"message":"Which?","progress":{"phase":"Waiting for an answer","percentage":30}`) {
		t.Errorf("the question: %s", got)
	}
	if diff := cmp.Diff(whole, h.stream(t).begun().toTheEnd(), cmp.AllowUnexported(frame{})); diff != "" {
		t.Errorf("afterwards: %s", diff)
	}
	for i, f := range whole[:len(whole)-1] { // also in the middle of a task, whose type and beginning were told before
		if diff := cmp.Diff(whole[i+1:], h.stream(t, headerLastEventID, f.id).begun().toTheEnd(), cmp.AllowUnexported(frame{})); diff != "" {
			t.Errorf("after %s: %s", f.event, diff)
		}
	}
	h.stream(t, headerLastEventID, whole[len(whole)-1].id).want(http.StatusNoContent)
	if p := h.stream(t, headerLastEventID, "99").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("beyond the log's end: %+v", p)
	}
}

// TestSessionStreamReadsByPages: a story of more than a page comes whole, while others go through the log as well.
func TestSessionStreamReadsByPages(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.tells(t, h.session.ID, "", sdk.EventSessionStarted, `{}`)
	h.tells(t, h.session.ID, "mine", sdk.EventTaskCreated, `{"type":"execute"}`)
	const steps = 2*feedPage + 10
	var events []sdk.Event
	for i := range steps {
		events = append(events, sdk.Event{
			SpecVersion: "1.0", ID: fmt.Sprint("p", i), Source: "/t", Type: sdk.EventTaskProgress, Task: "mine", Session: h.session.ID, Time: time.Now(), Seq: 2 + i,
			Data: json.RawMessage(fmt.Sprintf(`{"percentage":%d}`, i)),
		})
	}
	for len(events) > 0 {
		n := min(len(events), 500)
		part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: "mine"}, Events: events[:n]}
		if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
	st := h.stream(t).begun()
	h.seqs["task/mine"] = 1 + steps
	h.tells(t, h.session.ID, "mine", sdk.EventTaskInputRequired, `{}`)
	h.tells(t, h.session.ID, "mine", sdk.EventTaskCompleted, `{}`)
	h.tells(t, h.session.ID, "", sdk.EventSessionClosed, `{}`)
	frames := st.toTheEnd()
	if len(frames) != steps+5 {
		t.Fatalf("%d events", len(frames))
	}
	for i, f := range frames[2 : 2+steps] {
		if !strings.Contains(f.data, fmt.Sprintf(`"percentage":%d}`, i)) {
			t.Fatalf("event %d: %s", i, f.data)
		}
	}
	resumed := h.stream(t, headerLastEventID, frames[1+steps].id).begun().toTheEnd() // the percentage is from the last page of the story
	if diff := cmp.Diff(frames[2+steps:], resumed, cmp.AllowUnexported(frame{})); diff != "" || !strings.Contains(resumed[0].data, fmt.Sprintf(`"percentage":%d}`, steps-1)) {
		t.Error(diff)
	}
}

// TestSessionStreamsWaitTheirTurn: of a burst of streams none is refused because others look through the log; each is told all once it has
// its turn, also where its session has closed long ago by then.
func TestSessionStreamsWaitTheirTurn(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.server.times.again, h.server.times.heartbeat, h.server.times.patience = 5*time.Millisecond, 20*time.Millisecond, 0
	h.converses(t)
	closed := h.session
	closed.Status, closed.ClosedAt = sdk.SessionClosed, new(time.Now().Add(-time.Hour))
	h.sessions.put("shop", closed)
	for range runScansOfAProject {
		if of := h.server.runScans.count("shop"); of == nil {
			t.Fatal("no room")
		}
	}
	var burst []*streaming
	for range 2 * eventScansOfAProject {
		burst = append(burst, h.stream(t).begun())
	}
	for range runScansOfAProject {
		h.server.runScans.leave("shop")
	}
	for _, st := range burst {
		if got := st.toTheEnd(); len(got) != 7 {
			t.Fatalf("%d events", len(got))
		}
	}
	if p := h.stream(t, headerLastEventID, "99").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("beyond the log's end: %+v", p)
	}
}

// TestSessionStreamFromNow: nothing of what was before is told, and of a task that goes on what its events need is known.
func TestSessionStreamFromNow(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	url, s := h.url+"/v1/sessions/"+h.session.ID+"/events", h.session.ID
	h.tells(t, s, "", sdk.EventSessionStarted, `{}`)
	h.tells(t, s, "mine", sdk.EventTaskCreated, `{"type":"execute"}`)
	h.tells(t, s, "mine", sdk.EventTaskProgress, `{"percentage":30}`)
	live := openStream(t, url+"?after=now", bearing(h.shop)...).begun()
	if at, _, err := live.block(); err != nil || at.data != "" || at.id != sdk.FormatSequence(3) {
		t.Fatalf("where it begins: %+v %v", at, err)
	}
	if p := h.stream(t, headerLastEventID, "99").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("beyond the log's end: %+v", p)
	}
	h.tells(t, s, "mine", sdk.EventTaskInputRequired, `{"prompt":"Which?"}`)
	h.tells(t, s, "mine", sdk.EventTaskCompleted, `{"type":"execute"}`)
	h.tells(t, s, "", sdk.EventSessionClosed, `{}`)
	got := live.toTheEnd()
	if len(got) != 3 || !strings.Contains(got[0].data, `"taskType":"execute"`) || !strings.Contains(got[0].data, `"percentage":30`) || got[1].event != "task_complete" || got[2].event != "session_close" {
		t.Errorf("%+v", got)
	}
	again := openStream(t, url+"?after=now", append(bearing(h.shop), headerLastEventID, "2")...).begun().toTheEnd()
	if len(again) != 4 || again[0].id != sdk.FormatSequence(3) {
		t.Errorf("an event that was read goes before it: %+v", again)
	}
	openStream(t, url+"?after=now", bearing(h.shop)...).want(http.StatusNoContent)
	for _, after := range []string{"0", "", "then"} {
		if p := openStream(t, url+"?after="+after, bearing(h.shop)...).problem(); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != "query.after" {
			t.Errorf("%q: %+v", after, p)
		}
	}
}

// TestSilentSessionStream: the stream of a session that closed long ago, and of which the log has nothing, ends.
func TestSilentSessionStream(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.server.times.heartbeat, h.server.times.patience = 50*time.Millisecond, 0
	waiting := h.stream(t).begun() // a story may still come
	closed := h.session
	closed.Status, closed.ClosedAt = sdk.SessionClosed, new(time.Now().Add(-time.Hour))
	h.sessions.put("shop", closed)
	for _, st := range []*streaming{waiting, h.stream(t).begun()} {
		if got := st.toTheEnd(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestSessionStreamWhoseBeginningIsGone: what is left is told to who asks for it; the task of which nothing is left is asked of the engine.
func TestSessionStreamWhoseBeginningIsGone(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	task := taskFrom(t, call(h.server, http.MethodPost, "/v1/tasks", okBody, bearing(h.shop)...), http.StatusCreated)
	h.tells(t, h.session.ID, "", sdk.EventSessionStarted, `{}`)
	h.tells(t, h.session.ID, task.ID, sdk.EventTaskCreated, `{"type":"execute"}`)
	large := `{"type":"a.b","data":"` + strings.Repeat("x", 250<<10) + `"}`
	for range 5 {
		publishedFrom(t, call(h.server, http.MethodPost, "/v1/events", large, bearing(h.shop)...), http.StatusCreated)
	}
	h.seqs["session/"+h.session.ID], h.seqs["task/"+task.ID] = 1, 1
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: task.ID}, Acknowledged: 1, Events: []sdk.Event{{
		SpecVersion: "1.0", ID: "2", Source: "/t", Type: sdk.EventTaskProgress, Task: task.ID, Session: h.session.ID, Seq: 2, Time: time.Now(), Data: json.RawMessage(`{"percentage":5}`),
	}}}
	if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
		t.Fatal(err)
	}
	part = eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindSession, ID: h.session.ID}, Acknowledged: 1, Events: []sdk.Event{{
		SpecVersion: "1.0", ID: "2", Source: "/s", Type: sdk.EventSessionClosed, Session: h.session.ID, Seq: 2, Time: time.Now(),
	}}}
	if err := h.log.AppendStory(bounded(t), "shop", part); err != nil {
		t.Fatal(err)
	}
	p := h.stream(t).want(http.StatusGone).problem()
	if p.Code != sdk.CodeHistoryExpired || p.FirstSequence == "" {
		t.Fatalf("%+v", p)
	}
	h.sessions.put("shop", sdk.Session{ID: "older", Status: sdk.SessionClosed, ClosedAt: new(time.Now().Add(-time.Hour))})
	if p := openStream(t, h.url+"/v1/sessions/older/events", bearing(h.shop)...).want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("one that closed before what the log has: %+v", p)
	}
	got := h.stream(t, headerLastEventID, "7").begun().toTheEnd()
	if len(got) != 2 || !strings.Contains(got[0].data, `"taskType":"code.write"`) || got[1].event != "session_close" {
		t.Errorf("%+v", got)
	}
}

// TestSessionStreamOfAnother: a key of another project has nothing of it.
func TestSessionStreamOfAnother(t *testing.T) {
	t.Parallel()
	h := newHeldSession(t)
	h.converses(t)
	for _, key := range []string{h.bank, h.both} {
		project := map[string]string{h.bank: "vault", h.both: "till"}[key]
		if p := openStream(t, h.url+"/v1/sessions/"+h.session.ID+"/events", append(bearing(key), headerProject, project)...).problem(); p.Code != sdk.CodeNotFound {
			t.Errorf("%+v", p)
		}
	}
	for _, id := range []string{"*", "%3E", "a.b", "a%20b", "a%2Fb"} {
		if p := openStream(t, h.url+"/v1/sessions/"+id+"/events", bearing(h.shop)...).problem(); p.Code != sdk.CodeInvalidInput {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if p := openStream(t, h.url+"/v1/sessions/"+h.session.ID+"/events?after=0", bearing(h.shop)...).problem(); p.Code != sdk.CodeInvalidInput {
		t.Errorf("%+v", p)
	}
}
