package dev_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// answering is an agent that answers every task with its process id.
func answering(role sdk.Role) dev.Worker {
	return dev.Worker{Roles: []sdk.Role{role}, Command: []string{"/bin/sh", "-c", `cat >/dev/null; echo "{\"result\":{\"output\":$$}}"`}}
}

func complete(t *testing.T, stack *dev.Stack, title string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	task, err := stack.Client().CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: title})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = stack.Client().WaitForTask(ctx, task.ID); err != nil || task.Status != sdk.StatusCompleted {
		t.Fatalf("task %q is %s: %v", title, task.Status, err)
	}
}

func TestEveryPartCanBeKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	stack := dev.ForTest(t, dev.Options{})
	worker, err := stack.StartWorker(t.Context(), answering(sdk.RoleCoder))
	if err != nil {
		t.Fatal(err)
	}
	complete(t, stack, "before")
	for name, p := range map[string]*dev.Process{"worker": worker, "API": stack.API, "control worker": stack.Control, "event log": stack.Events, "Temporal": stack.TemporalServer} {
		before := p.Pid()
		if err := p.Kill(); err != nil {
			t.Fatalf("kill the %s: %v", name, err)
		}
		if err := p.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("the killed %s ended with: %v", name, err)
		}
		if err := p.Restart(t.Context()); err != nil {
			t.Fatalf("start the %s again: %v", name, err)
		}
		if p.Pid() == before {
			t.Errorf("the %s has pid %d before and after", name, before)
		}
	}
	complete(t, stack, "after")
	for name, p := range map[string]*dev.Process{"worker": worker, "API": stack.API, "control worker": stack.Control, "event log": stack.Events} {
		if err := p.Stop(t.Context()); err != nil {
			t.Errorf("SIGTERM to the %s: %v", name, err)
		}
	}
}

func TestStartSaysWhyAProcessIsNotReady(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	_, err := stack.Start(t.Context(), dev.Command{
		Name: "broken", Path: "/bin/sh", Args: []string{"-c", "echo no such luck; exit 3"},
		Ready: func(context.Context, dev.Run) error { return fmt.Errorf("not yet") },
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("error: %v", err)
	}
}

// TestHelperHoldsAStack is run by the test below in a process of its own.
func TestHelperHoldsAStack(t *testing.T) {
	if !strings.Contains(strings.Join(os.Args, " "), "-test.run=^TestHelperHoldsAStack$") {
		t.Skip("a helper of TestProcessesDieWithTheirStarter")
	}
	stack := temporalOnly(t)
	if _, err := fmt.Fprintf(os.Stdout, "pid %d\n", stack.TemporalServer.Pid()); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done()
}

func TestProcessesDieWithTheirStarter(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties the life of a process to its starter's")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.CommandContext(t.Context(), self, "-test.run=^TestHelperHoldsAStack$")
	holder.Env = append(holder.Environ(), "TMPDIR="+t.TempDir()) // the stack of a killed process stays behind
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(stdout); pid == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			if pid, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		t.Fatalf("the helper started no process (pid %d)", pid)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	if err := dev.Until(t.Context(), 10*time.Second, func(context.Context) error { return gone(pid) }); err != nil {
		t.Errorf("Temporal outlived the process that started it: %v", err)
	}
}

// gone returns nil when a process has ended, be it that nobody has asked how.
func gone(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil //nolint:nilerr // no such process any more
	}
	if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "Z") {
		return nil
	}
	return fmt.Errorf("process %d runs", pid)
}
