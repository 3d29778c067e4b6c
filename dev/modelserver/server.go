package modelserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBody     = 8 << 20 // of a request
	maxRequests = 1000    // that are remembered
)

// Server answers by a script. It is an http.Handler for POST …/chat/completions, safe for concurrent use.
type Server struct {
	models Models

	mu       sync.Mutex
	asked    map[string]int // by model
	requests []Request      // the newest
	open     int
}

// New makes a server of one script for whatever model is asked, or answers what is wrong with it.
func New(script Script) (*Server, error) {
	if err := script.check(); err != nil {
		return nil, err
	}
	return NewModels(Models{"": script})
}

// NewModels makes a server of several models, or answers what is wrong with their scripts.
func NewModels(models Models) (*Server, error) {
	if err := models.check(); err != nil {
		return nil, err
	}
	s := &Server{models: Models{}, asked: map[string]int{}}
	for name, script := range models {
		s.models[name] = slices.Clone(script)
	}
	return s, nil
}

// Open counts the requests that are being answered.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Requests are what was asked so far, oldest first, at most the newest thousand.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v1/chat/completions", "/chat/completions":
	default:
		fail(w, Answer{Status: http.StatusNotFound, Text: "there is only /v1/chat/completions"})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, Answer{Status: http.StatusMethodNotAllowed, Text: "use POST"})
		return
	}
	var req Request
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		fail(w, Answer{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("a request has at most %d bytes", maxBody)})
		return
	}
	if err != nil || len(req.Messages) == 0 {
		fail(w, Answer{Status: http.StatusBadRequest, Text: "the body must be JSON with messages"})
		return
	}
	req.Key, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, n := s.next(req)
	defer s.leave()
	reply := reply{w: w, req: req, answer: a, n: n, created: time.Now().Unix()}
	switch {
	case a.Status != 0:
		if wait(r.Context(), a.Pause) {
			fail(w, a)
		}
	case req.Stream:
		reply.stream(r.Context())
	default:
		reply.whole(r.Context())
	}
}

// next remembers a request and answers its answer and number, counted from 1 for each model. Until leave is called it is open.
func (s *Server) next(req Request) (Answer, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == maxRequests {
		s.requests = slices.Delete(s.requests, 0, 1)
	}
	s.requests = append(s.requests, req)
	s.open++
	name := req.Model
	if s.models[name] == nil {
		name = ""
	}
	script := s.models[name]
	if script == nil {
		return Answer{Status: http.StatusNotFound, Text: fmt.Sprintf("model %q not found", req.Model)}, 0
	}
	s.asked[name]++
	return script[min(s.asked[name], len(script))-1], s.asked[name]
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// fail answers an error in the protocol's shape.
func fail(w http.ResponseWriter, a Answer) {
	w.Header().Set("Content-Type", "application/json")
	if a.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((a.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(a.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may have gone
		"error": map[string]any{"message": a.Text, "type": http.StatusText(a.Status), "code": a.Status},
	})
}

// reply is one answer on its way.
type reply struct {
	w       http.ResponseWriter
	req     Request
	answer  Answer
	n       int
	created int64
}

func (r reply) completion(object string, c ...choice) completion {
	return completion{
		ID: fmt.Sprintf("chatcmpl-%d", r.n), Object: object, Created: r.created, Model: r.req.Model, Choices: append([]choice{}, c...),
	}
}

func (r reply) whole(ctx context.Context) {
	if !wait(ctx, r.answer.Pause) {
		return
	}
	if r.answer.Hang {
		<-ctx.Done()
		return
	}
	finish := r.answer.finish()
	c := r.completion("chat.completion", choice{
		Message: &said{Role: "assistant", Content: r.answer.Text, ToolCalls: r.answer.calls(r.n)}, FinishReason: &finish,
	})
	c.Usage = r.answer.usage()
	r.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(r.w).Encode(c) // the client may have gone
}

// stream sends the answer in pieces: the role, the words, the calls, the end, and what it took when that was asked for.
func (r reply) stream(ctx context.Context) {
	r.w.Header().Set("Content-Type", "text/event-stream")
	const object = "chat.completion.chunk"
	pieces := []completion{r.completion(object, choice{Delta: &said{Role: "assistant"}})}
	for _, word := range r.answer.pieces() {
		pieces = append(pieces, r.completion(object, choice{Delta: &said{Content: word}}))
	}
	for _, call := range r.answer.calls(r.n) {
		pieces = append(pieces, r.completion(object, choice{Delta: &said{ToolCalls: []toolCall{call}}}))
	}
	for _, c := range pieces {
		if !wait(ctx, r.answer.Pause) || !r.send(c) {
			return
		}
		if r.answer.Cut {
			panic(http.ErrAbortHandler) //nolint:forbidigo // the way net/http offers to break a connection off
		}
	}
	if r.answer.Hang {
		<-ctx.Done()
		return
	}
	finish := r.answer.finish()
	r.send(r.completion(object, choice{Delta: &said{}, FinishReason: &finish}))
	if r.req.StreamOptions.IncludeUsage {
		last := r.completion(object)
		last.Usage = r.answer.usage()
		r.send(last)
	}
	_, _ = io.WriteString(r.w, "data: [DONE]\n\n") // the client may have gone
}

// send sends one piece at once, and answers whether it went out.
func (r reply) send(c completion) bool {
	raw, err := json.Marshal(c)
	if err == nil {
		_, err = fmt.Fprintf(r.w, "data: %s\n\n", raw)
	}
	return err == nil && http.NewResponseController(r.w).Flush() == nil
}

// wait waits for d and answers whether the client is still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
