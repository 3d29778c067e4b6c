package apiserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// patience is how long these tests wait for what must come; connections that are not looked after stay for ever. What is held to
// never comes too late.
const patience, never = time.Minute, 3 * time.Minute

// listen serves s on a port of its own; stop ends it and answers how long that took.
func listen(t *testing.T, s *Server) (addr string, stop func() time.Duration) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	return l.Addr().String(), func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		return time.Since(began)
	}
}

// send writes a request by hand and reads the answer; rest is the connection behind it.
func send(t *testing.T, addr, request string) (answer *http.Response, rest io.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	answer, err = http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("no answer to %.60q: %v", request, err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatalf("half an answer to %.60q: %v", request, err)
	}
	return answer, reader
}

func head(line string, more ...string) string {
	request := line + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	for _, header := range more {
		request += header + "\r\n"
	}
	return request + "\r\n"
}

const asJSON, tenBytes = "Content-Type: application/json", "Content-Length: 10"

func TestBodyThatNeverArrives(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		request string
		limit   time.Duration // for the body
		status  int
	}{
		"half of it":            {head("POST /v1/tasks", asJSON, tenBytes) + "{", 50 * time.Millisecond, 400},
		"none of it":            {head("POST /v1/tasks", asJSON, tenBytes), 50 * time.Millisecond, 400},
		"half a chunk":          {head("POST /v1/tasks", asJSON, "Transfer-Encoding: chunked") + "9\r\n{", 50 * time.Millisecond, 400},
		"not the last chunk":    {head("POST /v1/tasks/a/cancel", asJSON, "Transfer-Encoding: chunked") + "2\r\n{}\r\n", 50 * time.Millisecond, 400},
		"refused as no JSON":    {head("POST /v1/tasks", tenBytes), never, 415},
		"refused as too large":  {head("POST /v1/tasks", asJSON, "Content-Length: 2000000"), never, 413},
		"refused by its origin": {head("POST /v1/tasks", asJSON, tenBytes, "Origin: https://evil.example"), never, 403},
		"no such path":          {head("POST /nothing", asJSON, tenBytes), never, 404},
		"no such method":        {head("PUT /v1/tasks", asJSON, tenBytes), never, 405},
		"a read":                {head("GET /v1/tasks/a", tenBytes), never, 404},
		"a large answer":        {head("GET /openapi.json", tenBytes), never, 200},
		"a look at the health":  {head("GET /healthz", tenBytes), never, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.ShutdownGrace = never })
			s.bodyTimeout = tt.limit
			addr, stop := listen(t, s)
			answer, rest := send(t, addr, tt.request)
			if answer.StatusCode != tt.status || !answer.Close {
				t.Errorf("status %d, want %d; closes %v", answer.StatusCode, tt.status, answer.Close)
			}
			if more, err := io.ReadAll(rest); err != nil || len(more) > 0 {
				t.Errorf("the connection stays: %q, %v", more, err)
			}
			if took := stop(); took > patience {
				t.Errorf("stopping took %v", took)
			}
		})
	}
}

func TestStoppingDoesNotWaitForABody(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.ShutdownGrace = never })
	addr, stop := listen(t, s)
	send(t, addr, head("POST /v1/tasks", tenBytes)) // and the connection stays open on this side
	if took := stop(); took > patience {
		t.Errorf("stopping took %v", took)
	}
}

// TestWaitWithABody: the limit is for the body, not for the wait behind it; a body that nobody reads does no harm.
func TestWaitWithABody(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"there": "0123456789", "never": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, newMemoryTasks(), io.Discard)
			s.bodyTimeout = 20 * time.Millisecond
			task := mustCreate(t, s)
			addr, stop := listen(t, s)
			began := time.Now()
			answer, _ := send(t, addr, head("GET /v1/tasks/"+task.ID+"?waitMs=300", tenBytes)+body)
			if took := time.Since(began); answer.StatusCode != http.StatusOK || took < 300*time.Millisecond {
				t.Errorf("status %d after %v", answer.StatusCode, took)
			}
			stop()
		})
	}
}

// slowTasks takes long to create a task.
type slowTasks struct {
	*memoryTasks
	creation time.Duration
}

func (s slowTasks) CreateTask(ctx context.Context, in workflows.TaskInput, digest string) (sdk.Task, bool, error) {
	select {
	case <-time.After(s.creation):
		return s.memoryTasks.CreateTask(ctx, in, digest)
	case <-ctx.Done():
		return sdk.Task{}, false, sdk.Errorf(sdk.CodeUnavailable, "the caller has gone")
	}
}

// TestWholeBodyKeepsTheConnection: neither the work behind a body nor the next request is held to the body's limit.
func TestWholeBodyKeepsTheConnection(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, slowTasks{newMemoryTasks(), 500 * time.Millisecond}, io.Discard)
	s.bodyTimeout = 200 * time.Millisecond
	addr, stop := listen(t, s)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	ask := func(request string) {
		t.Helper()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusCreated || answer.Close {
			t.Fatalf("status %d, closes %v, %v", answer.StatusCode, answer.Close, err)
		}
	}
	post := head("POST /v1/tasks", asJSON, fmt.Sprintf("Content-Length: %d", len(okBody))) + okBody
	ask(post)
	ask(post)
	_ = conn.Close()
	stop()
}
