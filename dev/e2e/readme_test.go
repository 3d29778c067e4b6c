package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestReadme runs the worker and the task of the README's five minutes as they stand there.
func TestReadme(t *testing.T) {
	t.Parallel()
	stack := sharedStack(t)
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const project = "readme"
	shell := func(ctx context.Context, line string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "EVENTS_SERVICE_URL="+stack.URL(), "TEMPORAL_ADDRESS="+stack.TemporalAddr(),
			"PROJECT_ID="+project, "ROLECALL_DATA_DIR="+t.TempDir())
		return cmd
	}
	ctx, stop := context.WithCancel(t.Context())
	worker := shell(ctx, lineOf(t, string(page), "worker"))
	worker.Cancel = func() error { return worker.Process.Signal(os.Interrupt) }
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		if err := worker.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("the worker: %v", err)
		}
	}()
	if err := dev.Until(ctx, patience, func(ctx context.Context) error {
		return dev.Polled(ctx, stack.Temporal(), workflows.RoleQueue(project, sdk.RoleCoder), enums.TASK_QUEUE_TYPE_ACTIVITY, time.Time{})
	}); err != nil {
		t.Fatal(err)
	}
	out, err := shell(ctx, lineOf(t, string(page), "task run")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "completed") || !strings.Contains(string(out), "hello") {
		t.Errorf("%v: %s", err, out)
	}
}

// lineOf is the README's line that calls rolecall with that command.
func lineOf(t *testing.T, page, command string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^\.rolecall/bin/rolecall ` + command + ` .*$`).FindString(page)
	if line == "" {
		t.Fatalf("README.md shows no rolecall %s", command)
	}
	return line
}
