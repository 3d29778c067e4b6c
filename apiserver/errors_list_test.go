package apiserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// failed is an event of a task at a minute.
func failed(task string, seq, minute int, kind sdk.EventType, data any) sdk.Event {
	raw, _ := json.Marshal(data)
	return sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprintf("%s.%d", task, seq), Source: "workflow/task", Type: kind, Task: task, Seq: seq,
		Time: time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC), Data: raw,
	}
}

func tell(t testing.TB, l *eventlog.Log, task string, events ...sdk.Event) {
	t.Helper()
	part := eventlog.StoryPart{Story: eventlog.Story{Kind: eventlog.KindTask, ID: task}, Events: events}
	if err := l.AppendStory(t.Context(), "default", part); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsAreGroupedByFingerprint(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	timeout := func(n int) *sdk.TaskError {
		return &sdk.TaskError{Code: "attempt_timeout", Message: fmt.Sprintf("after %d s", n)}
	}
	broken := &sdk.TaskError{Code: "agent_failed", Message: strings.Repeat("long ", 1000)}
	log := s.cfg.Events
	tell(t, log, "a",
		failed("a", 1, 1, sdk.EventTaskCreated, sdk.TaskCreated{TaskID: "a"}),
		failed("a", 2, 2, sdk.EventTaskRetrying, sdk.TaskRetrying{TaskID: "a", Role: "coder", Outcome: "timed_out", Error: timeout(1), Fingerprint: "f1"}),
		failed("a", 3, 3, sdk.EventTaskRetrying, sdk.TaskRetrying{TaskID: "a", Role: "coder", Outcome: "interrupted"}), // no failure
		failed("a", 4, 4, sdk.EventTaskFallback, sdk.TaskFellBack{TaskID: "a", FromRole: "coder", ToRole: "tester", Error: timeout(2), Fingerprint: "f1"}),
		failed("a", 5, 5, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "a", Role: "tester", Error: broken, Fingerprint: "f2"}))
	tell(t, log, "b",
		failed("b", 1, 9, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "b", Role: "coder", Error: timeout(3), Fingerprint: "f1"}))
	tell(t, log, "c",
		failed("c", 1, 0, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "c", Role: "coder", Error: timeout(4), Fingerprint: "f1"}), // late in the log
		failed("c", 2, 1, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "c", Role: "coder", Error: &sdk.TaskError{Code: "terminated"}}))
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }
	want := []sdk.ErrorGroup{
		{Fingerprint: "f1", Code: "attempt_timeout", Role: "coder", Message: "after 3 s", Count: 4, FirstAt: at(0), LastAt: at(9), ExampleTask: "b"},
		{Fingerprint: "f2", Code: "agent_failed", Role: "tester", Message: sdk.Cut(broken.Message, maxErrorMessage), Count: 1, FirstAt: at(5), LastAt: at(5), ExampleTask: "a"},
		{Code: "terminated", Role: "coder", Count: 1, FirstAt: at(1), LastAt: at(1), ExampleTask: "c"},
	}
	future := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	for query, groups := range map[string][]sdk.ErrorGroup{"": want, "?limit=1": want[:1], "?since=" + future: {}, "?limit=200&since=2026-01-01T00:00:00Z": want} {
		var got sdk.ErrorGroups
		w := call(s, http.MethodGet, "/v1/errors"+query, "")
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		if diff := cmp.Diff(sdk.ErrorGroups{Items: groups}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
	for query, path := range map[string]string{"?since=": "query.since", "?since=1h": "query.since", "?since=2201-01-01T00:00:00Z": "query.since", "?limit=0": "query.limit", "?limit=201": "query.limit", "?code=x": "query.code"} {
		if p := problemOf(t, call(s, http.MethodGet, "/v1/errors"+query, "")); p.Code != sdk.CodeInvalidInput || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %+v", query, p)
		}
	}
}

// TestErrorsAreBounded: where there is too much to look at, the answer says so.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	s.errorPart = 500
	events := make([]sdk.Event, sdk.MaxEventBatch)
	old, newest := failed("old", 1, 1, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "old", Fingerprint: "old"}), failed("new", 1, 1, sdk.EventTaskFailed, sdk.TaskEnded{TaskID: "new", Fingerprint: "new"})
	tell(t, s.cfg.Events, "old", old)
	for n := 0; n <= errorScanParts*s.errorPart; n += len(events) {
		for i := range events {
			events[i] = sdk.Event{SpecVersion: sdk.EventSpecVersion, ID: fmt.Sprint(n + i), Source: "key/test", Type: "x.y", Time: time.Unix(1, 0)}
		}
		if _, err := s.cfg.Events.Append(t.Context(), "default", events); err != nil {
			t.Fatal(err)
		}
	}
	tell(t, s.cfg.Events, "new", newest)
	var got sdk.ErrorGroups
	w := call(s, http.MethodGet, "/v1/errors", "")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !got.Truncated || len(got.Items) != 1 || got.Items[0].Fingerprint != "new" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	groups := newErrorGroups(errorScanPart)
	for i := range maxErrorGroups + 10 {
		groups.enter(sdk.ErrorGroup{Fingerprint: fmt.Sprint(i)})
	}
	groups.enter(sdk.ErrorGroup{Fingerprint: "0"})
	if len(groups.groups) != maxErrorGroups || !groups.full || groups.most(1)[0].Count != 2 {
		t.Errorf("%d groups, full %v", len(groups.groups), groups.full)
	}
}

// TestScansTakeTurns: a project has so many at a time, all together fewer, and what waits too long is told to come again.
func TestScansTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScans(errorScansAtOnce, errorScansOfAProject)
		var leaving []func()
		for _, project := range []string{"p", "o"} {
			leaving = append(leaving, mustEnter(t, s, project))
		}
		waiting := errorScansOfAProject - 1
		answers := manyEnter(t, s, "p", waiting)
		synctest.Wait()
		if _, err := s.enter(t.Context(), "p"); errorOf(err).Code != sdk.CodeRateLimited {
			t.Errorf("one too many: %v", err)
		}
		began := time.Now()
		if _, err := s.enter(t.Context(), "q"); errorOf(err).Code != sdk.CodeRateLimited || time.Since(began) != scanTurn {
			t.Errorf("another project while all are busy: %v after %s", err, time.Since(began))
		}
		for range waiting {
			if err := <-answers; errorOf(err).Code != sdk.CodeRateLimited {
				t.Errorf("one that waited for long: %v", err)
			}
		}
		for _, leave := range leaving {
			leave()
		}
		mustEnter(t, s, "q")()
		if len(s.ofProject) != 0 || len(s.places) != 0 {
			t.Errorf("counted when they are over: %v, %d", s.ofProject, len(s.places))
		}
	})
}

// TestALoudProjectLeavesAPlaceToOthers, however many of it wait.
func TestALoudProjectLeavesAPlaceToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScans(eventScansAtOnce, eventScansOfAProject)
		answers := manyEnter(t, s, "loud", eventScansOfAProject)
		synctest.Wait()
		began := time.Now()
		for range 3 {
			mustEnter(t, s, "quiet")()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a quiet project waited for %s", took)
		}
		entered := 0
		for range eventScansOfAProject {
			if err := <-answers; err == nil {
				entered++
			}
		}
		if entered != eventScansAtOnce-1 || len(s.places) != entered {
			t.Errorf("%d of a loud project were answered, %d places are taken", entered, len(s.places))
		}
	})
}

func mustEnter(t *testing.T, s *scans, project string) (leave func()) {
	t.Helper()
	leave, err := s.enter(t.Context(), project)
	if err != nil {
		t.Fatalf("%s: %v", project, err)
	}
	return leave
}

// manyEnter has so many of a project ask for a turn, which those that get one never end.
func manyEnter(t *testing.T, s *scans, project string, many int) <-chan error {
	t.Helper()
	answers := make(chan error, many)
	for range many {
		go func() {
			_, err := s.enter(t.Context(), project)
			answers <- err
		}()
	}
	return answers
}
