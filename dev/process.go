package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Command is a program to run as a part of the stack.
type Command struct {
	Name string   // unique within the stack; its log is named for it
	Path string   // the program
	Args []string // without the program's name
	Env  []string // KEY=value, added to the stack's own environment
	Dir  string   // working directory. Default the stack's directory.
	// Ready returns nil once the process can be used. It is asked again and again, after each start. Optional.
	Ready func(ctx context.Context, run Run) error
}

// Run is one run of a command that may be started several times.
type Run struct {
	PID     int
	Started time.Time // just before
}

// Process is a part of the stack: a process, and after [Process.Restart] the next one with the same command.
type Process struct {
	cmd     Command
	stack   *Stack
	logFile string

	mu      sync.Mutex
	current *incarnation
}

// incarnation is one run of a process.
type incarnation struct {
	exec *exec.Cmd
	done chan struct{} // closed when it has been reaped
	err  error         // how it ended; set before done is closed
}

// startWait bounds the time from the start of a process until it is ready.
const startWait = 60 * time.Second

// Start runs a command as a part of the stack and returns when it is ready.
func (s *Stack) Start(ctx context.Context, cmd Command) (*Process, error) {
	if cmd.Dir == "" {
		cmd.Dir = s.dir
	}
	p := &Process{cmd: cmd, stack: s, logFile: s.logPath(cmd.Name)}
	if err := s.add(p); err != nil {
		return nil, err
	}
	err := p.start(ctx)
	return p, err
}

func (p *Process) start(ctx context.Context) error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("dev: log of %s: %w", p.cmd.Name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	c := exec.Command(p.cmd.Path, p.cmd.Args...)
	c.Dir, c.Stdout, c.Stderr, c.SysProcAttr = p.cmd.Dir, log, log, childAttr()
	c.Env = append(p.stack.environ(), p.cmd.Env...)
	started := time.Now()
	if err := p.stack.spawner.start(c); err != nil {
		return fmt.Errorf("dev: start %s: %w", p.cmd.Name, err)
	}
	run := &incarnation{exec: c, done: make(chan struct{})}
	go func() {
		run.err = c.Wait()
		close(run.done)
	}()
	p.mu.Lock()
	p.current = run
	p.mu.Unlock()
	if p.cmd.Ready == nil {
		return nil
	}
	return p.waitReady(ctx, run, Run{PID: c.Process.Pid, Started: started})
}

func (p *Process) waitReady(ctx context.Context, run *incarnation, now Run) error {
	err := Until(ctx, startWait, func(ctx context.Context) error {
		select {
		case <-run.done:
			return GiveUp(fmt.Errorf("it ended: %w", endError(run.err)))
		default:
			return p.cmd.Ready(ctx, now)
		}
	})
	if err != nil {
		return fmt.Errorf("dev: %s is not ready: %w\n%s", p.cmd.Name, err, p.LogTail(20))
	}
	return nil
}

// endError is how a process ended, never nil.
func endError(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (p *Process) run() *incarnation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// Pid is the process id of the newest run; 0 when none could be started.
func (p *Process) Pid() int {
	if run := p.run(); run != nil {
		return run.exec.Process.Pid
	}
	return 0
}

// Done is closed when the newest run has ended.
func (p *Process) Done() <-chan struct{} {
	if run := p.run(); run != nil {
		return run.done
	}
	ended := make(chan struct{})
	close(ended)
	return ended
}

// Signal sends a signal to the process, not to what it started: SIGSTOP suspends it, SIGCONT continues it.
func (p *Process) Signal(sig syscall.Signal) error {
	run := p.run()
	if run == nil {
		return fmt.Errorf("dev: %s was never started", p.cmd.Name)
	}
	if err := run.exec.Process.Signal(sig); err != nil {
		return fmt.Errorf("dev: %s to %s: %w", sig, p.cmd.Name, err)
	}
	return nil
}

// Kill ends the process with SIGKILL, and nothing that it started, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Done() // SIGKILL cannot be refused
	return nil
}

// Stop asks the process to end with SIGTERM and waits for it. It fails when the process answers with anything but exit code 0, or
// has not ended by the end of ctx.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Wait waits for the end of the process; the error says how it ended unless that was with exit code 0.
func (p *Process) Wait(ctx context.Context) error {
	run := p.run()
	if run == nil {
		return nil
	}
	select {
	case <-run.done:
		if run.err != nil {
			return fmt.Errorf("dev: %s: %w", p.cmd.Name, run.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("dev: %s has not ended: %w", p.cmd.Name, ctx.Err())
	}
}

// Restart starts the same command again, with the same ports and data, and returns when it is ready. A process that still runs is
// stopped first.
func (p *Process) Restart(ctx context.Context) error {
	select {
	case <-p.Done():
	default:
		if err := p.Stop(ctx); err != nil {
			return err
		}
	}
	return p.start(ctx)
}

// end ends the process and its group for good: asked first, and killed when grace is over.
func (p *Process) end(grace time.Duration) {
	run := p.run()
	if run == nil {
		return
	}
	// A suspended process would not hear the request. Errors say that it is gone already.
	_ = run.exec.Process.Signal(syscall.SIGTERM)
	_ = run.exec.Process.Signal(syscall.SIGCONT)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-run.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-run.exec.Process.Pid, syscall.SIGKILL)
	<-run.done
}
