package dev

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (s *Stack) logPath(name string) string { return filepath.Join(s.dir, "logs", name+".log") }

// LogFile is where the output of the process and of its restarts goes.
func (p *Process) LogFile() string { return p.logFile }

// LogTail is the end of the process's output, at most so many lines.
func (p *Process) LogTail(lines int) string {
	content, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Logs is the end of every process's output, at most so many lines of each.
func (s *Stack) Logs(lines int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, p := range s.processes {
		fmt.Fprintf(&b, "--- %s (%s)\n%s\n", p.cmd.Name, p.logFile, p.LogTail(lines))
	}
	return b.String()
}
