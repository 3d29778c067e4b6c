package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// runIt is the command that hands out a task, with more arguments.
func runIt(more ...string) []string {
	return append([]string{"task", "run", "--type", "code.write", "--title", "Write it"}, more...)
}

func completed(t *sdk.Task) { t.Result.Output = json.RawMessage(`{"files":3}`) }

func failed(t *sdk.Task) {
	t.Result.Error = &sdk.TaskError{Code: "agent_failed", Message: "no \x1b[31mink"}
	t.Attempts = []sdk.Attempt{{Attempt: 1, Role: "coder", AgentID: "c1", StartedAt: noon(1), EndedAt: new(noon(3)), Outcome: "failed", Error: t.Result.Error}}
}

// TestExitCodes has every exit code and where its words go.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	running := taskIn("running", nil)
	for name, tc := range map[string]struct {
		states         []sdk.Task
		refusal        *sdk.Error
		args           []string
		code           int
		stdout, stderr []string
	}{
		"handed out":       {states: []sdk.Task{taskIn("queued", nil)}, args: runIt(), code: 0, stdout: []string{"task t1 queued", "rolecall task get t1"}},
		"waited for":       {states: []sdk.Task{running, taskIn("completed", completed)}, args: runIt("--wait"), code: 0, stdout: []string{"completed after 30s", `"files": 3`}},
		"failed":           {states: []sdk.Task{running, taskIn("failed", failed)}, args: runIt("--wait"), code: 1, stdout: []string{"task t1 failed", "agent_failed: no  [31mink"}},
		"cancelled":        {states: []sdk.Task{taskIn("cancelled", nil)}, args: runIt("--wait"), code: 1, stdout: []string{"task t1 cancelled"}},
		"shown":            {states: []sdk.Task{taskIn("failed", failed)}, args: []string{"task", "get", "t1"}, code: 0, stdout: []string{"failed after 2s: agent_failed"}},
		"missing":          {states: []sdk.Task{running}, refusal: sdk.Errorf("not_found", "there is no task t1"), args: []string{"task", "get", "t1"}, code: 1, stderr: []string{"there is no task t1 (not_found)"}},
		"refused":          {states: []sdk.Task{running}, refusal: &sdk.Error{Code: "invalid_input", Message: "no", Faults: []sdk.Fault{{Path: "$.a", Message: "is wrong"}, {Path: "$.b", Message: "too"}}}, args: runIt(), code: 2, stderr: []string{"rolecall: no\n  $.a is wrong\n  $.b too\n"}},
		"wrong in here":    {states: []sdk.Task{running}, args: []string{"task", "run", "--type", "art", "--title", "t", "--priority", "asap"}, code: 2, stderr: []string{"\n  $.role is required", "\n  $.priority must be"}},
		"unknown flag":     {states: []sdk.Task{running}, args: []string{"task", "run", "--tpye", "x"}, code: 2, stderr: []string{"--tpye", "--help"}},
		"unknown command":  {states: []sdk.Task{running}, args: []string{"task", "rnu"}, code: 2, stderr: []string{"Did you mean run?"}},
		"no arguments":     {states: []sdk.Task{running}, args: []string{"task", "get"}, code: 2, stderr: []string{"task get needs a task id"}},
		"bad input":        {states: []sdk.Task{running}, args: runIt("--input", "{"), code: 2, stderr: []string{"--input"}},
		"bad pair":         {states: []sdk.Task{running}, args: runIt("--meta", "a"), code: 2, stderr: []string{"--meta"}},
		"too short a time": {states: []sdk.Task{running}, args: runIt("--timeout-queue", "1us"), code: 2, stderr: []string{"--timeout-queue"}},
		"not ready":        {states: []sdk.Task{running}, refusal: sdk.Errorf("unavailable", "Temporal is away"), args: []string{"task", "cancel", "t1"}, code: 3, stderr: []string{"Temporal is away (unavailable)"}},
		"timed out":        {states: []sdk.Task{running}, args: runIt("--wait", "--wait-timeout", "300ms"), code: 4, stderr: []string{"has not ended within 300ms", "rolecall task get t1"}},
		"cancel, waited":   {states: []sdk.Task{running, running, taskIn("cancelled", nil)}, args: []string{"task", "cancel", "t1", "--wait"}, code: 0, stdout: []string{"task t1 cancelled"}},
		"retried":          {states: []sdk.Task{taskIn("queued", nil)}, args: []string{"task", "retry", "t0", "--idempotency-key", "k"}, code: 0, stdout: []string{"task t1 queued", "rolecall task get t1"}},
		"retried, failed":  {states: []sdk.Task{running, taskIn("failed", failed)}, args: []string{"task", "retry", "t0", "--wait"}, code: 1, stdout: []string{"task t1 failed"}},
		"not retried yet":  {states: []sdk.Task{running}, refusal: sdk.Errorf("conflict", "the task has not ended"), args: []string{"task", "retry", "t1"}, code: 1, stderr: []string{"has not ended (conflict)"}},
		"watched":          {states: []sdk.Task{running, running, taskIn("completed", completed)}, args: []string{"task", "watch", "t1"}, code: 0, stdout: []string{"task t1 running", "completed after 30s", `"files": 3`}},
		"watched, failed":  {states: []sdk.Task{running, running, taskIn("failed", failed)}, args: []string{"task", "watch", "t1", "--json"}, code: 1, stdout: []string{`"status":"running"`, `"status":"failed"`}},
		"watched too long": {states: []sdk.Task{running}, args: []string{"task", "watch", "t1", "--wait-timeout", "300ms"}, code: 4, stdout: []string{"task t1 running"}, stderr: []string{"has not ended within 300ms"}},
		"nothing to watch": {states: []sdk.Task{running}, refusal: sdk.Errorf("not_found", "there is no task t1"), args: []string{"task", "watch", "t1"}, code: 1, stderr: []string{"there is no task t1 (not_found)"}},
		"nothing is asked": {states: []sdk.Task{running}, args: []string{"task", "input", "t1", "--answer", "1"}, code: 1, stderr: []string{"asks nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, tc.states...)
			s.refuse(tc.refusal)
			got := rolecall(t, s.URL, "", tc.args...)
			if got.code != tc.code {
				t.Errorf("exit code %d, want %d", got.code, tc.code)
			}
			for _, want := range tc.stdout {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("stdout has no %q", want)
				}
			}
			for _, want := range tc.stderr {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("stderr has no %q", want)
				}
			}
			if len(tc.stderr) == 0 && got.stderr != "" || len(tc.stdout) == 0 && got.stdout != "" || t.Failed() {
				t.Errorf("stdout:\n%s\nstderr:\n%s", got.stdout, got.stderr)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		gone := serving(t, running)
		gone.Close()
		if got := rolecall(t, gone.URL, "", runIt()...); got.code != 3 || !strings.Contains(got.stderr, gone.URL) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("wrong environment", func(t *testing.T) {
		t.Parallel()
		if got := rolecall(t, "not a URL", "", runIt()...); got.code != 2 || !strings.Contains(got.stderr, "\n  EVENTS_SERVICE_URL ") {
			t.Errorf("%+v", got)
		}
	})
}

// TestCancelFollowedAsJSON: one task a line, and nothing after the last.
func TestCancelFollowedAsJSON(t *testing.T) {
	t.Parallel()
	running := taskIn("running", nil)
	s := serving(t, running, running, taskIn("cancelled", nil))
	got := rolecall(t, s.URL, "", "task", "cancel", "t1", "--follow", "--json")
	var statuses []string
	for line := range strings.Lines(got.stdout) {
		var task sdk.Task
		if err := json.Unmarshal([]byte(line), &task); err != nil {
			t.Error(err)
		}
		statuses = append(statuses, string(task.Status))
	}
	if got.code != 0 || got.stderr != "" || !slices.Equal(statuses, []string{"running", "cancelled"}) {
		t.Errorf("exit code %d, stderr %q:\n%s", got.code, got.stderr, got.stdout)
	}
}

// TestAWaitThatIsRefused: the error alone says what is wrong.
func TestAWaitThatIsRefused(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"task watch t1":        "rolecall: no such key (unauthenticated)\n  Set EVENTS_API_KEY to a key of this service. Who runs it makes one with: rolecall keys create\n",
		"task watch t1 --json": `{"code":"unauthenticated","detail":"no such key","status":401,"exitCode":1}` + "\n",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			s := serving(t, taskIn("running", nil))
			s.refuseFromTheSecondLook(sdk.Errorf(sdk.CodeUnauthenticated, "no such key"))
			if got := rolecall(t, s.URL, "", strings.Fields(args)...); got.code == 0 || got.stderr != want {
				t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
			}
		})
	}
}

// TestRequestFromFlags looks at what is sent.
func TestRequestFromFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "input.json")
	if err := os.WriteFile(file, []byte(`{"from": "<file>"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		want  string
		key   string
	}{
		"everything": {
			args: []string{
				"--role", "coder", "--description", "d", "--input", `[1]`, "--priority", "high", "--meta", "a=1", "--meta", "b=x=y",
				"--fallback", "debugger", "--fallback", "planner", "--max-attempts", "2", "--timeout-queue", "90s", "--timeout-attempt", "1h",
				"--timeout-total", "24h", "--timeout-heartbeat", "10s", "--timeout-input", "5m", "--agent-id", "c1",
				"--correlation-id", "c", "--fairness-key", "f", "--idempotency-key", "k",
			},
			want: `{"type":"code.write","role":"coder","title":"Write it","description":"d","input":[1],"priority":"high","agentId":"c1",` +
				`"metadata":{"a":"1","b":"x=y"},"correlationId":"c","fairnessKey":"f",` +
				`"retry":{"maxAttempts":2},"timeouts":{"queueMs":90000,"attemptMs":3600000,"totalMs":86400000,"heartbeatMs":10000,"inputMs":300000},` +
				`"fallback":[{"role":"debugger"},{"role":"planner"}]}`,
			key: "k",
		},
		"input from a file":       {args: []string{"--input", "@" + file}, want: `{"type":"code.write","title":"Write it","input":{"from":"<file>"}}`},
		"input from stdin":        {args: []string{"--input", "-"}, stdin: `"piped"`, want: `{"type":"code.write","title":"Write it","input":"piped"}`},
		"description from a file": {args: []string{"--description", "@" + file}, want: `{"type":"code.write","title":"Write it","description":"{\"from\": \"<file>\"}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, taskIn("queued", nil))
			if got := rolecall(t, s.URL, tc.stdin, runIt(tc.args...)...); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			posts := s.posted()
			if len(posts) != 1 || posts[0].key == "" || tc.key != "" && posts[0].key != tc.key {
				t.Fatalf("posted %+v", posts)
			}
			if diff := cmp.Diff(tc.want, posts[0].body); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// following is a task that fails once, is asked for something and completes.
func following() []sdk.Task {
	first := sdk.Attempt{Attempt: 1, Role: "coder", AgentID: "c1", StartedAt: noon(1), EndedAt: new(noon(3)), Outcome: "failed", Error: &sdk.TaskError{Code: "agent_failed", Message: "no ink"}}
	return []sdk.Task{
		taskIn("queued", nil),
		taskIn("running", func(t *sdk.Task) { t.AgentID = "c1" }),
		taskIn("running", func(t *sdk.Task) {
			t.AgentID, t.Progress = "c1", &sdk.Progress{Percentage: 40, Phase: "writing", Message: "auth.go", At: noon(2), Attempt: 1}
		}),
		taskIn("running", func(t *sdk.Task) { t.AgentID, t.Attempt, t.Attempts = "c2", 2, []sdk.Attempt{first} }),
		taskIn("input_required", func(t *sdk.Task) {
			t.Attempt, t.Attempts = 2, []sdk.Attempt{first}
			t.InputRequest = &sdk.InputRequest{ID: "q1", Prompt: "Which?", ExpiresAt: noon(59)}
		}),
		taskIn("completed", func(t *sdk.Task) {
			completed(t)
			t.Attempt, t.Attempts = 2, []sdk.Attempt{first}
		}),
	}
}

func TestFollowInAPipe(t *testing.T) {
	t.Parallel()
	s := serving(t, following()...)
	got := rolecall(t, s.URL, "", runIt("--follow")...)
	want := `task t1 queued: code.write for coder, medium · Write it
attempt 1 of 3 runs at c1
 40 %  writing · auth.go
stage 0 attempt 1  coder at c1  failed after 2s: agent_failed: no ink
attempt 2 of 3 runs at c2
asks: Which?
answer by 2026-01-02 12:00:59 UTC with: rolecall task input t1 --answer '<JSON>'
task t1 completed after 30s: code.write for coder, medium · Write it
attempts
  stage 0 attempt 1  coder at c1  failed after 2s: agent_failed: no ink
output
  {
    "files": 3
  }
`
	if diff := cmp.Diff(want, got.stdout); diff != "" || got.code != 0 || got.stderr != "" {
		t.Errorf("exit code %d\n%s\n%s", got.code, got.stderr, diff)
	}
}

func TestJSONOutput(t *testing.T) {
	t.Parallel()
	states := following()
	t.Run("follow", func(t *testing.T) {
		t.Parallel()
		got := rolecall(t, serving(t, states...).URL, "", runIt("--follow", "--json")...)
		dec := json.NewDecoder(strings.NewReader(got.stdout))
		var statuses []sdk.Status
		for dec.More() {
			var task sdk.Task
			if err := dec.Decode(&task); err != nil {
				t.Fatal(err)
			}
			statuses = append(statuses, task.Status)
		}
		want := []sdk.Status{"queued", "running", "running", "running", "input_required", "completed"}
		if diff := cmp.Diff(want, statuses); diff != "" || strings.Count(got.stdout, "\n") != len(want) {
			t.Errorf("%s\n%s", diff, got.stdout)
		}
	})
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		got := rolecall(t, serving(t, states...).URL, "", runIt("--wait", "--json")...)
		var task sdk.Task
		if err := json.Unmarshal([]byte(got.stdout), &task); err != nil || task.Status != "completed" {
			t.Errorf("%v\n%s", err, got.stdout)
		}
		if !strings.Contains(got.stderr, "rolecall task input t1") {
			t.Errorf("stderr does not say how to answer: %s", got.stderr)
		}
	})
	t.Run("error", func(t *testing.T) {
		t.Parallel()
		got := rolecall(t, "http://127.0.0.1:1", "", "task", "run", "--type", "art", "--title", "t", "--json")
		var e struct {
			Code     sdk.Code
			Errors   []sdk.Fault
			ExitCode int
		}
		if err := json.Unmarshal([]byte(got.stderr), &e); err != nil || e.Code != "invalid_input" || len(e.Errors) != 1 || e.ExitCode != 2 || got.code != 2 {
			t.Errorf("%v %+v", err, got)
		}
	})
}

func TestInputAnswersTheOpenQuestion(t *testing.T) {
	t.Parallel()
	s := serving(t, taskIn("input_required", func(t *sdk.Task) { t.InputRequest = &sdk.InputRequest{ID: "q7", Prompt: "Which?"} }))
	if got := rolecall(t, s.URL, `{"yes":true}`, "task", "input", "t1", "--answer", "-"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if posts := s.posted(); len(posts) != 1 || posts[0].body != `{"requestId":"q7","answer":{"yes":true}}` {
		t.Errorf("posted %+v", posts)
	}
}

// TestInterruptLeavesTheTask interrupts a waiting program once it has looked.
func TestInterruptLeavesTheTask(t *testing.T) {
	t.Parallel()
	s := serving(t, taskIn("running", nil))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := program(ctx, []string{"EVENTS_SERVICE_URL=" + s.URL}, runIt("--wait")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.looked:
	case <-ctx.Done():
		t.Error("the program did not look")
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // its exit code is looked at below
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(stderr.String(), "the task goes on. Look at it with: rolecall task get t1") {
		t.Errorf("exit code %d, stderr: %s", code, &stderr)
	}
	if n := len(s.posted()); n != 1 {
		t.Errorf("%d requests changed something, want the creation alone", n)
	}
}
