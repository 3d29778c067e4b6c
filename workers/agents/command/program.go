//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// drainPatience bounds the wait for the end of stdout and stderr when the attempt's processes are gone: only a process that
// got away could still hold them open.
const drainPatience = time.Second

// program is the running program and its three pipes.
type program struct {
	cmd    *exec.Cmd
	talk   Talk
	stderr tail
	clean  *redact.Redactor // of stderr
	exited chan struct{}    // closed when it has been waited for
	pipes  []*os.File       // our ends: stdin, stdout, stderr
	pumps  chan struct{}    // one message from each of the three when it is done
}

// start runs the program as a member of the watchdog's group. key is the attempt's own for the API, or "".
func (at *attempt) start(ctx context.Context, key string) (*program, error) {
	cfg := at.agent.cfg
	talk, err := cfg.Dialect.Talk(at.in, at.out)
	if err != nil {
		return nil, err
	}
	argv := append(slices.Clone(cfg.Argv), talk.Args()...)
	p := &program{
		cmd:  &exec.Cmd{Path: at.agent.program, Args: argv, Dir: at.dir, Env: cfg.environ(ctx, at.in, at.rec.Mark, key)},
		talk: talk, stderr: tail{max: cfg.MaxLog}, clean: cfg.clean,
		exited: make(chan struct{}), pumps: make(chan struct{}, 3),
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: at.watch.pid}
	dieWithThread(p.cmd.SysProcAttr)
	theirs, err := p.connect()
	if err == nil {
		err = p.launch()
	}
	closeAll(theirs)
	if err != nil {
		closeAll(p.pipes)
		return nil, notStarted(err)
	}
	go p.pump(func() { _, _ = p.pipes[0].Write(talk.Input()); closeAll(p.pipes[:1]) }) // a program need not read it
	go p.pump(func() { readPipe(p.talk, p.pipes[1]) })
	go p.pump(func() { readPipe(&p.stderr, p.pipes[2]) })
	return p, nil
}

func (p *program) pump(work func()) {
	work()
	p.pumps <- struct{}{}
}

// connect makes the three pipes and answers the program's ends.
func (p *program) connect() (theirs []*os.File, err error) {
	for fd := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, fmt.Errorf("make a pipe: %w", err)
		}
		if fd == 0 {
			p.pipes, theirs, p.cmd.Stdin = append(p.pipes, w), append(theirs, r), r
			continue
		}
		p.pipes, theirs = append(p.pipes, r), append(theirs, w)
		if fd == 1 {
			p.cmd.Stdout = w
		} else {
			p.cmd.Stderr = w
		}
	}
	return theirs, nil
}

// launch starts the program from a thread that stays until the program has ended: the kernel kills it with its thread.
func (p *program) launch() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the process state says how it ended
			close(p.exited)
		}
	}()
	return <-started
}

// ended reports whether the program has ended.
func (p *program) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// abandon lets go of a program that cannot be killed.
func (p *program) abandon() { closeAll(p.pipes) }

// finish waits for the end of what the program said, and answers how it ended. Its processes must be gone.
func (p *program) finish() Exit {
	<-p.exited
	deadline := time.Now().Add(drainPatience)
	_ = p.pipes[0].SetWriteDeadline(deadline) // fails only on a closed pipe
	for _, f := range p.pipes[1:] {
		_ = f.SetReadDeadline(deadline) // fails only on a closed pipe
	}
	for range p.pipes {
		<-p.pumps
	}
	closeAll(p.pipes[1:])
	_ = p.talk.Close() // it never fails
	e := Exit{Code: p.cmd.ProcessState.ExitCode(), Stderr: p.stderr.redacted(p.clean), StderrCut: p.stderr.cut}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal().String()
	}
	return e
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // pipes keep nothing back
	}
}

// notStarted is the failure of a program that could not be started: final where it would be the same again.
func notStarted(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return sdk.Final("", fmt.Errorf("the program, or the interpreter in its first line, was not found: %w; install it where the worker runs", err))
	case errors.Is(err, os.ErrPermission):
		return sdk.Final("", fmt.Errorf("the program may not be run: %w; make it executable (chmod +x)", err))
	case errors.Is(err, syscall.ENOEXEC):
		return sdk.Final("", fmt.Errorf("the program is not in a form this machine runs: %w; a script needs a first line such as #!/bin/sh", err))
	default:
		return sdk.Retryable("", fmt.Errorf("the program could not be started: %w", err))
	}
}
