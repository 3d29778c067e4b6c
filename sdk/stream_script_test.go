package sdk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// eventLog is a service with a log of events, whose streams are cut as the test says. Every stream that is opened is asked of.
type eventLog struct {
	mu     sync.Mutex
	events []sdk.Event
	more   chan struct{} // closed, and made anew, when there are more
	opened []asked

	// stream serves the n-th stream, from 0; nil is all from the position on and then what comes.
	stream func(n int, s *stream)
	// other answers everything but streams.
	other http.HandlerFunc
}

// stream is one connection to an eventLog.
type stream struct {
	http.ResponseWriter
	*http.Request
	log   *eventLog
	after uint64
}

// add appends events of a type.
func (l *eventLog) add(types ...sdk.EventType) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range types {
		n := uint64(len(l.events) + 1)
		l.events = append(l.events, sdk.Event{
			SpecVersion: "1.0", ID: fmt.Sprint("e", n), Source: "test", Type: t, Time: noon(int(n)), Sequence: sdk.FormatSequence(n), Data: json.RawMessage(`{"a":"b\nc"}`),
		})
	}
	if l.more != nil {
		close(l.more)
	}
	l.more = make(chan struct{})
}

// at is the event after a sequence, or what is closed when there are more.
func (l *eventLog) at(after uint64) (*sdk.Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < uint64(len(l.events)) {
		return &l.events[after], nil
	}
	return nil, l.more
}

func (l *eventLog) requests() []asked {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]asked(nil), l.opened...)
}

func (l *eventLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") != "text/event-stream, application/problem+json" {
		l.other(w, r)
		return
	}
	l.mu.Lock()
	n := len(l.opened)
	l.opened = append(l.opened, asked{Method: r.Method, URI: r.RequestURI, Header: r.Header})
	s := &stream{ResponseWriter: w, Request: r, log: l, after: uint64(len(l.events))}
	l.mu.Unlock()
	for _, from := range []string{r.URL.Query().Get("after"), r.Header.Get("Last-Event-ID")} {
		if at, err := sdk.ParseSequence(from); err == nil {
			s.after = at
		}
	}
	if r.URL.Query().Has("since") || r.URL.Path != "/v1/events/stream" && r.Header.Get("Last-Event-ID") == "" {
		s.after = 0
	}
	if l.stream == nil {
		s.begin()
		s.all()
		return
	}
	l.stream(n, s)
}

// begin sends the headers and a first comment.
func (s *stream) begin() {
	s.Header().Set("Content-Type", "text/event-stream")
	s.WriteHeader(http.StatusOK)
	s.write(": hello\n\n")
}

// Header is that of the answer.
func (s *stream) Header() http.Header { return s.ResponseWriter.Header() }

func (s *stream) write(text string) {
	if _, err := io.WriteString(s.ResponseWriter, text); err != nil {
		panic(http.ErrAbortHandler)
	}
	s.ResponseWriter.(http.Flusher).Flush()
}

// send sends the next n events, waiting for them; it reports false when the reader has gone.
func (s *stream) send(n int) bool {
	for range n {
		var e *sdk.Event
		for e == nil {
			var more <-chan struct{}
			if e, more = s.log.at(s.after); e == nil {
				select {
				case <-more:
				case <-s.Context().Done():
					return false
				}
			}
		}
		s.after++
		raw, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		s.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, raw))
	}
	return true
}

// all sends what there is and what comes.
func (s *stream) all() {
	for s.send(1) {
	}
}

// cut breaks the connection off.
func (s *stream) cut() { panic(http.ErrAbortHandler) }

// refuse answers a problem.
func (s *stream) refuse(e *sdk.Error) { refuse(s.ResponseWriter, e) }

func refuse(w http.ResponseWriter, e *sdk.Error) {
	p := e.Problem()
	w.Header().Set("Content-Type", sdk.ProblemContentType)
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// serve starts the service and a client of it. A stream of it ends before the test does.
func (l *eventLog) serve(t *testing.T) *sdk.Client {
	t.Helper()
	l.add()
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return client(t, sdk.Config{URL: server.URL})
}
