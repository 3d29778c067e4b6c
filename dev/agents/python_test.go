//go:build agents

package agents

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// pythonStack is a stack of its own, with the example of an agent in Python's standard library, whose text may be changed.
func pythonStack(t *testing.T, change ...string) *dev.Stack {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := dev.Start(t.Context(), dev.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile("../../examples/agents/http_agent.py")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(change...).Replace(string(text))
	if len(change) > 0 && changed == string(text) {
		t.Fatal("the example is not changed")
	}
	agent := filepath.Join(t.TempDir(), "http_agent.py")
	if err := os.WriteFile(agent, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, python, agent)
	cmd.Env = append(os.Environ(), "EVENTS_API_KEY=", "PROJECT_ID=", "EVENTS_SERVICE_URL="+stack.URL(), "AGENT_ID=snake", "ROLE=tester")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it is killed
	})
	return stack
}

// An output that is no JSON fails the attempt, and not the agent.
func TestPythonAgentWhoseOutputIsNoJSON(t *testing.T) {
	stack := pythonStack(t, `return {"words": len(words)`, `return object() if claim["attempt"] == 1 else {"words": len(words)`)
	task, err := stack.Client().CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "Count", Retry: &sdk.Retry{InitialIntervalMs: 100}})
	if err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done, err := stack.Client().WaitForTask(wait, task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if done.Status != sdk.StatusCompleted || len(done.Attempts) != 2 || done.Attempts[0].Error == nil || done.Attempts[0].Error.Code != sdk.CodeAgentFailed {
		t.Errorf("%s: %+v", done.Status, done.Attempts)
	}
}

// The example of an agent in Python's standard library does tasks, and stops when one is cancelled.
func TestPythonAgent(t *testing.T) {
	stack := pythonStack(t)
	short, err := stack.Client().CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "Count these four words"})
	if err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done, err := stack.Client().WaitForTask(wait, short.ID)
	if err != nil {
		t.Fatal(err)
	}
	var output struct{ Words int }
	if done.Status != sdk.StatusCompleted || json.Unmarshal(done.Result.Output, &output) != nil || output.Words != 4 || done.AgentID != "snake" {
		t.Errorf("%s by %s: %+v", done.Status, done.AgentID, done.Result)
	}
	long, err := stack.Client().CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: string(words(100))})
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Until(t.Context(), patience, func(ctx context.Context) error {
		now, err := stack.Client().GetTask(ctx, long.ID)
		if err == nil && now.Progress == nil {
			err = context.DeadlineExceeded
		}
		return err
	}); err != nil {
		t.Fatalf("no progress: %v", err)
	}
	if _, err := stack.Client().CancelTask(t.Context(), long.ID, "enough"); err != nil {
		t.Fatal(err)
	}
	if done, err = stack.Client().WaitForTask(wait, long.ID); err != nil || done.Status != sdk.StatusCancelled || done.CancelConfirmed == nil || !*done.CancelConfirmed {
		t.Errorf("%+v, %v", done, err)
	}
}

// words are so many words of one letter.
func words(n int) []byte {
	var text []byte
	for range n {
		text = append(text, 'a', ' ')
	}
	return text[:2*n-1]
}
