package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func tell(t *testing.T, c *sdk.Client, opts ...sdk.FollowOption) (got []sdk.EventType) {
	t.Helper()
	for e, err := range c.TaskEvents(t.Context(), "t1", opts...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Type)
	}
	return got
}

// TestTaskEventsGoToTheEnd: over cuts, to the terminal event and no further.
func TestTaskEventsGoToTheEnd(t *testing.T) {
	t.Parallel()
	l := &eventLog{stream: func(n int, s *stream) {
		s.begin()
		s.send(1)
		if n%2 == 0 {
			s.cut()
		}
	}}
	c := l.serve(t)
	story := []sdk.EventType{"task.created", "task.assigned", "task.started", "task.progress", "task.completed"}
	l.add(append(story, "code.generated")...)
	if diff := cmp.Diff(story, tell(t, c)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(story[2:], tell(t, c, sdk.ResumeAfter("2"))); diff != "" {
		t.Error(diff)
	}
	l.stream = func(_ int, s *stream) { s.WriteHeader(http.StatusNoContent) } // all of it was read
	if got := tell(t, c, sdk.ResumeAfter("5")); len(got) != 0 {
		t.Errorf("after its end it goes on with %v", got)
	}
	if r := l.requests()[5]; r.URI != "/v1/tasks/t1/events" || r.Header.Get("Last-Event-ID") != sdk.FormatSequence(2) {
		t.Errorf("resumed with %s after %q", r.URI, r.Header.Get("Last-Event-ID"))
	}
}

func TestTaskEventsWithLiveOutput(t *testing.T) {
	t.Parallel()
	l := &eventLog{stream: func(_ int, s *stream) {
		s.begin()
		s.send(1)
		s.write("event: output\ndata: {\"attempt\":2,\"frames\":[{\"text\":\"hi\"},{\"delta\":\"!\"}]}\n\n" + "event: output\ndata: [\n\n")
		s.send(1)
	}}
	c := l.serve(t)
	l.add("task.created", "task.failed")
	var got []sdk.TaskOutput
	told := tell(t, c, sdk.LiveOutput(func(o sdk.TaskOutput) { got = append(got, o) }))
	if diff := cmp.Diff([]sdk.TaskOutput{{Attempt: 2, Frames: []sdk.OutputFrame{{Text: "hi"}, {Delta: "!"}}}}, got); diff != "" || len(told) != 2 {
		t.Errorf("%v %s", told, diff)
	}
	tell(t, c)
	r := l.requests()
	if r[0].URI != "/v1/tasks/t1/events?output=1" || r[1].URI != "/v1/tasks/t1/events" {
		t.Errorf("asked for %s and %s", r[0].URI, r[1].URI)
	}
}

// TestTaskWithoutAStory: a service that ends the stream at once, and once more, has nothing to tell, of a task that has ended.
func TestTaskWithoutAStory(t *testing.T) {
	t.Parallel()
	looks := 0
	l := &eventLog{
		stream: func(_ int, s *stream) { s.begin() },
		other: func(w http.ResponseWriter, _ *http.Request) {
			looks++
			status := sdk.StatusRunning
			if looks == 1 || looks >= 3 { // else the stream was cut
				status = sdk.StatusCompleted
			}
			if err := json.NewEncoder(w).Encode(sdk.Task{ID: "t1", Status: status}); err != nil {
				t.Error(err)
			}
		},
	}
	if got := tell(t, l.serve(t)); len(got) != 0 || looks != 4 || len(l.requests()) != 4 {
		t.Errorf("%v after %d looks and %d streams", got, looks, len(l.requests()))
	}
	l = &eventLog{stream: func(_ int, s *stream) { s.cut() }} // nobody can know
	for _, err := range l.serve(t).TaskEvents(t.Context(), "t1") {
		if !errors.Is(err, sdk.ErrUnavailable) {
			t.Errorf("a service that breaks off: %v", err)
		}
	}
	l = &eventLog{
		stream: func(_ int, s *stream) { s.begin() },
		other:  func(w http.ResponseWriter, _ *http.Request) { refuse(w, sdk.Errorf(sdk.CodeNotFound, "no task t1")) },
	}
	for _, err := range l.serve(t).TaskEvents(t.Context(), "t1") {
		if !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("a task that is gone: %v", err)
		}
	}
}

// TestOneQuietStreamIsNotTheEnd: of a task that has ended the terminal event can still come.
func TestOneQuietStreamIsNotTheEnd(t *testing.T) {
	t.Parallel()
	l := &eventLog{other: func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(sdk.Task{ID: "t1", Status: sdk.StatusCompleted}); err != nil {
			t.Error(err)
		}
	}}
	l.stream = func(n int, s *stream) {
		switch n {
		case 1:
			s.begin()
			s.send(1)
		case 3:
			l.add("task.completed")
			s.begin()
			s.all()
		default:
			s.begin()
		}
	}
	c := l.serve(t)
	l.add("task.created")
	if diff := cmp.Diff([]sdk.EventType{"task.created", "task.completed"}, tell(t, c)); diff != "" {
		t.Error(diff)
	}
	l.stream = func(n int, s *stream) { // all of it was read before, as the second stream says
		if n%2 == 0 {
			s.begin()
			return
		}
		s.WriteHeader(http.StatusNoContent)
	}
	if got := tell(t, c, sdk.ResumeAfter("2")); len(got) != 0 || len(l.requests()) != 6 {
		t.Errorf("%v after %d streams", got, len(l.requests()))
	}
}

// TestSilentConnectionIsDead: 45 seconds without a byte end a connection, heartbeats keep it, and what never answers is given up.
func TestSilentConnectionIsDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var opened []time.Duration
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			opened = append(opened, time.Since(began))
			nth := len(opened)
			if nth == 2 { // nobody answers at all
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			out, in := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
			go func() {
				for range 10 * (nth % 2) { // the first says something for 400 seconds
					pass(40 * time.Second)
					if _, err := io.WriteString(in, ":\n\n"); err != nil {
						return
					}
				}
				if nth > 2 {
					_, _ = io.WriteString(in, "id: 1\ndata: {\"type\":\"a\"}\n\n") // the reader has what it waits for
				}
			}()
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}, Body: out}, nil
		})
		c := client(t, sdk.Config{HTTPClient: &http.Client{Transport: transport}})
		var why []string
		for e, err := range c.Subscribe(t.Context(), sdk.EventFilter{}, sdk.OnInterruption(func(err error) { why = append(why, errors.Unwrap(err).Error()) })) {
			if err != nil || e.Type != "a" {
				t.Errorf("%+v, %v", e, err)
			}
			break
		}
		if len(opened) != 3 || opened[1].Round(time.Second) != 445*time.Second || opened[2].Round(time.Second) != 475*time.Second {
			t.Errorf("streams were opened at %v", opened)
		}
		if diff := cmp.Diff([]string{"nothing came for 45s", "nothing came for 30s"}, why); diff != "" {
			t.Error(diff)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
