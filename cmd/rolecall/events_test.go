package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// streaming is a service whose every request the test answers.
func streaming(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s
}

// stream sends frames and keeps the stream open until its reader has gone.
func stream(w http.ResponseWriter, r *http.Request, frames ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for _, f := range frames {
		_, _ = io.WriteString(w, f)
	}
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// eventFrame is an event as a stream has it.
func eventFrame(n uint64, typ sdk.EventType, data string) string {
	e := sdk.Event{ID: fmt.Sprint(n), Type: typ, Subject: "task/t1", Time: noon(int(n)), Sequence: sdk.FormatSequence(n), Data: json.RawMessage(data)}
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", e.Sequence, e.Type, raw)
}

func TestTailFollowsUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	var asked []string
	s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		if asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("Last-Event-ID")); len(asked) == 1 {
			ctx, cancel := context.WithCancel(r.Context())
			cancel() // it is cut after the first event
			stream(w, r.WithContext(ctx), eventFrame(1, "code.generated", `{"taskId": "t1"}`))
			return
		}
		stream(w, r, eventFrame(2, "task.failed", `{"type":"code.write","role":"coder","attempts":3,"error":{"code":"agent_failed","message":"no \u001b[31mink"}}`))
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, []string{"EVENTS_SERVICE_URL=" + s.URL}, "events", "tail", "--types", "code.*,task.failed", "--after", "0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for in := bufio.NewScanner(out); len(lines) < 2 && in.Scan(); {
		lines = append(lines, in.Text())
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // its exit code is looked at below
	want := []string{
		`2026-01-02T12:00:01Z  1  code.generated  task/t1  {"taskId":"t1"}`,
		`2026-01-02T12:00:02Z  2  task.failed  task/t1  code.write for coder, attempts 3: agent_failed: no  [31mink`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"after=0&types=code.%2A%2Ctask.failed ", "types=code.%2A%2Ctask.failed 00000000000000000001"}, asked); diff != "" {
		t.Error(diff)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stderr.String(), "trying again") || !strings.Contains(stderr.String(), "events tail --after 2\n") {
		t.Errorf("exit code %d, stderr: %s", code, stderr.String())
	}
}

func TestTailEnds(t *testing.T) {
	t.Parallel()
	gone := `event: gone` + "\n" + `data: {"code":"history_expired","detail":"the log begins later","firstSequence":"7"}` + "\n\n"
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		args    []string
		code    int
		stderr  string
	}{
		"the history is gone": {func(w http.ResponseWriter, r *http.Request) { stream(w, r, gone) }, nil, exitFailed, "the log begins later (history_expired)"},
		"no log":              {refusing(sdk.Errorf(sdk.CodeUnavailable, "there is no event log")), nil, exitUnreachable, "there is no event log (unavailable)"},
		"no right":            {refusing(sdk.Errorf(sdk.CodeForbidden, "it lacks the scope read")), nil, exitFailed, "scope read"},
		"a wrong pattern":     {nil, []string{"--types", "a.*.b"}, exitUsage, "--types"},
		"a wrong place":       {nil, []string{"--after", "x"}, exitUsage, "\n  --after must be"},
		"a wrong time":        {nil, []string{"--since", "yesterday"}, exitUsage, "--since"},
		"two beginnings":      {nil, []string{"--since", "1h", "--after", "1"}, exitUsage, "--since and --after"},
		"an argument":         {nil, []string{"x"}, exitUsage, "events tail takes no argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := streaming(t, tc.handler)
			got := rolecall(t, s.URL, "", append([]string{"events", "tail"}, tc.args...)...)
			if got.code != tc.code || !strings.Contains(got.stderr, tc.stderr) || got.stdout != "" {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.stderr, "Go on with") != (name == "the history is gone") {
				t.Errorf("how to go on: %+v", got)
			}
		})
	}
}

// TestTailSaysHowToGoOn after an error, too: where it was, or where the log begins by now.
func TestTailSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]string{
		`{"code":"forbidden","detail":"it was revoked"}`:                         "Go on with: rolecall events tail --after 5\n",
		`{"code":"history_expired","detail":"it is gone","firstSequence":"007"}`: "The first event that is kept is 7. Go on with: rolecall events tail --after 6\n",
	} {
		s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
			stream(w, r, eventFrame(5, "a.b", `{}`), "event: gone\ndata: "+frame+"\n\n")
		})
		if got := rolecall(t, s.URL, "", "events", "tail"); got.code != exitFailed || !strings.Contains(got.stderr, want) || strings.Count(got.stderr, "Go on") != 1 {
			t.Errorf("%s: %+v", frame, got)
		}
	}
}

func refusing(e *sdk.Error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		p := e.Problem()
		w.Header().Set("Content-Type", sdk.ProblemContentType)
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p) // the reader says what it got
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		stdin  string
		body   string // what is sent
		stdout string
	}{
		"all of it": {
			[]string{"--type", "code.deployed", "--data", `{"v": 1}`, "--subject", "service/x", "--id", "i1", "--correlation-id", "c1"}, "",
			`{"type":"code.deployed","data":{"v":1},"subject":"service/x","id":"i1","correlationId":"c1"}`, "event i1 at 42, which was there before\n",
		},
		"from standard input": {[]string{"--type", "a", "--data", "-", "--id", "i1"}, `[1]`, `{"type":"a","data":[1],"id":"i1"}`, "event i1 at 42, which was there before\n"},
		"for programs":        {[]string{"--type", "a", "--id", "i1", "--json"}, "", `{"type":"a","id":"i1"}`, "{\n  \"id\": \"i1\",\n  \"sequence\": \"00000000000000000042\",\n  \"duplicate\": true\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := ""
			s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
				raw, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				body = r.Method + " " + r.URL.Path + " " + string(raw)
				w.WriteHeader(http.StatusCreated)
				_ = json.NewEncoder(w).Encode(sdk.PublishedList{Items: []sdk.Published{{ID: "i1", Sequence: sdk.FormatSequence(42), Duplicate: true}}})
			})
			got := rolecall(t, s.URL, tc.stdin, append([]string{"events", "publish"}, tc.args...)...)
			if got.code != 0 || got.stdout != tc.stdout || got.stderr != "" {
				t.Errorf("%+v", got)
			}
			if want := "POST /v1/events " + tc.body; body != want {
				t.Errorf("sent %s, want %s", body, want)
			}
		})
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no type":         {nil, exitUsage, "--type"},
		"no JSON":         {[]string{"--type", "a", "--data", "{"}, exitUsage, "--data"},
		"a wrong type":    {[]string{"--type", "A"}, exitUsage, "$.type"},
		"a reserved type": {[]string{"--type", "task.completed"}, exitFailed, "reserved_type"},
	} {
		s := streaming(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s: sent %s", name, r.URL) })
		if got := rolecall(t, s.URL, "", append([]string{"events", "publish"}, tc.args...)...); got.code != tc.code || !strings.Contains(got.stderr, tc.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSummaries has a line for each type that rolecall writes of a task.
func TestSummaries(t *testing.T) {
	t.Parallel()
	failed := &sdk.TaskError{Code: "agent_failed", Message: "no ink"}
	for typ, tc := range map[sdk.EventType]struct {
		data any
		want string
	}{
		sdk.EventTaskCreated:        {sdk.TaskCreated{Type: "code.write", Role: "coder", Priority: "high", Title: "Write it"}, "code.write for coder, high · Write it"},
		sdk.EventTaskAssigned:       {sdk.TaskAssigned{Role: "coder", AgentID: "c1", Model: "big", Stage: 1, Attempt: 2}, "stage 1 attempt 2  coder at c1 (big)"},
		sdk.EventTaskStarted:        {sdk.TaskStarted{AgentID: "c1"}, "at c1"},
		sdk.EventTaskProgress:       {sdk.TaskProgressed{Progress: sdk.Progress{Percentage: 40, Phase: "writing", Message: "a.go"}}, "40 %  writing · a.go"},
		sdk.EventTaskInputRequired:  {sdk.TaskInputRequired{Prompt: "Which?"}, "asks: Which?"},
		sdk.EventTaskRetrying:       {sdk.TaskRetrying{Attempt: 1, MaxAttempts: 3, Outcome: "timed_out", DelayMs: 2000, Error: failed}, "attempt 1 of 3 timed out: agent_failed: no ink, again in 2s"},
		sdk.EventTaskFallback:       {sdk.TaskFellBack{FromRole: "coder", ToRole: "debugger", ToModel: "big", Outcome: "failed"}, "from coder to debugger (big): failed"},
		sdk.EventTaskCompleted:      {sdk.TaskEnded{Type: "code.write", Role: "coder", AgentID: "c1", Attempts: 2, Degraded: true, Stage: 1}, "code.write for coder at c1, attempts 2, degraded (stage 1 answered)"},
		sdk.EventAgentRegistered:    {sdk.AgentRegistered{Name: "Bob", Role: "coder"}, "Bob for coder"},
		sdk.EventAgentStatusChanged: {sdk.AgentStatusChanged{Role: "coder", From: "idle", To: "offline", Reason: "heartbeats_missed"}, "coder: from idle to offline, heartbeats missed"},
		sdk.EventAgentHeartbeat:     {sdk.AgentSeen{Role: "coder", Status: "busy", CurrentTasks: []string{"t1", "t2"}}, "coder: busy t1 t2"},
		sdk.EventTaskCancelled:      {sdk.TaskEnded{Type: "code.write", Role: "coder", Attempts: 1, Error: &sdk.TaskError{Code: "cancelled"}}, "code.write for coder, attempts 1: cancelled"},
		"shop.sold":                 {map[string]any{"n": 1}, `{"n":1}`},
	} {
		raw, err := json.Marshal(tc.data)
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(&sdk.Event{Type: typ, Data: raw}); got != tc.want {
			t.Errorf("%s: %q, want %q", typ, got, tc.want)
		}
	}
	if got := summary(&sdk.Event{Type: "a.b", Dropped: sdk.CodePayloadTooLarge}); got != "without its data: payload_too_large" {
		t.Error(got)
	}
	if got := eventLine(&sdk.Event{Type: sdk.EventAgentHeartbeat, Time: noon(1)}); got != "2026-01-02T12:00:01Z  -  agent.heartbeat" {
		t.Error(got)
	}
}

// TestWatchShowsLiveOutput of a task whose events the service has; looking alone would not see it end in time.
func TestWatchShowsLiveOutput(t *testing.T) {
	t.Parallel()
	running, done := taskIn("running", func(t *sdk.Task) { t.AgentID = "c1" }), taskIn("completed", completed)
	streamed := make(chan struct{})
	looked := make(chan struct{}, 100)
	s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/events"):
			if r.URL.RawQuery != "output=1" {
				t.Errorf("asked for %s", r.URL)
			}
			<-looked // whether it is there
			<-looked // the headline comes first
			w.Header().Set("Content-Type", "text/event-stream")
			for _, frames := range []string{`{"delta":"one\nt"},{"delta":"wo"}`, `{"tool":"go test\u001b[0m"},{"text":"three\nfour\n"},{"delta":"five"}`} {
				_, _ = fmt.Fprintf(w, "event: output\ndata: {\"attempt\":1,\"frames\":[%s]}\n\n", frames)
			}
			w.(http.Flusher).Flush()
			close(streamed)
			_, _ = io.WriteString(w, eventFrame(1, sdk.EventTaskCompleted, `{}`))
		default:
			now := running
			select {
			case <-streamed:
				now = done
			default:
			}
			_ = json.NewEncoder(w).Encode(now)
			looked <- struct{}{}
		}
	})
	got := rolecall(t, s.URL, "", "task", "watch", "t1")
	want := `task t1 running: code.write for coder, medium · Write it
attempt 1 of 3 runs at c1
  │ one
  │ two
  ▸ go test [0m
  │ three
  │ four
  │ five
task t1 completed after 30s: code.write for coder, medium · Write it
output
  {
    "files": 3
  }
`
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != 0 || got.stderr != "" {
		t.Errorf("exit code %d\n%s\n%s", got.code, got.stderr, diff)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	var o output
	shown := 0
	for range 1000 {
		for _, l := range o.take(sdk.TaskOutput{Frames: []sdk.OutputFrame{{Delta: strings.Repeat("x", 100)}}}) {
			shown += len(l) - len(outputMark)
		}
		if len(o.begun) > longestLine {
			t.Fatalf("%d bytes are held back", len(o.begun))
		}
	}
	if shown+len(o.begun) != 100_000 {
		t.Errorf("%d bytes were shown", shown)
	}
}

// TestTailFromTheFirstThatIsKept: zero is where the log begins, also once its first events are gone.
func TestTailFromTheFirstThatIsKept(t *testing.T) {
	t.Parallel()
	for _, after := range []string{"0", "00000000000000000000"} {
		s := streaming(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.Header.Get("Last-Event-ID") {
			case sdk.FormatSequence(6):
				stream(w, r, eventFrame(7, "a.b", `{}`), "event: gone\ndata: {\"code\":\"forbidden\",\"detail\":\"enough\"}\n\n")
			default:
				e := sdk.Errorf(sdk.CodeHistoryExpired, "the log begins later")
				e.FirstSequence = 7
				refusing(e)(w, r)
			}
		})
		got := rolecall(t, s.URL, "", "events", "tail", "--after", after)
		if got.code != exitFailed || !strings.HasPrefix(got.stdout, "2026-01-02T12:00:07Z  7  a.b") || !strings.Contains(got.stderr, "enough") {
			t.Errorf("--after %s: %+v", after, got)
		}
	}
}
