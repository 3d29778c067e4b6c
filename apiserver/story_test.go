package apiserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// logServer is an event log of its own, which can go and come back where it was.
type logServer struct {
	t   *testing.T
	cfg eventlog.ServerConfig
	*eventlog.Server
}

func newLogServer(t *testing.T) *logServer {
	t.Helper()
	l := &logServer{t: t, cfg: eventlog.ServerConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}}
	l.comes()
	l.cfg.Addr = strings.TrimPrefix(l.URL(), "nats://")
	t.Cleanup(func() { _ = l.Stop() })
	return l
}

func (l *logServer) comes() {
	l.t.Helper()
	var err error
	if l.Server, err = eventlog.StartServer(l.cfg); err != nil {
		l.t.Fatal(err)
	}
}

func (l *logServer) goes() {
	l.t.Helper()
	if err := l.Stop(); err != nil {
		l.t.Fatal(err)
	}
}

// stays fails the test unless the stream goes on without an event.
func (s *streaming) stays() *streaming {
	s.t.Helper()
	for beats := 0; beats < 3; {
		f, comment, err := s.block()
		if err != nil || f.data != "" {
			s.t.Fatalf("%+v, %v", f, err)
		}
		if comment == "still here" {
			beats++
		}
	}
	return s
}

func (f *followed) ended(id string, at time.Time) sdk.Task {
	var now sdk.Task
	f.tasks.change("shop", id, false, func(t *sdk.Task) {
		t.ID, t.Status, t.CompletedAt = id, sdk.StatusCompleted, &at
		now = *t
	})
	return now
}

// told reports whether nothing more will be told of a task.
func (f *followed) told(ctx context.Context, t sdk.Task) bool {
	return f.server.storyTold(ctx, f.log, streamedTask("shop", t.ID), lifeOf(t))
}

// TestATaskThatEndsWhileTheLogIsAway: its stream waits for the terminal event, which comes later than the log does.
func TestATaskThatEndsWhileTheLogIsAway(t *testing.T) {
	t.Parallel()
	server := newLogServer(t)
	f := newFollowed(t, func(c *eventlog.Config) { c.Dir, c.URL = "", server.URL() })
	f.server.times.heartbeat = 20 * time.Millisecond
	if err := f.log.Await(bounded(t)); err != nil {
		t.Fatal(err)
	}
	tellStory(t, f.log, "shop", f.task.ID, 1, sdk.EventTaskCreated)
	open := f.stream(t, "").begun()
	begun := open.mustNext()
	server.goes()
	for _, id := range []string{f.task.ID, "untold"} {
		f.ended(id, time.Now().Add(-time.Hour))
	}
	open.stays()
	server.comes()
	if err := f.log.Await(bounded(t)); err != nil {
		t.Fatal(err)
	}
	resumed := f.stream(t, "", headerLastEventID, begun.id).begun()
	untold := openStream(t, f.url+"/v1/tasks/untold/events", bearing(f.shop)...).begun()
	for _, st := range []*streaming{open, resumed, untold} {
		st.stays()
	}
	tellStory(t, f.log, "shop", f.task.ID, 2, sdk.EventTaskCompleted)
	tellStory(t, f.log, "shop", "untold", 1, sdk.EventTaskCompleted)
	for _, st := range []*streaming{open, resumed, untold} {
		if got := st.mustNext(); got.event != "task.completed" {
			t.Errorf("%+v", got)
		}
		if _, err := st.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want the end", err)
		}
	}
	f.stream(t, "", headerLastEventID, "3").want(http.StatusNoContent)
}

func TestStoryTold(t *testing.T) {
	t.Parallel()
	f := newFollowed(t)
	tellStory(t, f.log, "shop", "begun", 1, sdk.EventTaskCreated)
	tellStory(t, f.log, "shop", "whole", 1, sdk.EventTaskCreated, sdk.EventTaskCompleted, sdk.EventCodeGenerated)
	long := time.Now().Add(-time.Hour)
	for name, tc := range map[string]struct {
		task     sdk.Task
		patience time.Duration
		want     bool
	}{
		"it has not ended":            {f.task, 0, false},
		"nothing was told":            {f.ended("silent", long), 0, true},
		"its end was not told":        {f.ended("begun", long), 0, true},
		"its end is there":            {f.ended("whole", long), 0, false},
		"it has ended just now":       {f.ended("silent", time.Now().Add(time.Minute)), 0, false},
		"the log was just made ready": {f.ended("silent", long), 10 * time.Minute, false},
	} {
		f.server.times.patience = tc.patience
		if got := f.told(t.Context(), tc.task); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	f.server.times.patience = 0
	later := time.Now().Add(time.Minute)
	f.server.eventsAway.Store(&later)
	if f.told(t.Context(), f.ended("silent", long)) {
		t.Error("although the log was away a moment ago")
	}
	f.server.eventsAway.Store(nil)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if f.told(gone, f.ended("silent", long)) || f.server.eventsAway.Load() != nil {
		t.Error("a caller who hangs up says nothing of the log")
	}
	if err := f.log.Close(); err != nil {
		t.Fatal(err)
	}
	if f.told(t.Context(), f.ended("silent", long)) || f.server.eventsAway.Load() == nil {
		t.Error("although the log can not be asked")
	}
}
