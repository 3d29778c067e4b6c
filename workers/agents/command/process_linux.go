package command

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dieWithThread has the kernel kill the child when the thread that starts it ends.
func dieWithThread(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// epoch names the boot and the pid namespace in which a start time means something.
func epoch() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty where it cannot be read
	ns, _ := os.Readlink("/proc/self/ns/pid")
	return strings.TrimSpace(string(boot)) + "/" + ns
}

// observable reports whether a process of that start and host could be seen from here if it still ran. One of an earlier boot of
// this machine could: it does not run.
func observable(start, host string) bool {
	now := epoch()
	if strings.HasPrefix(start, now+"/") {
		return true
	}
	boot, _, _ := strings.Cut(start, "/")
	current, _, _ := strings.Cut(now, "/")
	return host != "" && host == hostname() && boot != "" && current != "" && boot != current
}

// startOf answers when the process began, or "" when there is none.
func startOf(pid int) string {
	p, ok := readProcess(pid, epoch())
	if !ok {
		return ""
	}
	return p.start
}

// processes lists all that can be seen.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, _ := dir.Readdirnames(-1)   // what could be read is what there is
	since := epoch()
	list := make([]process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid, since); ok {
			list = append(list, p)
		}
	}
	return list
}

// readProcess reads /proc/<pid>/stat. The name in it may hold spaces and parentheses, so fields are counted from its end.
func readProcess(pid int, since string) (process, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(f) < 20 {
		return process{}, false
	}
	ppid, errParent := strconv.Atoi(f[1])
	pgid, errGroup := strconv.Atoi(f[2])
	if errParent != nil || errGroup != nil {
		return process{}, false
	}
	return process{
		pid: pid, ppid: ppid, pgid: pgid, start: since + "/" + f[19], zombie: f[0] == "Z" || f[0] == "X",
	}, true
}

// maxEnviron bounds how much of a process's environment is looked at.
const maxEnviron = 4 << 20

// marked reports whether the process was started with the mark in its environment.
func (p process) marked(mark string) bool {
	f, err := os.Open("/proc/" + strconv.Itoa(p.pid) + "/environ")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	env, err := io.ReadAll(io.LimitReader(f, maxEnviron))
	return err == nil && bytes.Contains(env, []byte(markName+"="+mark))
}

// before reports whether the process surely began before start; not when that cannot be told.
func (p process) before(start string) bool {
	return ticks(p.start, start) < ticks(start, p.start)
}

// ticks is the start time in start, or -1 in both when the two are of different epochs.
func ticks(start, other string) int64 {
	i, j := strings.LastIndexByte(start, '/'), strings.LastIndexByte(other, '/')
	if i < 0 || j < 0 || start[:i] != other[:j] {
		return -1
	}
	n, err := strconv.ParseInt(start[i+1:], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
