package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// fillLog writes events until a log of a MiB has lost what was there before.
func fillLog(t *testing.T, s *Server, headers ...string) {
	t.Helper()
	for range 10 {
		body := `{"type":"a.filling","data":"` + strings.Repeat("x", 200<<10) + `"}`
		publishedFrom(t, call(s, http.MethodPost, "/v1/events", body, headers...), http.StatusCreated)
	}
}

func smallLog(c *eventlog.Config) { c.MaxBytes = 1 << 20 }

// TestAStoryThatRetentionTookIsGone; of one that was never told that cannot be said.
func TestAStoryThatRetentionTookIsGone(t *testing.T) {
	t.Parallel()
	f := newFollowed(t, smallLog)
	ended := func(at time.Time) {
		f.tasks.change("shop", f.task.ID, false, func(task *sdk.Task) { task.Status, task.CompletedAt = sdk.StatusCompleted, &at })
	}
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated, sdk.EventTaskCompleted)
	ended(time.Now().Add(-time.Hour))
	fillLog(t, f.server, bearing(f.shop)...)
	if p := f.stream(t, "").problem(); p.Code != sdk.CodeHistoryExpired || p.FirstSequence == "" {
		t.Errorf("%+v", p)
	}
	f.server.times.patience = 0
	ended(time.Now())
	if body, err := io.ReadAll(f.stream(t, "").want(http.StatusOK).resp.Body); err != nil || !strings.Contains(string(body), "none of its events") {
		t.Errorf("one that ended since: %q, %v", body, err)
	}
}

// TestWhatTheLogCanNotHaveIsRefused: a position that it has not come to, and times beyond what it can be asked about.
func TestWhatTheLogCanNotHaveIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	url, _ := listening(t, s)
	publish(t, s, "a.b", 1, 3)
	if p := openStream(t, url+"/v1/events/stream", headerLastEventID, "5000").problem(); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("%+v", p)
	}
	if p := problemOf(t, call(s, http.MethodGet, "/v1/events?after=5000", "")); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("%+v", p)
	}
	if p := problemOf(t, call(s, http.MethodPut, "/v1/subscriptions/x", `{"from":"5000"}`)); p.Code != sdk.CodeHistoryExpired {
		t.Errorf("%+v", p)
	}
	for _, query := range []string{"since=9999-01-01T00:00:00Z", "since=1600-01-01T00:00:00Z", "until=2201-01-01T00:00:00Z", "until=0001-01-01T00:00:00Z"} {
		name, _, _ := strings.Cut(query, "=")
		if p := problemOf(t, call(s, http.MethodGet, "/v1/events?"+query, "")); p.Code != sdk.CodeInvalidInput || p.Errors[0].Path != "query."+name {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// TestAgentsOfOneWorkerShareNoKeys: an id and an idempotency key are one task's agent's.
func TestAgentsOfOneWorkerShareNoKeys(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	a.server.cfg.Events = openLog(t)
	first := a.minted(t, 0, 1).Key
	a.task = taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	a.tasks.change("shop", a.task.ID, false, func(task *sdk.Task) { task.CreatedAt = a.taken })
	a.take(0, 1, a.taken)
	second := a.minted(t, 0, 1).Key
	for i, key := range []string{first, second} {
		own := publishedFrom(t, call(a.server, http.MethodPost, "/v1/events", `{"type":"a.b","id":"step-1"}`, bearing(key)...), http.StatusCreated)
		keyed := call(a.server, http.MethodPost, "/v1/events", fmt.Sprintf(`{"type":"a.b","data":%d}`, i), append(bearing(key), "Idempotency-Key", "k")...)
		if own[0].Duplicate || keyed.Code != http.StatusCreated {
			t.Errorf("agent %d: %+v, %d %s", i, own, keyed.Code, keyed.Body)
		}
	}
}

// TestAWaitingPullOfAKeyThatEndsIsRefused, long before its wait is over.
func TestAWaitingPullOfAKeyThatEndsIsRefused(t *testing.T) {
	t.Parallel()
	a, _, secret, id := revocable(t)
	if w := call(a.server, http.MethodPut, "/v1/subscriptions/x", `{}`, bearing(secret)...); w.Code != http.StatusCreated {
		t.Fatal(w.Code, w.Body)
	}
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() {
		answered <- call(a.server, http.MethodPost, "/v1/subscriptions/x/pull", `{"waitMs":60000}`, bearing(secret)...)
	}()
	waitingIs(t, a.server, 1)
	began := time.Now()
	if _, err := keys.Revoke(t.Context(), a.path, id); err != nil {
		t.Fatal(err)
	}
	if p := problemOf(t, <-answered); p.Code != sdk.CodeUnauthenticated || time.Since(began) > 30*time.Second {
		t.Errorf("%+v after %s", p, time.Since(began))
	}
}

// TestFilteredReadingTakesTurns: what may look through the whole log waits for its turn, a page of all events does not.
func TestFilteredReadingTakesTurns(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	publish(t, s, "a.b", 1, 3)
	for range eventScansOfAProject {
		if s.eventScans.count("default") == nil {
			t.Fatal("no room for as many as there may be")
		}
	}
	for query, want := range map[string]int{"": http.StatusOK, "?types=*": http.StatusTooManyRequests, "?subject=x": http.StatusTooManyRequests} {
		if w := call(s, http.MethodGet, "/v1/events"+query, ""); w.Code != want {
			t.Errorf("%q: %d, want %d", query, w.Code, want)
		}
	}
	s.eventScans.leave("default")
	if items := pageOf(t, s, "?types=*").Items; len(items) != 3 {
		t.Errorf("%d events", len(items))
	}
}
