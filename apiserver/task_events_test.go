package apiserver

import (
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
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// followed is a server over TCP with a log and a task.
type followed struct {
	*atWork
	log *eventlog.Log
	url string
}

func newFollowed(t testing.TB, change ...func(*eventlog.Config)) *followed {
	t.Helper()
	f := &followed{atWork: newAtWork(t), log: openLog(t, change...)}
	f.server.cfg.Events = f.log
	f.url, _ = listening(t, f.server)
	return f
}

func (f *followed) stream(t testing.TB, query string, headers ...string) *streaming {
	t.Helper()
	return openStream(t, f.url+"/v1/tasks/"+f.task.ID+"/events"+query, append(bearing(f.shop), headers...)...)
}

func TestTaskStreamGoesToTheTerminalEvent(t *testing.T) {
	t.Parallel()
	f := newFollowed(t)
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated, sdk.EventTaskAssigned)
	tellStory(t, f.log, "shop", "another", 1, sdk.EventTaskCreated, sdk.EventTaskFailed)
	tellStory(t, f.log, "till", f.task.ID, 1, sdk.EventTaskCreated, sdk.EventTaskFailed) // the same id in another project
	st := f.stream(t, "").begun()
	seen := []string{st.mustNext().event, st.mustNext().event}
	tellStory(t, f.log, "shop", f.task.ID, 3, sdk.EventTaskStarted, sdk.EventTaskCompleted, sdk.EventCodeGenerated)
	third := st.mustNext()
	last := st.mustNext()
	seen = append(seen, third.event, last.event)
	if got := strings.Join(seen, " "); got != "task.created task.assigned task.started task.completed" {
		t.Errorf("%s", got)
	}
	if _, err := st.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the terminal event: %v", err)
	}
	resumed := f.stream(t, "", headerLastEventID, third.id).begun()
	if got := resumed.mustNext(); got != last {
		t.Errorf("resumed: %+v", got)
	}
	if _, err := resumed.next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	f.stream(t, "", headerLastEventID, last.id).want(http.StatusNoContent)
	f.stream(t, "", headerLastEventID, "7").want(http.StatusNoContent) // of code.generated
	if p := f.stream(t, "", headerLastEventID, "99").want(http.StatusGone).problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("beyond the log's end: %+v", p)
	}
	if task := taskFrom(t, call(f.server, http.MethodGet, "/v1/tasks/"+f.task.ID, "", bearing(f.shop)...), http.StatusOK); task.Links.Events != "/v1/tasks/"+f.task.ID+"/events" {
		t.Errorf("links %+v", task.Links)
	}
	for _, key := range []string{f.bank, f.both} {
		if p := openStream(t, f.url+"/v1/tasks/"+f.task.ID+"/events", append(bearing(key), headerProject, map[string]string{f.bank: "vault", f.both: "till"}[key])...).problem(); p.Code != sdk.CodeNotFound {
			t.Errorf("another project's task: %+v", p)
		}
	}
	for _, id := range []string{"*", "%3E", "a.b", "a%2Eb", "a%20b", "a%2Fb"} {
		if p := openStream(t, f.url+"/v1/tasks/"+id+"/events", bearing(f.shop)...).problem(); p.Code != sdk.CodeInvalidInput {
			t.Errorf("%s: %+v", id, p)
		}
	}
}

func TestTaskStreamWithoutAStory(t *testing.T) {
	t.Parallel()
	f := newFollowed(t)
	f.server.times.heartbeat, f.server.times.patience = 50*time.Millisecond, 0
	waiting := f.stream(t, "").begun() // a story may still come
	f.tasks.change("shop", f.task.ID, false, func(task *sdk.Task) {
		task.Status, task.CompletedAt = sdk.StatusCompleted, new(time.Now().Add(-time.Hour))
	})
	for _, st := range []*streaming{waiting, f.stream(t, "").begun()} {
		if got, err := st.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%+v, %v; want the end", got, err)
		}
	}
}

func TestTaskStreamWhoseBeginningIsGone(t *testing.T) {
	t.Parallel()
	f := newFollowed(t, func(c *eventlog.Config) { c.MaxBytes = 1 << 20 })
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated)
	large := `{"type":"a.b","data":"` + strings.Repeat("x", 250<<10) + `"}`
	for range 5 {
		publishedFrom(t, call(f.server, http.MethodPost, "/v1/events", large, bearing(f.shop)...), http.StatusCreated)
	}
	err := f.log.AppendStory(bounded(t), "shop", eventlog.StoryPart{
		Story: eventlog.Story{Kind: eventlog.KindTask, ID: f.task.ID}, Acknowledged: 1,
		Events: []sdk.Event{{SpecVersion: "1.0", ID: "2", Source: "/t", Type: sdk.EventTaskAssigned, Seq: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := f.stream(t, "").want(http.StatusGone).problem()
	if p.Code != sdk.CodeHistoryExpired || p.FirstSequence != sdk.FormatSequence(7) {
		t.Errorf("%+v", p)
	}
	if got := f.stream(t, "", headerLastEventID, "6").begun().mustNext(); got.event != "task.assigned" {
		t.Errorf("%+v", got)
	}
}

func TestTaskOutput(t *testing.T) {
	t.Parallel()
	f := newFollowed(t)
	path := "/v1/tasks/" + f.task.ID + "/output"
	send := func(body string, headers ...string) int {
		return call(f.server, http.MethodPost, path, body, append(bearing(f.worker), append([]string{headerProject, "shop"}, headers...)...)...).Code
	}
	with, without := f.stream(t, "?output=1").begun(), f.stream(t, "?output=0").begun()
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated)
	if a, b := with.mustNext(), without.mustNext(); a != b || a.event != "task.created" {
		t.Errorf("%+v, %+v", a, b)
	}
	if got := send(`{"attempt":1,"frames":[{"text":"password=hunter2"},{"tool":"ls"},{"delta":"<"}]}`); got != http.StatusAccepted {
		t.Fatalf("status %d", got)
	}
	want := frame{event: "output", data: `{"attempt":1,"frames":[{"text":"password=[redacted]"},{"tool":"ls"},{"delta":"\u003c"}]}`}
	if got := with.mustNext(); got != want {
		t.Errorf("%+v", got)
	}
	tellStory(t, f.log, "shop", f.task.ID, 2, sdk.EventTaskCancelled)
	for _, st := range []*streaming{with, without} {
		if got := st.mustNext(); got.event != "task.cancelled" {
			t.Errorf("%+v", got)
		}
		if _, err := st.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
	for body, status := range map[string]int{
		`{"attempt":2,"frames":[{"text":"x"}]}`:                                                 http.StatusConflict,
		`{"stage":1,"attempt":1,"frames":[{"text":"x"}]}`:                                       http.StatusConflict,
		`{"attempt":1,"frames":[]}`:                                                             http.StatusUnprocessableEntity,
		`{"attempt":1,"frames":[{}]}`:                                                           http.StatusUnprocessableEntity,
		`{"attempt":1,"frames":[{"text":"x","tool":"y"}]}`:                                      http.StatusUnprocessableEntity,
		`{"frames":[{"text":"x"}]}`:                                                             http.StatusUnprocessableEntity,
		`{"attempt":1,"frames":[` + strings.Repeat(`{"text":"x"},`, 100) + `{"text":"x"}]}`:     http.StatusUnprocessableEntity,
		`{"attempt":1,"frames":[{"text":"` + strings.Repeat("x", sdk.MaxOutputCall) + `"}]}`:    http.StatusUnprocessableEntity,
		`{"attempt":1,"frames":[{"text":"` + strings.Repeat("x", sdk.MaxOutputCall-40) + `"}]}`: http.StatusAccepted,
	} {
		if got := send(body); got != status {
			t.Errorf("%.80s: %d, want %d", body, got, status)
		}
	}
	if got := call(f.server, http.MethodPost, path, `{"attempt":1,"frames":[{"text":"x"}]}`, bearing(f.minted(t, 0, 1).Key)...).Code; got != http.StatusForbidden {
		t.Errorf("the agent's own key: %d", got)
	}
}

// TestTheFramesOfACallAreRedactedTogether.
func TestTheFramesOfACallAreRedactedTogether(t *testing.T) {
	t.Parallel()
	key := aSecret("sk-")
	text, delta := func(s string) sdk.OutputFrame { return sdk.OutputFrame{Text: s} }, func(s string) sdk.OutputFrame { return sdk.OutputFrame{Delta: s} }
	tool := sdk.OutputFrame{Tool: "curl -H 'Authorization: Bearer " + key + "'"}
	for name, tc := range map[string]struct{ frames, want []sdk.OutputFrame }{
		"a token in two deltas": {[]sdk.OutputFrame{delta("use " + key[:7]), delta(key[7:]), delta(" now")}, []sdk.OutputFrame{delta("use [redacted]"), delta(" now")}},
		"a text and a delta":    {[]sdk.OutputFrame{text("password="), delta("hunter2"), text("ok")}, []sdk.OutputFrame{text("password="), delta("[redacted]"), text("ok")}},
		"a key by its lines": {
			[]sdk.OutputFrame{text("a"), text("-----BEGIN PRIVATE KEY-----"), text("MIIEowIBAAKCAQEAa1B2"), text("QUJDa1B2QUJDa1B2"), text("-----END PRIVATE KEY-----"), tool, text("b ")},
			[]sdk.OutputFrame{text("a"), text("[redacted]"), {Tool: "curl -H 'Authorization: Bearer [redacted]'"}, text("b ")},
		},
		"a secret alone":   {[]sdk.OutputFrame{delta(key)}, []sdk.OutputFrame{delta("[redacted]")}},
		"nothing of these": {[]sdk.OutputFrame{text(" a\nb"), text("\n"), delta("c "), {Tool: "ls"}, delta("d")}, []sdk.OutputFrame{text(" a\nb"), text("\n"), delta("c "), {Tool: "ls"}, delta("d")}},
	} {
		if diff := cmp.Diff(tc.want, redactFrames(redact.Default(), tc.frames)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestEventsAreOfOneProject: whatever a key asks for, it gets its project's events alone.
func TestEventsAreOfOneProject(t *testing.T) {
	t.Parallel()
	f := newFollowed(t)
	publish(t, f.server, "a.x.b", 1, 2, bearing(f.shop)...)
	publish(t, f.server, "a.x.b", 1, 1, bearing(f.bank)...)
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated)
	for _, query := range []string{
		"", "?types=*", "?types=a.*", "?types=a.x.b,*", "?subject=task/" + f.task.ID, "?subject=*", "?subject=%3E", "?subject=rc.shop.%3E",
		"?subject=a%20b", "?types=task.*", "?types=task.created",
	} {
		want := 0
		if strings.HasPrefix(query, "?types=a") || query == "?types=*" || query == "" {
			want = 1
		}
		for _, e := range pageOf(t, f.server, query, bearing(f.bank)...).Items {
			if e.Project != "vault" {
				t.Errorf("%s: an event of %s", query, e.Project)
			}
			want--
		}
		if want != 0 {
			t.Errorf("%s: %d events are missing", query, want)
		}
	}
	st := openStream(t, f.url+"/v1/events/stream?after=0&types=*", bearing(f.bank)...).begun()
	publish(t, f.server, "a.x.b", 3, 3, bearing(f.shop)...)
	publish(t, f.server, "a.x.b", 2, 2, bearing(f.bank)...)
	for i := range 2 {
		if e := eventOf(t, st.mustNext().data); e.Project != "vault" || e.ID != fmt.Sprintf("a.x.b-%d", i+1) {
			t.Errorf("%+v", e)
		}
	}
}

func TestReadyzNamesTheLog(t *testing.T) {
	t.Parallel()
	log := openLog(t)
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	if w := call(s, http.MethodGet, "/readyz", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"events":"ready"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	s = newTestServer(t, newMemoryTasks(), io.Discard, onLog(log))
	if w := call(s, http.MethodGet, "/readyz", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"events":"unavailable"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/v1/events", "/v1/events/stream"} {
		if p := problemOf(t, call(s, http.MethodGet, path, "")); p.Code != sdk.CodeUnavailable {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
