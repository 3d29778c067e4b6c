//go:build linux || darwin

package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// patience bounds how long a replay waits for the signal that ended the recorded run.
const patience = 2 * time.Minute

// toolSeconds is how long a tool that is not ended goes on.
const toolSeconds = "120"

// Options say what to replay, and how.
type Options struct {
	Recording string   // path of the recording without its suffixes
	Scale     float64  // 1 takes the recorded time, 0 none
	Log       string   // where the [Start] is written
	Args      []string // the arguments that pi is given
}

// Start is what the program was started with. Tool is the process id of a tool that is left running, else 0.
type Start struct {
	PID   int      `json:"pid"`
	Args  []string `json:"args"`
	Stdin string   `json:"stdin"`
	Env   []string `json:"env"`
	Dir   string   `json:"dir"`
	Tool  int      `json:"tool"`
}

// player is one replay.
type player struct {
	recording
	Options
	start  Start
	tool   *exec.Cmd
	signal chan os.Signal
}

// Run replays and answers the exit code. An error is one of the replay itself.
func Run(o Options) (int, error) {
	r, err := load(o.Recording)
	if err != nil {
		return 0, err
	}
	p := &player{recording: r, Options: o, signal: make(chan os.Signal, 1)}
	if r.stubborn() {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(p.signal, syscall.SIGTERM)
	}
	stdin, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 0, fmt.Errorf("read stdin: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	p.start = Start{PID: os.Getpid(), Args: o.Args, Stdin: string(stdin), Env: os.Environ(), Dir: dir}
	if err := p.log(); err != nil {
		return 0, err
	}
	return p.play()
}

func (p *player) play() (int, error) {
	if _, err := os.Stderr.Write(p.stderr); err != nil {
		return 0, err
	}
	pace := p.pace(p.Scale)
	for _, line := range p.lines {
		kind, id := kindOf(line)
		if kind == "session" {
			if err := p.keepSession(id, line); err != nil {
				return 0, err
			}
		}
		if _, err := os.Stdout.Write(line); err != nil {
			return 0, err
		}
		if p.signalSent(pace) {
			return p.terminated()
		}
	}
	if !p.signalled() {
		return p.ended()
	}
	if err := p.startTool(); err != nil {
		return 0, err
	}
	if !p.signalSent(patience) {
		return 0, fmt.Errorf("no signal came within %s", patience)
	}
	return p.terminated()
}

// ended ends as the recorded run did by itself: with its exit code, and without its tool where that was left running.
func (p *player) ended() (int, error) {
	if p.meta.ExitCode == nil {
		return 0, fmt.Errorf("%s has no exit code", p.Recording)
	}
	if len(p.meta.LeftoverProcesses) > 0 {
		if err := p.startTool(); err != nil {
			return 0, err
		}
	}
	return *p.meta.ExitCode, nil
}

// signalSent waits for a signal, for at most d.
func (p *player) signalSent(d time.Duration) bool {
	select {
	case <-p.signal:
		return true
	case <-time.After(d):
		return false
	}
}

// terminated ends as pi does on SIGTERM: without a further event, and its tool with it.
func (p *player) terminated() (int, error) {
	p.signalSent(time.Duration(p.meta.KillToExitMs * p.Scale * float64(time.Millisecond))) // a second signal changes nothing
	if p.tool != nil {
		if err := syscall.Kill(-p.tool.Process.Pid, syscall.SIGKILL); err != nil {
			return 0, fmt.Errorf("end the tool: %w", err)
		}
		_ = p.tool.Wait() // it was killed
	}
	return 128 + int(syscall.SIGTERM), nil
}

// startTool leaves a process running in a session of its own, as pi does with a tool. A recording that ends outside of a tool
// gets none.
func (p *player) startTool() error {
	running := 0
	for _, line := range p.lines {
		switch kind, _ := kindOf(line); kind {
		case "tool_execution_start":
			running++
		case "tool_execution_end":
			running--
		}
	}
	if running > 0 {
		p.tool = exec.Command("sleep", toolSeconds)
		p.tool.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := p.tool.Start(); err != nil {
			return fmt.Errorf("start the tool: %w", err)
		}
		p.start.Tool = p.tool.Process.Pid
	}
	return p.log()
}

// keepSession writes the conversation's file where and as pi does.
func (p *player) keepSession(id string, line []byte) error {
	i := slices.Index(p.Args, "--session-dir")
	if i < 0 || i+1 >= len(p.Args) {
		return nil
	}
	return os.WriteFile(filepath.Join(p.Args[i+1], "2026-11-21T20-00-00-000Z_"+id+".jsonl"), line, 0o600)
}

// log writes what the program was started with, in one step.
func (p *player) log() error {
	raw, err := json.Marshal(p.start)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.Log+".tmp", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(p.Log+".tmp", p.Log)
}
