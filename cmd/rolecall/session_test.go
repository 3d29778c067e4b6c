package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// sessionService has one session, s1, whose tasks complete at once, and keeps what it was asked.
type sessionService struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // method, path and body
	status sdk.Status
}

func servingSession(t *testing.T, ends sdk.Status) *sessionService {
	t.Helper()
	s := &sessionService{status: ends}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *sessionService) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

func (s *sessionService) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	s.mu.Unlock()
	session := sdk.Session{
		ID: "s1", Status: sdk.SessionOpen, CostTier: sdk.TierHybrid, OrchestratorModel: "ollama", ExecutorModel: "claude-sonnet-4", CompletedTasks: 2,
		CurrentTaskID: "t9", Lessons: []string{"small \x1b[31msteps"}, CreatedAt: noon(0), LastActivityAt: noon(1),
	}
	var answer any = session
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
		s.stream(w, r)
		return
	case strings.HasPrefix(r.URL.Path, "/v1/clients/"):
		answer = map[string]int{"closed": 3}
	case r.URL.Path == "/v1/sessions" && r.Method == http.MethodGet:
		answer = sdk.SessionPage{Items: []sdk.Session{}}
	case strings.HasSuffix(r.URL.Path, "/tasks"):
		answer = sdk.Task{ID: "t1", Type: "execute", Role: "coder", Status: sdk.StatusQueued, Title: "Add it", Priority: "medium", CreatedAt: noon(0)}
	case strings.HasPrefix(r.URL.Path, "/v1/tasks/"):
		task := taskIn(s.status, completed)
		answer = task
	case strings.HasSuffix(r.URL.Path, "/none"):
		e := sdk.Errorf(sdk.CodeNotFound, "there is no such session")
		w.Header().Set("Content-Type", sdk.ProblemContentType)
		w.WriteHeader(http.StatusNotFound)
		answer = e.Problem()
	case r.Method == http.MethodDelete:
		session.Status, session.CloseReason = sdk.SessionClosing, sdk.CloseRequested
		answer = session
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s *sessionService) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	p := sdk.SessionPayload{TaskID: "t1", TaskType: "execute"}
	retried, progress := p, p
	retried.Error, retried.Duration, retried.Operation, retried.Attempt, retried.MaxAttempts, retried.ErrorCount = "no ink", 1500, "sendTask(execute)", 1, 3, 1
	progress.Category, progress.Tool, progress.Progress = "tool_call", "edit", &sdk.SessionProgress{Phase: "Calling edit", Percentage: 25}
	start, done := p, p
	start.Prompt, start.Priority, done.Duration, done.Degraded = "Add \x1b[31mit", "medium", 44500, true
	for i, e := range []sdk.SessionEvent{
		{Type: sdk.SessionStartEvent, Payload: sdk.SessionPayload{SessionID: "s1", CostTier: "hybrid", OrchestratorModel: "ollama", ExecutorModel: "claude-sonnet-4"}},
		{Type: sdk.TaskStartEvent, Payload: start}, {Type: sdk.TaskErrorEvent, Payload: retried}, {Type: sdk.TaskProgressEvent, Payload: progress},
		{Type: sdk.TaskCompleteEvent, Payload: done}, {Type: sdk.SessionCloseEvent, Payload: sdk.SessionPayload{SessionID: "s1"}},
	} {
		id := sdk.FormatSequence(uint64(i + 1))
		if id <= r.Header.Get("Last-Event-ID") {
			continue
		}
		e.Timestamp = noon(i).UnixMilli()
		raw, err := json.Marshal(e)
		if err == nil {
			_, err = io.WriteString(w, "id: "+id+"\nevent: "+string(e.Type)+"\ndata: "+string(raw)+"\n\n")
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func TestSessionCommands(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args           []string
		stdin          string
		failed         bool
		code           int
		stdout, stderr string
		asked          []string
	}{
		"open": {
			args:   []string{"session", "open", "--tier", "hybrid", "--quality-gates", "--no-fallback", "--max-attempts", "5", "--idle-timeout", "1h", "--client-id", "editor", "--meta", "a=1", "--executor-model", "m"},
			stdout: "session s1 open: hybrid, ollama thinks and claude-sonnet-4 works\nSend it a task with: rolecall session send s1",
			asked: []string{
				`POST /v1/sessions {"costTier":"hybrid","executorModel":"m","qualityGates":true,"retry":{"maxAttempts":5},"fallback":false,"idleTimeoutMs":3600000,"clientId":"editor","metadata":{"a":"1"}}`,
				"GET /v1/sessions/s1",
			},
		},
		"get":          {args: []string{"session", "get", "s1"}, stdout: "2 completed, 0 failed or cancelled, 0 waiting\n  now: task t9\nlessons\n  small  [31msteps\n", asked: []string{"GET /v1/sessions/s1"}},
		"get, as JSON": {args: []string{"session", "get", "s1", "--json"}, stdout: `"completedTasks": 2`, asked: []string{"GET /v1/sessions/s1"}},
		"nothing there": {
			args: []string{"session", "watch", "none"}, code: 1, stderr: "there is no such session (not_found)", asked: []string{"GET /v1/sessions/none"},
		},
		"send": {
			args: []string{"session", "send", "s1", "-", "--type", "validate", "--context", `{"memory":{"goal":"g"}}`, "--priority", "high", "--max-prompt-tokens", "9"}, stdin: "Check it",
			stdout: "completed after 30s",
			asked: []string{
				"GET /v1/sessions/s1", `POST /v1/sessions/s1/tasks {"type":"validate","prompt":"Check it","context":{"memory":{"goal":"g"}},"priority":"high","maxPromptTokens":9}`,
			},
		},
		"send, without waiting": {
			args: []string{"session", "send", "s1", "Add it", "--no-wait"}, stdout: "task t1 queued: execute for coder",
			asked: []string{"GET /v1/sessions/s1", `POST /v1/sessions/s1/tasks {"type":"execute","prompt":"Add it"}`},
		},
		"send, and it fails":    {args: []string{"session", "send", "s1", "Add it"}, failed: true, code: 1, stdout: "task t1 failed"},
		"send too little":       {args: []string{"session", "send", "s1", "do"}, code: 2, stderr: "$.prompt has 2 characters", asked: []string{"GET /v1/sessions/s1"}},
		"send what contradicts": {args: []string{"session", "send", "s1", "Add it", "--no-wait", "--follow"}, code: 2, stderr: "--no-wait"},
		"send no context":       {args: []string{"session", "send", "s1", "Add it", "--context", "[]"}, code: 2, stderr: "--context"},
		"close":                 {args: []string{"session", "close", "s1"}, stdout: "session s1 closing (requested)", asked: []string{"DELETE /v1/sessions/s1"}},
		"close a client's":      {args: []string{"session", "close", "--client-id", "editor"}, stdout: "closed 3\n", asked: []string{"DELETE /v1/clients/editor/sessions"}},
		"close idle ones":       {args: []string{"session", "close", "--idle", "1h", "--json"}, stdout: `"closed": 0`, asked: []string{"GET /v1/sessions?status=open"}},
		"close nothing":         {args: []string{"session", "close"}, code: 2, stderr: "needs one of a session id"},
		"close two":             {args: []string{"session", "close", "s1", "--idle", "1h"}, code: 2, stderr: "needs one of a session id"},
		"watch": {
			args: []string{"session", "watch", "s1"},
			stdout: `12:00:00  session s1: hybrid, ollama thinks and claude-sonnet-4 works
12:00:01  execute begins: Add  [31mit
12:00:02  execute attempt 1 of 3 failed after 1.5s: no ink
12:00:03  25 %  Calling edit · edit
12:00:04  execute done after 44.5s, degraded
12:00:05  session s1 closed
`, asked: []string{"GET /v1/sessions/s1", "GET /v1/sessions/s1/events"},
		},
		"watch on, as JSON": {args: []string{"session", "watch", "s1", "--after", "5", "--json"}, stdout: `{"type":"session_close","timestamp":1767355205000,"payload":{"sessionId":"s1"}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends := sdk.StatusCompleted
			if tc.failed {
				ends = sdk.StatusFailed
			}
			s := servingSession(t, ends)
			got := rolecall(t, s.URL, tc.stdin, tc.args...)
			if got.code != tc.code || !strings.Contains(got.stdout, tc.stdout) || !strings.Contains(got.stderr, tc.stderr) {
				t.Errorf("exit code %d\nstdout:\n%s\nstderr:\n%s", got.code, got.stdout, got.stderr)
			}
			asked := s.requests()
			if diff := cmp.Diff(tc.asked, asked[:min(len(tc.asked), len(asked))]); diff != "" && len(tc.asked) > 0 {
				t.Error(diff)
			}
		})
	}
}

// TestSessionBar: what the bar shows is the task that has its turn, as far as the stream tells of it.
func TestSessionBar(t *testing.T) {
	t.Parallel()
	event := func(kind sdk.SessionEventType, change func(*sdk.SessionPayload)) *sdk.SessionEvent {
		e := &sdk.SessionEvent{Type: kind, Timestamp: noon(0).UnixMilli(), Payload: sdk.SessionPayload{TaskID: "t1", TaskType: "execute"}}
		if change != nil {
			change(&e.Payload)
		}
		return e
	}
	var now *sdk.Task
	var got []string
	for _, e := range []*sdk.SessionEvent{
		event(sdk.SessionStartEvent, func(p *sdk.SessionPayload) { p.TaskID = "" }),
		event(sdk.TaskStartEvent, nil),
		event(sdk.TaskProgressEvent, func(p *sdk.SessionPayload) {
			p.Progress = &sdk.SessionProgress{Phase: "Calling edit", Percentage: 25}
		}),
		event(sdk.TaskErrorEvent, func(p *sdk.SessionPayload) { p.Operation, p.Attempt, p.MaxAttempts = "sendTask(execute)", 1, 3 }),
		event(sdk.TaskErrorEvent, func(p *sdk.SessionPayload) { p.Fallback = true }),
		event(sdk.TaskCompleteEvent, func(p *sdk.SessionPayload) { p.TaskID = "another" }),
		event(sdk.TaskCompleteEvent, nil),
	} {
		if now = shownBy(now, e); now == nil {
			got = append(got, "")
			continue
		}
		got = append(got, bar(now, noon(5), 80))
	}
	const none = "[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %  running  "
	want := []string{"", none + "5s", "[██████░░░░░░░░░░░░░░░░░░]  25 %  Calling edit  5s", none + "attempt 2/3  5s", none + "stage 1  attempt 1/3  5s", none + "stage 1  attempt 1/3  5s", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
