package command

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// zombieState is SZOMB of sys/proc.h.
const zombieState = 5

// dieWithThread does nothing: only the watchdog ends a program whose worker died.
func dieWithThread(*syscall.SysProcAttr) {}

// observable reports whether a process of that start and host could be seen from here if it still ran.
func observable(_, host string) bool { return host != "" && host == hostname() }

// startOf answers when the process began, or "" when there is none.
func startOf(pid int) string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return ""
	}
	return describeProcess(info).start
}

// processes lists all that can be seen.
func processes() []process {
	infos, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	list := make([]process, len(infos))
	for i := range infos {
		list[i] = describeProcess(&infos[i])
	}
	return list
}

func describeProcess(info *unix.KinfoProc) process {
	began := info.Proc.P_starttime
	return process{
		pid: int(info.Proc.P_pid), ppid: int(info.Eproc.Ppid), pgid: int(info.Eproc.Pgid),
		start: fmt.Sprintf("%d.%06d", began.Sec, began.Usec), zombie: info.Proc.P_stat == zombieState,
	}
}

// marked answers false: the environment of another process cannot be read.
func (p process) marked(string) bool { return false }

// before answers false: nothing depends on it where environments cannot be read.
func (p process) before(string) bool { return false }
