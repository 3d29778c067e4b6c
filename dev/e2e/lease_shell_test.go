package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// shellAgent starts the example of an agent in shell and curl with a program of its own, which is killed at the end of the test.
func (s *scene) shellAgent(name, program string) {
	s.t.Helper()
	agent, err := filepath.Abs("../../examples/agents/http-agent.sh")
	s.do(err)
	script := filepath.Join(s.t.TempDir(), "program")
	s.do(os.WriteFile(script, []byte("#!/bin/sh\n"+program+"\n"), 0o700)) //nolint:gosec // a program
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	cmd := exec.CommandContext(ctx, agent, script)
	cmd.Env = append(os.Environ(), "EVENTS_API_KEY=", "EVENTS_SERVICE_URL="+s.stack.URL(), "PROJECT_ID="+s.project, "AGENT_ID="+name, "ROLE=coder")
	cmd.Stderr = s.t.Output()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	s.do(cmd.Start())
	s.t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it is interrupted
	})
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
