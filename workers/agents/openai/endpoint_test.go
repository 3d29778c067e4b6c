package openai

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// patience is how long a test waits for a fact before it fails.
const patience = 20 * time.Second

// asked is one request as an endpoint gets it.
type asked struct {
	Method, Path string
	Header       http.Header
	Body         struct {
		Model         string
		Stream        bool
		StreamOptions map[string]bool `json:"stream_options"`
		Messages      []struct{ Role, Content string }
	}
}

// endpoint is an HTTP server that speaks the protocol, and what it was asked.
type endpoint struct {
	url string

	mu   sync.Mutex
	list []asked
}

// serve answers every request with answer.
func serve(t *testing.T, answer http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := asked{Method: r.Method, Path: r.URL.Path, Header: r.Header}
		if err := json.NewDecoder(r.Body).Decode(&a.Body); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		e.mu.Lock()
		e.list = append(e.list, a)
		e.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	e.url = server.URL + "/v1"
	return e
}

// requests are what it was asked so far.
func (e *endpoint) requests() []asked {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// agent asks the endpoint for the model small.
func (e *endpoint) agent(t *testing.T, change ...func(*Config)) *Agent {
	t.Helper()
	c := Config{BaseURL: e.url, Model: "small", Providers: []string{"ollama"}}
	for _, f := range change {
		f(&c)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// stream answers with a stream of these events.
func stream(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			send(w, e)
		}
	}
}

// send sends one event at once.
func send(w http.ResponseWriter, event string) {
	_, _ = fmt.Fprintf(w, "data: %s\n\n", event) // the client may have gone
	_ = http.NewResponseController(w).Flush()
}

// says is a piece of an answer.
func says(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		return err.Error()
	}
	return `{"id":"c","object":"chat.completion.chunk","model":"small-2026","choices":[{"index":0,"delta":{"content":` + string(raw) + `},"finish_reason":null}],"usage":null}`
}

// ends is the last piece.
func ends(reason string) string {
	return `{"id":"c","object":"chat.completion.chunk","model":"small-2026","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

const (
	took = `{"id":"c","object":"chat.completion.chunk","model":"small-2026","choices":[],"usage":{"prompt_tokens":70,"completion_tokens":5,"total_tokens":75}}`
	done = "[DONE]"
)

// refuses answers with a status, and what else is said as "Header: value" lines before the body.
func refuses(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have gone
	}
}

// desk is a reporter that keeps what it is told.
type desk struct {
	mu     sync.Mutex
	told   []string
	frames []sdk.OutputFrame
	spent  sdk.Metrics
	heard  chan struct{} // gets a notice of the first piece
}

func newDesk() *desk { return &desk{heard: make(chan struct{}, 1)} }

func (d *desk) Progress(p sdk.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, fmt.Sprintf("%s|%s|%s|%s", p.Category, p.Phase, p.Message, p.Delta))
}

func (*desk) Resume(json.RawMessage) error { return nil }

func (d *desk) Spent(m sdk.Metrics) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spent = m
}

func (d *desk) Output(frames ...sdk.OutputFrame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frames = append(d.frames, frames...)
	select {
	case d.heard <- struct{}{}:
	default:
	}
}

func task() *sdk.Assignment {
	return &sdk.Assignment{Task: sdk.Task{
		ID: "task-1", Type: sdk.TypeCodeReview, Role: sdk.RoleReviewer, Title: "Look at the diff", Description: "All of it.", Input: json.RawMessage(`{"diff":"+x"}`),
	}, Attempt: 1, MaxAttempts: 3}
}
