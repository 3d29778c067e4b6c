package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestServeAnswersWaitsWhenItStops(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard, func(c *Config) { c.ShutdownGrace = time.Minute })
	task := mustCreate(t, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()

	type answer struct {
		status int
		task   sdk.Task
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String() + "/v1/tasks/" + task.ID + "?waitMs=60000")
		if err != nil {
			answered <- answer{err: err}
			return
		}
		a := answer{status: resp.StatusCode}
		a.err = json.NewDecoder(resp.Body).Decode(&a.task)
		answered <- a
		_ = resp.Body.Close()
	}()
	<-tasks.waiting
	stopped := time.Now()
	stop()
	a := <-answered
	if a.err != nil || a.status != http.StatusOK || a.task.ID != task.ID || a.task.Status != sdk.StatusQueued {
		t.Errorf("the wait was answered %+v", a)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(stopped); took > 30*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if _, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err == nil {
		t.Error("it still listens")
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	s := newTestServer(t, panicking{newMemoryTasks()}, &logs)
	w := call(s, http.MethodGet, "/v1/tasks/a", "", "X-Request-Id", "my-request.1")
	p := problemOf(t, w)
	if p.Code != sdk.CodeInternal || p.Instance != "my-request.1" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%+v", p)
	}
	if strings.Contains(logs.String(), "secret") {
		t.Errorf("the log holds what the panic says: %s", logs.String())
	}
	if !strings.Contains(logs.String(), `"panic":"string"`) || !strings.Contains(logs.String(), "panicking.GetTask") || !strings.Contains(logs.String(), `"requestId":"my-request.1"`) {
		t.Errorf("the log does not tell: %s", logs.String())
	}
}

func TestFailuresOfTheEngine(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, &logs)
	tasks.failure = &sdk.Error{Code: sdk.CodeUnavailable, Message: "Temporal can not be reached", RetryAfter: 1500 * time.Millisecond}
	for _, path := range []string{"/readyz", "/v1/tasks/a", "/v1/tasks/a?waitMs=1"} {
		w := call(s, http.MethodGet, path, "")
		if p := problemOf(t, w); p.Code != sdk.CodeUnavailable || w.Header().Get("Retry-After") != "2" {
			t.Errorf("%s: %+v, Retry-After %q", path, p, w.Header().Get("Retry-After"))
		}
	}
	tasks.failure = sdk.Errorf(sdk.CodeInternal, "the inner cause")
	w := call(s, http.MethodPost, "/v1/tasks", okBody)
	if p := problemOf(t, w); p.Code != sdk.CodeInternal || strings.Contains(w.Body.String(), "inner cause") {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(logs.String(), "the inner cause") {
		t.Error("the cause is not in the log")
	}
	tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "it does not say when")
	if w := call(s, http.MethodGet, "/v1/tasks/a", ""); problemOf(t, w).Code != sdk.CodeUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("unavailable: Retry-After %q", w.Header().Get("Retry-After"))
	}
	tasks.failure = nil
	s.ready.last.Store(nil) // a second later
	if w := call(s, http.MethodGet, "/readyz", ""); w.Code != http.StatusOK {
		t.Errorf("ready again: %d", w.Code)
	}
	s.drain()
	if w := call(s, http.MethodGet, "/readyz", ""); problemOf(t, w).Code != sdk.CodeUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("stopping: %v", w.Header())
	}
}

func TestLogHoldsNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	s := newTestServer(t, newMemoryTasks(), &logs)
	const secret = "hunter2hunter2"
	task := mustCreate(t, s)
	call(s, http.MethodPost, "/v1/tasks", `{"type":"code.write","title":"`+secret+`","input":"`+secret+`"}`, "Idempotency-Key", secret, "Authorization", "Bearer "+secret)
	call(s, http.MethodPost, "/v1/tasks", `{"`+secret+`":1}`)
	call(s, http.MethodGet, "/v1/tasks/"+task.ID+"?"+secret+"="+secret, "", "X-Request-Id", secret+" ")
	call(s, http.MethodGet, "/"+secret, "", "Rolecall-Project", secret+".")
	call(s, secret, "/v1/tasks", "")
	if strings.Contains(logs.String(), secret) {
		t.Errorf("the log holds what it must not: %s", logs.String())
	}
	var line struct {
		Method, Route, RequestID, Project string
		Status                            int
	}
	if err := json.Unmarshal(logs.Bytes()[:bytes.IndexByte(logs.Bytes(), '\n')], &line); err != nil {
		t.Fatal(err)
	}
	if line.Method != http.MethodPost || line.Route != "/v1/tasks" || line.Status != 201 || line.Project != "default" || line.RequestID == "" {
		t.Errorf("the first line: %+v", line)
	}
}

func TestOwnOriginAndCORS(t *testing.T) {
	t.Parallel()
	const app = "https://app.example"
	plain := newTestServer(t, newMemoryTasks(), io.Discard)
	w := call(plain, http.MethodPost, "/v1/tasks", okBody, "Origin", "http://127.0.0.1:3009")
	if w.Code != http.StatusCreated || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the server's own page: %d %v", w.Code, w.Header())
	}
	for _, host := range []string{"localhost", "LOCALHOST:1", "127.9.9.9:80", "[::1]:3009", "[::1]"} {
		if w := call(plain, http.MethodGet, "/healthz", "", "Host", host); w.Code != http.StatusOK {
			t.Errorf("Host %s: %d", host, w.Code)
		}
	}
	open := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.CORSOrigins = []string{app} })
	w = call(open, http.MethodPost, "/v1/tasks", okBody, "Origin", app)
	if w.Code != http.StatusCreated || w.Header().Get("Access-Control-Allow-Origin") != app {
		t.Errorf("a configured page: %d %v", w.Code, w.Header())
	}
	w = call(open, http.MethodOptions, "/v1/tasks", "", "Origin", app, "Access-Control-Request-Method", "POST")
	if w.Code != http.StatusNoContent || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("its preflight: %d %v", w.Code, w.Header())
	}
	problemOf(t, call(open, http.MethodOptions, "/v1/tasks", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"))
}

// An embedded event log is of one process, and so are the sealing keys beside it.
func TestConfigSharesLeases(t *testing.T) {
	t.Parallel()
	const url = "nats://127.0.0.1:4222"
	for name, tc := range map[string]struct {
		keys, url string
		want      bool
	}{"alone": {}, "one file of keys": {"keys", "", true}, "one event log": {"", url, true}, "both": {"keys", url, true}} {
		if got := (Config{LeaseKeysFile: tc.keys}).SharesLeases(eventlog.Config{URL: tc.url, Dir: "events"}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Addr: "0.0.0.0:3009", TemporalUIURL: "8233", CORSOrigins: []string{"https://a.example/"}, ShutdownGrace: -1}, nil, nil)
	if err == nil {
		t.Fatal("taken")
	}
	for _, name := range []string{"ROLECALL_ADDR", "no API keys", "ROLECALL_TEMPORAL_UI_URL", "ROLECALL_CORS_ORIGINS", "ROLECALL_SHUTDOWN_GRACE"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	for _, addr := range []string{":3009", "example.com:1", "127.0.0.1", "", "[::]:1", "10.0.0.1:3009"} {
		if err := (Config{Addr: addr}).Validate(); err == nil {
			t.Errorf("%q is taken", addr)
		}
	}
	for _, addr := range []string{"localhost:0", "127.0.0.1:3009", "[::1]:3009"} {
		if err := (Config{Addr: addr}).Validate(); err != nil {
			t.Errorf("%q is refused: %v", addr, err)
		}
	}
}
