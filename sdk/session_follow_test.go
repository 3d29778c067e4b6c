package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// sessionLog is a service with one session, s1, whose streams are cut as the test says.
type sessionLog struct {
	mu     sync.Mutex
	events []sdk.SessionEvent
	more   chan struct{}
	opened chan struct{}                                // has one for each stream; nil: nobody asks
	asked  []string                                     // Last-Event-ID of each stream
	cut    func(stream, event int) bool                 // whether a stream ends before its n-th event
	other  func(w http.ResponseWriter, r *http.Request) // answers everything but streams
	status sdk.SessionStatus
}

func (l *sessionLog) tell(events ...sdk.SessionEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		e.Sequence = sdk.FormatSequence(uint64(10 * (len(l.events) + 1))) // others write between
		l.events = append(l.events, e)
	}
	if l.more != nil {
		close(l.more)
	}
	l.more = make(chan struct{})
}

func (l *sessionLog) at(n int) (*sdk.SessionEvent, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < len(l.events) {
		return &l.events[n], nil
	}
	return nil, l.more
}

func (l *sessionLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/v1/sessions/s1/events" && (r.URL.RawQuery == "" || r.URL.RawQuery == "after=now"):
		l.stream(w, r)
	case r.URL.Path == "/v1/sessions/s1":
		l.mu.Lock()
		s := sdk.Session{ID: "s1", Status: l.status}
		if r.Method == http.MethodDelete {
			l.status, s.Status = sdk.SessionClosed, sdk.SessionClosing
		}
		l.mu.Unlock()
		if err := json.NewEncoder(w).Encode(s); err != nil {
			panic(http.ErrAbortHandler)
		}
	case l.other != nil:
		l.other(w, r)
	default:
		refuse(w, sdk.Errorf(sdk.CodeNotFound, "%s", r.URL))
	}
}

func (l *sessionLog) stream(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	l.mu.Lock()
	n := len(l.asked)
	l.asked = append(l.asked, last+r.URL.RawQuery)
	now := 0
	if r.URL.RawQuery != "" {
		now = len(l.events)
		last = sdk.FormatSequence(uint64(10 * now))
	}
	l.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			panic(http.ErrAbortHandler)
		}
		w.(http.Flusher).Flush()
	}
	say(": hello\n\n")
	if l.opened != nil {
		l.opened <- struct{}{}
	}
	if now > 0 {
		say("id: %s\n\n", last)
	}
	for i, told := 0, 0; ; {
		e, more := l.at(i)
		switch {
		case e == nil:
			select {
			case <-more:
			case <-r.Context().Done():
				return
			}
			continue
		case e.Sequence <= last:
			i++
			continue
		case l.cut != nil && l.cut(n, told):
			say("id: %s\n\n", sdk.FormatSequence(uint64(10*i+3))) // how far the log was read
			return
		}
		raw, err := json.Marshal(e)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		say("id: %s\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, raw)
		if e.Type == sdk.SessionCloseEvent {
			return
		}
		i, told = i+1, told+1
	}
}

func (l *sessionLog) serve(t *testing.T) *sdk.SessionHandle {
	t.Helper()
	l.tell()
	l.status = sdk.SessionOpen
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return held(t, client(t, sdk.Config{URL: server.URL}))
}

func sessionStory(tasks int) (events []sdk.SessionEvent) {
	events = append(events, sdk.SessionEvent{Type: sdk.SessionStartEvent, Payload: sdk.SessionPayload{SessionID: "s1"}})
	for i := range tasks {
		id := fmt.Sprint("t", i)
		events = append(events, sdk.SessionEvent{Type: sdk.TaskStartEvent, Payload: sdk.SessionPayload{TaskID: id}},
			sdk.SessionEvent{Type: sdk.TaskCompleteEvent, Payload: sdk.SessionPayload{TaskID: id}})
	}
	return append(events, sdk.SessionEvent{Type: sdk.SessionCloseEvent, Payload: sdk.SessionPayload{SessionID: "s1"}})
}

// TestSessionEventsLoseAndRepeatNothing: a stream that is cut after every two events is told whole, once, and ends with the session.
func TestSessionEventsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	l := &sessionLog{cut: func(_, event int) bool { return event == 2 }}
	s := l.serve(t)
	story := sessionStory(3)
	l.tell(story...)
	var cuts int
	var got []sdk.SessionEvent
	for e, err := range s.Events(t.Context(), sdk.OnInterruption(func(error) { cuts++ }), sdk.LiveOutput(func(sdk.TaskOutput) {})) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *e)
	}
	for i := range story {
		story[i].Sequence = sdk.FormatSequence(uint64(10 * (i + 1)))
	}
	if diff := cmp.Diff(story, got); diff != "" || cuts != 3 {
		t.Errorf("%d cuts: %s", cuts, diff)
	}
	if diff := cmp.Diff([]string{"", sdk.FormatSequence(23), sdk.FormatSequence(43), sdk.FormatSequence(63)}, l.asked); diff != "" {
		t.Error(diff)
	}
	var rest []string
	for e, err := range s.Events(t.Context(), sdk.ResumeAfter("60")) {
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, string(e.Type))
	}
	if got := strings.Join(rest, " "); got != "task_complete session_close" {
		t.Errorf("resumed: %s", got)
	}
	for _, err := range s.Events(t.Context(), sdk.ResumeAfter("here")) {
		if !errors.Is(err, sdk.ErrInvalidInput) {
			t.Errorf("%v", err)
		}
	}
}

// TestSessionEventsOfASilentSession: the stream of a session that has closed, and of which nothing is told, ends.
func TestSessionEventsOfASilentSession(t *testing.T) {
	t.Parallel()
	l := &sessionLog{}
	s := l.serve(t)
	l.tell(sessionStory(0)...)
	l.cut = func(int, int) bool { return true }
	l.mu.Lock()
	l.status = sdk.SessionClosed
	l.mu.Unlock()
	for e, err := range s.Events(t.Context()) {
		t.Errorf("%v, %v", e, err)
	}
	if len(l.asked) != 2 {
		t.Errorf("asked %d times", len(l.asked))
	}
}

// TestSubscribedHandlersHearOfTheEnd: when SendTask and Close return, the handler was told of what they did; after unsubscribe of nothing.
func TestSubscribedHandlersHearOfTheEnd(t *testing.T) {
	t.Parallel()
	l := &sessionLog{}
	story := sessionStory(1)
	finish := make(chan struct{})
	l.other = func(w http.ResponseWriter, r *http.Request) {
		task := sdk.Task{ID: "t0", Status: sdk.StatusQueued}
		if r.Method == http.MethodGet {
			close(finish)
			task.Status = sdk.StatusCompleted
		}
		if err := json.NewEncoder(w).Encode(task); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	s := l.serve(t)
	var mu sync.Mutex
	var got []string
	heard := func(e *sdk.SessionEvent, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		if e.Type == sdk.TaskCompleteEvent {
			<-finish // the call that waits for the task may have its answer first
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(e.Type))
	}
	unsubscribe := s.Subscribe(heard)
	ended := s.Subscribe(func(*sdk.SessionEvent, error) {})
	ended()
	l.tell(story[:3]...)
	if _, err := s.SendTask(t.Context(), sdk.TypeExecute, "do it"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	if diff := cmp.Diff([]string{"session_start", "task_start", "task_complete"}, got); diff != "" {
		t.Error(diff)
	}
	mu.Unlock()
	l.tell(story[3])
	if _, err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	unsubscribe()
	unsubscribe()
	if diff := cmp.Diff([]string{"session_start", "task_start", "task_complete", "session_close"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestSessionEventsFromNow: what was before is not told, also not after a cut before the first event.
func TestSessionEventsFromNow(t *testing.T) {
	t.Parallel()
	l := &sessionLog{opened: make(chan struct{}, 2), cut: func(stream, _ int) bool { return stream == 0 }}
	s := l.serve(t)
	story := sessionStory(1)
	l.tell(story[:2]...)
	var got []string
	told := make(chan struct{})
	go func() {
		defer close(told)
		for e, err := range s.Events(t.Context(), sdk.FromNow()) {
			if err != nil {
				t.Error(err)
				return
			}
			got = append(got, string(e.Type))
		}
	}()
	<-l.opened
	l.tell(story[2:]...)
	<-told
	if diff := cmp.Diff([]string{"task_complete", "session_close"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"after=now", sdk.FormatSequence(23)}, l.asked); diff != "" {
		t.Error(diff)
	}
}

// TestHandlersCanUnsubscribe themselves: the call returns, and nothing more is told.
func TestHandlersCanUnsubscribe(t *testing.T) {
	t.Parallel()
	l := &sessionLog{}
	s := l.serve(t)
	l.tell(sessionStory(1)...)
	own, returned := make(chan func(), 1), make(chan struct{})
	calls := 0
	unsubscribe := s.Subscribe(func(*sdk.SessionEvent, error) {
		calls++
		(<-own)()
		close(returned)
	})
	own <- unsubscribe
	<-returned
	unsubscribe()
	if calls != 1 {
		t.Errorf("called %d times", calls)
	}
}

// TestSubscribeTellsWhyItEnds: a stream that is refused is told once, with the error alone.
func TestSubscribeTellsWhyItEnds(t *testing.T) {
	t.Parallel()
	refused := make(chan error, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			refuse(w, sdk.Errorf(sdk.CodeForbidden, "no"))
			return
		}
		if err := json.NewEncoder(w).Encode(wholeSession()); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	s := held(t, client(t, sdk.Config{URL: server.URL}))
	unsubscribe := s.Subscribe(func(e *sdk.SessionEvent, err error) {
		if e != nil {
			t.Errorf("an event %+v", e)
		}
		refused <- err
	})
	if err := <-refused; !errors.Is(err, sdk.ErrForbidden) {
		t.Error(err)
	}
	unsubscribe()
	if len(refused) != 0 {
		t.Errorf("told again: %v", <-refused)
	}
}
