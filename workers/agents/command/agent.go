//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Agent runs a program for every attempt. It is safe for concurrent use.
type Agent struct {
	cfg     Config
	program string // absolute
	dir     string // DataDir/agents/<WorkerID>
	keys    minter

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	life    context.Context // ends when the agent is closed
	end     context.CancelCauseFunc
}

var _ sdk.Handler = (*Agent)(nil)

// New checks the config, finds the program, and ends what earlier workers with the same data directory left.
func New(cfg Config) (*Agent, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Environ == nil {
		cfg.Environ = os.Environ()
	}
	if cfg.Workdir, err = existingDir(cfg.Workdir); err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, keys: minter{most: mintPatience, try: mintTry}}
	if a.keys.api, err = cfg.api(); err != nil {
		return nil, err
	}
	if a.program, err = findProgram(cfg.Argv[0], cfg.Workdir); err != nil {
		return nil, err
	}
	if a.dir, err = filepath.Abs(filepath.Join(cfg.DataDir, "agents", cfg.WorkerID)); err != nil {
		return nil, fmt.Errorf("command agent: the data directory: %w", err)
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, fmt.Errorf("command agent: the data directory: %w", err)
	}
	if err := a.sweep(); err != nil {
		return nil, fmt.Errorf("command agent: what an earlier worker %s left: %w", cfg.WorkerID, err)
	}
	a.life, a.end = context.WithCancelCause(context.Background())
	return a, nil
}

// Handle does one attempt. Nothing the program started is left when it returns.
func (a *Agent) Handle(ctx context.Context, in *sdk.Assignment, r sdk.Reporter) (*sdk.Result, error) {
	if !a.enter() {
		return nil, sdk.ErrInterruptedAttempt
	}
	defer a.running.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.life, func() { cancel(context.Cause(a.life)) })()
	at, err := prepare(ctx, a, in, r)
	if err != nil {
		return nil, err
	}
	defer at.close()
	return at.run(ctx)
}

// enter counts an attempt in, unless the agent is closed.
func (a *Agent) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.running.Add(1)
	return true
}

// Close interrupts the running attempts, waits until their processes are gone, and refuses new ones. The worker's directory is
// removed when nothing is in it.
func (a *Agent) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.end(sdk.ErrInterruptedAttempt)
	a.running.Wait()
	_ = os.Remove(a.dir) // it stays while another process works with the same id
	return nil
}

// existingDir makes a configured directory absolute, without symbolic links: its lock is on the directory itself.
func existingDir(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", fmt.Errorf("command agent: the working directory: %w; create it or name another one", err)
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return "", fmt.Errorf("command agent: the working directory %s is not a directory", dir)
	}
	return abs, nil
}

// findProgram answers the absolute path of the program.
func findProgram(name, workdir string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && workdir != "" && strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		path, err = exec.LookPath(filepath.Join(workdir, name))
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, os.ErrPermission):
		return "", fmt.Errorf("command agent: the program may not be run: %w; make it executable (chmod +x)", err)
	default:
		return "", fmt.Errorf("command agent: the program was not found: %w; install it, or give the path to it", err)
	}
}
