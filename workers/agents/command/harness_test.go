//go:build linux || darwin

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// recorder is a reporter that keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	progress []sdk.Progress
	resume   []string
}

func (r *recorder) Progress(p sdk.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = append(r.progress, p)
}

func (r *recorder) Resume(data json.RawMessage) error {
	if err := sdk.CheckJSON(data, sdk.MaxResume); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resume = append(r.resume, string(data))
	return nil
}

// phases are the phases told so far.
func (r *recorder) phases() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, p := range r.progress {
		all = append(all, p.Phase)
	}
	return strings.Join(all, ",")
}

// first is what was told first.
func (r *recorder) first() sdk.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress[0]
}

// config is one for a program, with directories of the test's own.
func config(t *testing.T, argv ...string) Config {
	t.Helper()
	return Config{Argv: argv, DataDir: t.TempDir(), WorkerID: "worker-1", Project: "acme"}
}

func shell(script string, args ...string) []string {
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

func newAgent(t *testing.T, cfg Config) *Agent {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		left, err := os.ReadDir(a.dir)
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left with %v, %v", a.dir, left, err)
		}
	})
	return a
}

func assignment(task string, attempt int) *sdk.Assignment {
	return &sdk.Assignment{Task: sdk.Task{ID: task, Type: sdk.TypeCodeTest, Title: "t"}, Attempt: attempt, MaxAttempts: 3}
}

// handle does one attempt of a program in a fresh agent.
func handle(t *testing.T, cfg Config) (*sdk.Result, *recorder, error) {
	t.Helper()
	r := &recorder{}
	res, err := newAgent(t, cfg).Handle(t.Context(), assignment("task-1", 1), r)
	return res, r, err
}

// outcome is how an attempt ended.
type outcome struct {
	res *sdk.Result
	err error
}

// begin starts an attempt and answers where its outcome will be.
func begin(ctx context.Context, a *Agent, in *sdk.Assignment, r sdk.Reporter) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		res, err := a.Handle(ctx, in, r)
		done <- outcome{res, err}
	}()
	return done
}

// patience is how long a test waits for a fact before it fails.
const patience = 20 * time.Second

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s for %s", patience, what)
		panic("unreachable")
	}
}

// eventually waits until the fact holds.
func eventually(t *testing.T, what string, fact func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !fact(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %s for: %s", patience, what)
		}
	}
}

// pidIn waits for a process to write its pid to the file, and answers the process.
func pidIn(t *testing.T, path string) process {
	t.Helper()
	var p process
	eventually(t, "a pid in "+filepath.Base(path), func() bool {
		raw, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		p.pid, err = strconv.Atoi(strings.TrimSpace(string(raw)))
		return err == nil
	})
	if p.start = startOf(p.pid); p.start == "" {
		t.Fatalf("process %d, which wrote %s, is gone already", p.pid, path)
	}
	return p
}

// running reports whether the process still runs; a zombie does not.
func running(p process) bool {
	for _, q := range processes() {
		if q.pid == p.pid && q.start == p.start {
			return !q.zombie
		}
	}
	return false
}

func wantGone(t *testing.T, what string, p process) {
	t.Helper()
	if running(p) {
		t.Errorf("%s (pid %d) is left", what, p.pid)
	}
}

// startWorker runs a worker process that does one attempt; its output is answered when it has ended.
func startWorker(t *testing.T, j job) (*exec.Cmd, <-chan string) {
	t.Helper()
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	argv := as("worker", string(raw))
	cmd := exec.Command(argv[0], argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	go func() {
		err := cmd.Wait()
		done <- out.String() + " " + errText(err)
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, done
}

func errText(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}
