//go:build linux || darwin

package pi

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/pi/internal/replay"
)

// patience is how long a test waits for a fact before it fails.
const patience = 20 * time.Second

// desk is a reporter that keeps what it is told, and where a test finds what pi was started with.
type desk struct {
	mu     sync.Mutex
	heard  teller
	spent  sdk.Metrics
	start  string
	config Config
}

func (d *desk) Progress(p sdk.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard.Progress(p)
}

func (d *desk) Spent(m sdk.Metrics) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spent = m
}

func (d *desk) Resume(data json.RawMessage) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.heard.Resume(data)
}

// told is the progress so far.
func (d *desk) told() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.heard.lines)
}

// newDesk is a config that plays a recording as pi, in a hundredth of its time.
func newDesk(t *testing.T, recording string) *desk {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", recording))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{start: filepath.Join(t.TempDir(), "start.json")}
	d.config = Config{
		Program: os.Args[0], Leading: []string{"as-pi", path, "0.01", d.start},
		Command: command.Config{DataDir: t.TempDir(), WorkerID: "coder-1", Project: "acme", Grace: 5 * time.Second},
	}
	return d
}

func (d *desk) agent(t *testing.T) *command.Agent {
	t.Helper()
	a, err := New(d.config)
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

// started is what pi was started with; ok is false until it is known.
func (d *desk) started(t *testing.T) (s replay.Start, ok bool) {
	t.Helper()
	raw, err := os.ReadFile(d.start)
	if err != nil {
		return s, false
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s, true
}

// tool waits for the tool of a run to be left running.
func (d *desk) tool(t *testing.T) int {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if s, ok := d.started(t); ok && s.Tool > 0 {
			return s.Tool
		}
	}
	t.Fatalf("no tool after %s", patience)
	return 0
}

func task() *sdk.Assignment {
	return &sdk.Assignment{
		Task: sdk.Task{
			ID: "task-1", Type: sdk.TypeCodeWrite, Title: "--version @/etc/passwd", Description: "Write hello.txt.",
			Input: json.RawMessage(`{"file":"hello.txt"}`),
		},
		Attempt: 1, MaxAttempts: 3,
	}
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "write")
	d.config.Provider, d.config.Model, d.config.Args = "scripted", "small", []string{"--offline", "--no-extensions"}
	d.config.Command.Environ = []string{"PATH=/usr/bin:/bin", "PI_OFFLINE=1", "SECRET_TOKEN=x", "HOME=/nowhere"}
	a := task()
	a.Model = "large"
	res, err := d.agent(t).Handle(t.Context(), a, d)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Text string }
	if err := json.Unmarshal(res.Output, &out); err != nil || out.Text != done || *res.Metrics.TokensUsed != 362 {
		t.Errorf("result %+v (%v)", res, err)
	}
	if diff := cmp.Diff(recordings()["write"].tells, d.told()); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	s, _ := d.started(t)
	sessions := filepath.Join(d.config.Command.DataDir, "pi-sessions")
	if diff := cmp.Diff([]string{
		"--mode", "json", "--session-dir", sessions, "--provider", "scripted", "--model", "large", "--offline", "--no-extensions", "-p",
	}, s.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if want := "# --version @/etc/passwd\n\nWrite hello.txt.\n\n## Input\n\n{\"file\":\"hello.txt\"}\n"; s.Stdin != want {
		t.Errorf("prompt %q, want %q", s.Stdin, want)
	}
	env := strings.Join(s.Env, "\n")
	if !strings.Contains(env, "PI_OFFLINE=1") || !strings.Contains(env, "ROLECALL_TASK_ID=task-1") || strings.Contains(env, "SECRET") {
		t.Errorf("environment:\n%s", env)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the private directory %s is left (%v)", s.Dir, err)
	}
}

func TestModelFailuresAreFoundInSpiteOfExitCode0(t *testing.T) {
	t.Parallel()
	for recording, final := range map[string]bool{"http401": true, "http500": false, "no-server": false, "unknown-model": false} {
		t.Run(recording, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, recording)
			res, err := d.agent(t).Handle(t.Context(), task(), d)
			fail, ok := errors.AsType[*sdk.AgentError](err)
			if !ok || fail.Code != CodeModelError || fail.Retryable == final || !strings.Contains(string(fail.Details), `"exitCode":0`) {
				t.Errorf("ended with %+v, %v", res, err)
			}
			if recording == "unknown-model" && !strings.Contains(string(fail.Details), `Model \"nope\" not found`) {
				t.Errorf("what it said on stderr is missing from %s", fail.Details)
			}
		})
	}
}

func TestAnAttemptGoesOnWithTheEarlierConversation(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "sigterm-tool")
	agent := d.agent(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		_, err := agent.Handle(ctx, task(), d)
		ended <- err
	}()
	d.tool(t)
	cancel(sdk.ErrInterruptedAttempt)
	if err := <-ended; !errors.Is(err, sdk.ErrInterruptedAttempt) {
		t.Fatal(err)
	}
	left := d.heard.resume
	if len(left) != 1 {
		t.Fatalf("resume data %q", left)
	}
	next := newDesk(t, "resume-1")
	next.config.SessionDir = filepath.Join(d.config.Command.DataDir, "pi-sessions")
	a := task()
	a.Attempt, a.Resume = 2, json.RawMessage(left[0])
	if _, err := next.agent(t).Handle(t.Context(), a, next); err != nil {
		t.Fatal(err)
	}
	s, _ := next.started(t)
	i := slices.Index(s.Args, "--fork")
	if i < 0 || filepath.Base(s.Args[i+1]) != "2026-11-21T20-00-00-000Z_01a1ff9b-32a3-72aa-86fa-959c4e47a9bd.jsonl" {
		t.Errorf("arguments %q", s.Args)
	}
	if !strings.HasPrefix(s.Stdin, "Your work on this task was interrupted.") || !strings.Contains(s.Stdin, "Write hello.txt.") {
		t.Errorf("prompt %q", s.Stdin)
	}
}

// TestAConversationThatIsNotThereIsBegunAnew covers resume data that is somebody else's, or a file's that is gone.
func TestAConversationThatIsNotThereIsBegunAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"x_other.jsonl": `{"type":"session","id":"other"}` + "\n{\n", "x_empty.jsonl": "", "x_half.jsonl": `{"type":"sess`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, left := range []string{``, `null`, `"other"`, `{"session":"*"}`, `{"session":"../x_other"}`, `{"session":"gone"}`, `{"session":"empty"}`, `{"session":"half"}`, `{"session":7}`} {
		if found := sessionFile(dir, json.RawMessage(left)); found != "" {
			t.Errorf("%s finds %s", left, found)
		}
	}
	if found := sessionFile(dir, json.RawMessage(`{"session":"other"}`)); found != filepath.Join(dir, "x_other.jsonl") {
		t.Errorf("found %q", found)
	}
}

// TestANamedPipeIsNoConversation: an agent can write where conversations are kept, and must not hold up the next attempt by it.
func TestANamedPipeIsNoConversation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "x_pipe.jsonl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "x_dir.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, session := range []string{"pipe", "dir"} {
		answer := make(chan string, 1)
		go func() { answer <- sessionFile(dir, json.RawMessage(`{"session":"`+session+`"}`)) }()
		select {
		case found := <-answer:
			if found != "" {
				t.Errorf("found %q", found)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for somebody to write")
		}
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "write")
	d.config.Args, d.config.Provider, d.config.Model = []string{"--mode=rpc", "-p"}, "-x", "--y"
	d.config.Models, d.config.Providers, d.config.Tools = map[string]string{"x": "-y"}, []string{"a/b"}, []string{""}
	_, err := New(d.config)
	for _, want := range []string{
		"--mode is the adapter's own", "-p is the adapter's own", "ROLECALL_PI_PROVIDER: ", "ROLECALL_PI_MODEL ", `ROLECALL_PI_MODELS: "x"="-y"`, `ROLECALL_PI_PROVIDERS: "a/b"`,
		"ROLECALL_PI_TOOLS: ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	d = newDesk(t, "write")
	d.config.Program = "no-such-pi"
	if _, err := New(d.config); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("a program that is not there: %v", err)
	}
	d = newDesk(t, "write")
	a := task()
	a.Model = "--session=x"
	if _, err := d.agent(t).Handle(t.Context(), a, d); err == nil || !strings.Contains(err.Error(), "no model's name") {
		t.Errorf("a model that is an option: %v", err)
	}
}
