package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// asProgram makes this test binary be the program: its main is the same.
const asProgram = "ROLECALL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv(asProgram); ok { //nolint:forbidigo // this process decides what it is
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds what a test waits for; it is never waited out when all is well.
const patience = 30 * time.Second

// program is the rolecall program with arguments and an environment of its own. With the race detector it would rest a second before it exits.
func program(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{asProgram + "=1", "PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "TEMPORAL_CONFIG_FILE=/dev/null", "ROLECALL_METRICS_ADDR=off", "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

type outcome struct {
	code           int
	stdout, stderr string
}

// rolecall runs the program to its end against a service.
func rolecall(t *testing.T, url, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, []string{"EVENTS_SERVICE_URL=" + url, "TASK_POLLING_INTERVAL=50"}, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() < 0 {
		t.Fatalf("rolecall %v: %v\n%s%s", args, err, &stdout, &stderr)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// service is a scripted rolecall: one task that takes the given states look by look, and what was asked of it.
type service struct {
	*httptest.Server
	mu        sync.Mutex
	states    []sdk.Task
	refusal   *sdk.Error
	tasksOnly bool // readiness is not refused
	posts     []post
	looked    chan struct{} // closed at the first look
	gone      *sdk.Error    // the answer to every look but the first
}

// post is a request that changes something.
type post struct{ key, body string }

func (s *service) posted() []post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]post(nil), s.posts...)
}

// refuse makes every answer a refusal; nil takes it back.
func (s *service) refuse(e *sdk.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = e
}

// refuseFromTheSecondLook makes every look but the first a refusal.
func (s *service) refuseFromTheSecondLook(e *sdk.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = e
}

// refuseTasks makes every answer about tasks a refusal.
func (s *service) refuseTasks(e *sdk.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal, s.tasksOnly = e, true
}

func serving(t *testing.T, states ...sdk.Task) *service {
	t.Helper()
	s := &service{states: states, looked: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/tasks", s.post)
	mux.HandleFunc("POST /v1/tasks/{id}/{verb}", s.post)
	mux.HandleFunc("GET /v1/tasks/{id}", s.get)
	mux.HandleFunc("GET /v1/tasks/{id}/progress", s.progress)
	mux.HandleFunc("GET /readyz", s.ready)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *service) post(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.posts = append(s.posts, post{r.Header.Get("Idempotency-Key"), body.String()})
	now := s.states[0]
	s.mu.Unlock()
	s.answer(w, now)
}

func (s *service) get(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	now := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	select {
	case <-s.looked:
		if s.gone != nil {
			s.refusal = s.gone
		}
	default:
		close(s.looked)
	}
	s.mu.Unlock()
	s.answer(w, now)
}

func (s *service) ready(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	tasksOnly := s.tasksOnly
	s.mu.Unlock()
	if tasksOnly {
		_, _ = io.WriteString(w, `{"status":"ready"}`)
		return
	}
	s.answer(w, map[string]string{"status": "ready"})
}

func (s *service) progress(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, map[string]any{"items": []sdk.Progress{}})
}

func (s *service) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	refusal := s.refusal
	s.mu.Unlock()
	if refusal != nil {
		p := refusal.Problem()
		w.Header().Set("Content-Type", sdk.ProblemContentType)
		w.WriteHeader(p.Status)
		v = p
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func noon(seconds int) time.Time { return time.Date(2026, 1, 2, 12, 0, seconds, 0, time.UTC) }

// taskIn is a task in a status, changed as the test wants it.
func taskIn(status sdk.Status, change func(*sdk.Task)) sdk.Task {
	t := sdk.Task{
		ID: "t1", Type: "code.write", Role: "coder", Title: "Write it", Priority: "medium", Status: status, Attempt: 1, MaxAttempts: 3,
		CreatedAt: noon(0),
	}
	if status.Terminal() {
		t.CompletedAt = new(noon(30))
		t.Result = &sdk.Result{Status: status}
	}
	if change != nil {
		change(&t)
	}
	return t
}
