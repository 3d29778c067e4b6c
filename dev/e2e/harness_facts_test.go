package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
)

// process is one process: its start tells it from a later one with the same id.
type process struct {
	pid   int
	start string // "" when there is none
}

// agent is a process of an attempt, with the mark that everything of the attempt carries: its watchdog as an argument, the
// program and what that started in the environment.
type agent struct {
	process
	mark string
}

// started waits for the process id that a script leaves in a file, such as 0.1.pid or 0.1.child, and answers that process.
func (s *scene) started(name string) agent {
	s.t.Helper()
	var a agent
	s.eventually(name, patience, func() error {
		raw, err := os.ReadFile(s.path(name))
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(string(raw))
		if err != nil {
			return dev.GiveUp(fmt.Errorf("%s holds no process id: %q", name, raw))
		}
		if a = (agent{find(pid), variable(pid, "ROLECALL_RUN")}); a.start == "" || a.mark == "" {
			return dev.GiveUp(fmt.Errorf("process %d of %s ended before it was looked at", pid, name))
		}
		return nil
	})
	return a
}

// find answers the process that has the id now; one that has ended and was not yet reaped does not count.
func find(pid int) process {
	raw := proc(pid, "stat")
	// The name before ")" may hold anything; state is the first field after it, the start time the twentieth.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return process{}
	}
	return process{pid: pid, start: fields[19]}
}

// proc reads what the kernel says of a process; nothing when there is none, or it is somebody else's.
func proc(pid int, what string) []byte {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, what))
	if err != nil {
		return nil
	}
	return raw
}

// variable is what an environment variable was when the process started.
func variable(pid int, name string) string {
	for pair := range bytes.SplitSeq(proc(pid, "environ"), []byte{0}) {
		if value, ok := bytes.CutPrefix(pair, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

func (p process) alive() bool { return p.start != "" && find(p.pid) == p }

// gone returns nil when the process has ended.
func (p process) gone() error {
	if p.alive() {
		return fmt.Errorf("process %d runs", p.pid)
	}
	return nil
}

// nothingLeft returns nil when no process of the attempt is left, its watchdog included.
func (a agent) nothingLeft() error {
	return nobody(processes(func(pid int) bool {
		return bytes.Contains(proc(pid, "environ"), []byte(a.mark)) || bytes.Contains(proc(pid, "cmdline"), []byte(a.mark))
	}))
}

// nothingLeft returns nil when no agent of the scene's project is left.
func (s *scene) nothingLeft() error {
	return nobody(processes(func(pid int) bool { return variable(pid, "ROLECALL_PROJECT") == s.project }))
}

// processes lists the processes that belong.
func processes(belongs func(pid int) bool) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !belongs(pid) {
			continue
		}
		if p := find(pid); p.start != "" {
			list = append(list, p)
		}
	}
	return list
}

func nobody(list []process) error {
	if len(list) > 0 {
		return fmt.Errorf("still there: %v", list)
	}
	return nil
}

// tick is a sign of life of an agent or its child.
type tick struct {
	attempt string // stage.attempt
	at      time.Time
}

// ticks reads the signs of life so far, in the order in which they were written.
func (s *scene) ticks() []tick {
	s.t.Helper()
	raw, err := os.ReadFile(s.path("ticks"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	var list []tick
	for line := range strings.Lines(string(raw)) {
		if !strings.HasSuffix(line, "\n") {
			break // being written
		}
		attempt, nanoseconds, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(nanoseconds, 10, 64)
		if err != nil {
			s.t.Fatalf("a tick reads %q", line)
		}
		list = append(list, tick{attempt, time.Unix(0, n)})
	}
	return list
}

// ticksOf are the times of one attempt's ticks.
func (s *scene) ticksOf(attempt string) []time.Time {
	s.t.Helper()
	var list []time.Time
	for _, t := range s.ticks() {
		if t.attempt == attempt {
			list = append(list, t.at)
		}
	}
	return list
}

// ticking waits until an attempt has ticked n more times.
func (s *scene) ticking(attempt string, n int) {
	s.t.Helper()
	before := len(s.ticksOf(attempt))
	s.eventually("ticks of attempt "+attempt, patience, func() error {
		if now := len(s.ticksOf(attempt)); now < before+n {
			return fmt.Errorf("%d ticks, %d before", now, before)
		}
		return nil
	})
}

// longestGap is the longest time between two ticks that follow each other.
func longestGap(ticks []time.Time) time.Duration {
	var longest time.Duration
	for i := 1; i < len(ticks); i++ {
		longest = max(longest, ticks[i].Sub(ticks[i-1]))
	}
	return longest
}
