package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// The programs of the stack.
const (
	Rolecall    = "rolecall"     // API, control worker, role workers and the command line
	RolecallDev = "rolecall-dev" // Temporal and its Web UI

	// ScriptedAgent is the agent of the end-to-end tests: a task's input says what it does.
	ScriptedAgent = "scripted-agent"
	// ReplayPi plays recorded runs of the pi coding agent, for workers that run it.
	ReplayPi = "replay-pi"
	// ExampleSession is examples/session: a session, its stream and a result.
	ExampleSession = "example-session"
	// RolecallBench measures what a task costs; its workers and callers are the same program.
	RolecallBench = "rolecall-bench"
)

// builds holds what this process has built, so that a second call costs nothing.
type builds struct {
	mu   sync.Mutex
	done map[string]string
}

//nolint:gochecknoglobals // a program is built once per process, whoever asks
var built = builds{done: map[string]string{}}

// Build makes a program of the stack from the sources and returns its path, in .rolecall/bin of the repository. The go command
// decides whether there is anything to do; a lock keeps processes that build at the same time apart. The first build on a
// machine compiles the Temporal server, which takes minutes.
func Build(ctx context.Context, name string) (string, error) {
	built.mu.Lock()
	defer built.mu.Unlock()
	if path := built.done[name]; path != "" {
		return path, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	at, ok := map[string]source{
		Rolecall: {root, "./cmd/rolecall"}, RolecallDev: {filepath.Join(root, "dev"), "./cmd/rolecall-dev"},
		ScriptedAgent: {filepath.Join(root, "dev"), "./cmd/scripted-agent"}, ReplayPi: {root, "./workers/agents/pi/internal/replay-pi"},
		ExampleSession: {root, "./examples/session"}, RolecallBench: {filepath.Join(root, "dev"), "./cmd/rolecall-bench"},
	}[name]
	if !ok {
		return "", fmt.Errorf("dev: no program %q", name)
	}
	path := filepath.Join(root, ".rolecall", "bin", name)
	if err := at.buildLocked(ctx, path); err != nil {
		return "", err
	}
	built.done[name] = path
	return path, nil
}

// source is where a program is built from.
type source struct{ module, pkg string }

func (s source) buildLocked(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("dev: lock %s: %w", lock.Name(), err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-race=false", "-o", path, s.pkg)
	cmd.Dir = s.module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("dev: build %s: %w\n%s", s.pkg, err, bytes.TrimSpace(out))
	}
	return nil
}

// Root is the directory of the repository that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("dev: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/rolecall-dev/rolecall\n") {
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("dev: %w", err)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("dev: the working directory is not inside a checkout of rolecall, where the programs of the stack are built from")
		}
		dir = parent
	}
}
