package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// shellAgent is a running example of an agent in shell and curl.
type shellAgent struct {
	said saying
	stop func() error // has it stop, and waits until it has
}

// saying keeps what a program prints.
type saying struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// shellAgent starts the example with a program of its own; it is stopped at the end of the test.
func (s *scene) shellAgent(name, program string, env ...string) *shellAgent {
	s.t.Helper()
	agent, err := filepath.Abs("../../examples/agents/http-agent.sh")
	s.do(err)
	script := filepath.Join(s.t.TempDir(), "program")
	s.do(os.WriteFile(script, []byte("#!/bin/sh\n"+program+"\n"), 0o700)) //nolint:gosec // a program
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), agent, script)
	cmd.Env = append(os.Environ(), "EVENTS_API_KEY=", "EVENTS_SERVICE_URL="+s.stack.URL(), "PROJECT_ID="+s.project, "AGENT_ID="+name, "ROLE=coder")
	cmd.Env = append(cmd.Env, env...)
	a := &shellAgent{}
	cmd.Stderr = &a.said
	cmd.WaitDelay = patience // should its program outlive it
	s.do(cmd.Start())
	a.stop = sync.OnceValue(func() error {
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		return errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait())
	})
	s.t.Cleanup(func() {
		if err := a.stop(); err != nil {
			s.t.Error(err)
		}
		if said := a.said.String(); said != "" {
			s.t.Logf("the agent %s said %s", name, said)
		}
	})
	return a
}

// An agent in POSIX shell completes a task with nothing but curl.
func TestShellAgent(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.shellAgent("shell", `grep -q '"title":"Say hello"' && printf '{"said":"hello"}'`)
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Say hello"})
	s.do(err)
	done := s.ended(task.ID)
	var output struct{ Said string }
	if done.Status != sdk.StatusCompleted || done.Result == nil || json.Unmarshal(done.Result.Output, &output) != nil || output.Said != "hello" {
		t.Fatalf("the task ended as %s: %+v", done.Status, done.Result)
	}
	if len(done.Attempts) != 1 || done.Attempts[0].AgentID != "shell" || done.AgentID != "shell" || done.StartedAt == nil {
		t.Errorf("the chain is %+v", done.Attempts)
	}
}

// What a shell agent's program prints may be refused; the next attempt may mend it.
func TestShellAgentWhoseOutputIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.shellAgent("shell", `if mkdir '`+s.path("once")+`'; then echo hello; else echo '"hello"'; fi`)
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Say hello", Retry: &sdk.Retry{InitialIntervalMs: 100}})
	s.do(err)
	if done := s.completed(task.ID, "0.1 failed", "0.2 completed"); done.Attempts[0].Error == nil || done.Attempts[0].Error.Code != "output_refused" {
		t.Errorf("the chain is %+v", done.Attempts)
	}
}

// A shell agent is told in the answer to its heartbeat that its task was cancelled, and stops.
func TestShellAgentIsCancelled(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.shellAgent("shell", `exec sleep 600`)
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Sleep"})
	s.do(err)
	s.is("taken", task.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusRunning })
	_, err = s.client.CancelTask(t.Context(), task.ID, "enough")
	s.do(err)
	done := s.ended(task.ID)
	if done.Status != sdk.StatusCancelled || done.CancelConfirmed == nil || !*done.CancelConfirmed {
		t.Errorf("the task ended as %s, confirmed %v, %+v", done.Status, done.CancelConfirmed, done.Attempts)
	}
}

// A shell agent that is told to stop does so at once, and gives back what it has: another one goes on.
func TestShellAgentStops(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	first := s.shellAgent("first", `: >'`+s.path("begun")+`'; exec sleep 600`)
	task, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Say hello"})
	s.do(err)
	s.appears("begun") // the service has handed it out before that: one whose answer is still under way is lost with its agent
	s.do(first.stop())
	s.shellAgent("second", `echo 1`)
	if done := s.completed(task.ID, "0.1 interrupted", "0.2 completed"); done.AgentID != "second" {
		t.Errorf("the chain is %+v", done.Attempts)
	}
	_, err = s.client.RegisterAgent(t.Context(), sdk.AgentRequest{ID: "idle", Name: "Idle", Role: sdk.RoleTester})
	s.do(err)
	idle := s.shellAgent("idle", `echo 2`, "ROLE=tester")
	s.agentIs(s.client, "idle", func(a *sdk.Agent) bool { return a.Polling }) // by a claim of 20 s
	began := time.Now()
	s.do(idle.stop())
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it stopped after %s", took)
	}
}

// A shell agent whose claims are refused says so.
func TestShellAgentThatIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	a := s.shellAgent("shell", `echo 1`, "ROLE=Coder")
	s.eventually("what is wrong", patience, func() error {
		if said := a.said.String(); !strings.Contains(said, `"code":"invalid_input"`) {
			return fmt.Errorf("it said %q", said)
		}
		return nil
	})
}
