//go:build linux || darwin

package command

import (
	"os"
	"syscall"
)

// process is one process as the kernel lists it. start tells it from a later one with the same pid: it is the same string for
// one process and no other, on this boot of this machine.
type process struct {
	pid, ppid, pgid int
	start           string
	zombie          bool
}

// self names this process.
func self() process {
	pid := os.Getpid()
	return process{pid: pid, start: startOf(pid)}
}

// alive reports whether the process with this pid is the one that began at start.
func alive(pid int, start string) bool {
	return pid > 0 && start != "" && startOf(pid) == start
}

// kill signals exactly this process, and nobody who got its pid later.
func (p process) kill(sig syscall.Signal) {
	h, err := os.FindProcess(p.pid)
	if err != nil {
		return
	}
	defer func() { _ = h.Release() }() // releasing a handle we own does not fail
	if alive(p.pid, p.start) {
		_ = h.Signal(sig) // it may have ended meanwhile
	}
}
