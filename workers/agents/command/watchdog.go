//go:build linux || darwin

package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// watchScript leads the process group of an attempt. It says that it is ready, waits for the end of its stdin, which is the end
// of the worker, and kills: first whoever carries the mark in its environment, then its group and itself.
const watchScript = `trap '' TERM INT HUP QUIT PIPE ALRM USR1 USR2
echo ready
while read -r _; do :; done
round=0
while [ "$round" -lt 20 ]; do
	round=$((round + 1)); found=
	for file in $(grep -lF "$1" /proc/[0-9]*/environ 2>/dev/null); do
		pid=${file#/proc/}
		kill -KILL "${pid%/environ}" 2>/dev/null && found=yes
	done
	[ -n "$found" ] || break
done
kill -KILL 0`

// watchdog ends an attempt's processes when the worker dies. It holds the working directory's lock and nobody else does, so
// the lock is free exactly when it is gone.
type watchdog struct {
	process
	cmd  *exec.Cmd
	life *os.File      // its stdin: closed by us or by our death
	dead chan struct{} // closed when it has ended
}

// startWatchdog starts it and returns when it is on watch. lock may be nil.
func startWatchdog(mark string, lock *os.File) (*watchdog, error) {
	stdin, life, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	said, stdout, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", errors.Join(err, stdin.Close(), life.Close()))
	}
	cmd := exec.Command("/bin/sh", "-c", watchScript, "rolecall-watchdog", markName+"="+mark)
	cmd.Dir, cmd.Stdin, cmd.Stdout = "/", stdin, stdout
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if lock != nil {
		cmd.ExtraFiles = []*os.File{lock}
	}
	err = cmd.Start()
	_, _ = stdin.Close(), stdout.Close() // the child has its own
	if err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", errors.Join(err, life.Close(), said.Close()))
	}
	w := &watchdog{cmd: cmd, life: life, dead: make(chan struct{})}
	w.process = process{pid: cmd.Process.Pid, pgid: cmd.Process.Pid, start: startOf(cmd.Process.Pid)}
	r := bufio.NewReader(said)
	_, err = r.ReadString('\n')
	go func() {
		defer close(w.dead)
		_, _ = io.Copy(io.Discard, r) // its end is all that matters
		_ = said.Close()
	}()
	if err != nil {
		return nil, fmt.Errorf("the watchdog did not start: %w", errors.Join(err, w.close()))
	}
	return w, nil
}

// ended reports whether the watchdog is gone, so that nobody guards the attempt.
func (w *watchdog) ended() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// close kills the watchdog and what is left of its group, and reaps it. Until then its pid, and so the group's id, is not
// given to anybody else.
func (w *watchdog) close() error {
	_ = syscall.Kill(-w.pid, syscall.SIGKILL) // it may be gone already
	err := w.life.Close()
	if _, isExit := errors.AsType[*exec.ExitError](w.cmd.Wait()); !isExit && err == nil {
		err = errors.New("the watchdog ended without being killed")
	}
	return err
}
