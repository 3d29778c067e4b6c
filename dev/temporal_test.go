package dev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/workflows"
)

// temporalOnly is a stack of Temporal and its Web UI.
func temporalOnly(t *testing.T) *dev.Stack {
	t.Helper()
	return dev.ForTest(t, dev.Options{NoEvents: true, NoControl: true, NoAPI: true})
}

// startRun starts a run that nobody works on, under a search attribute of ours.
func startRun(t *testing.T, c client.Client, id string) {
	t.Helper()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.AttrRole.ValueSet("kept")),
	}, "Nothing")
	if err != nil {
		t.Fatal(err)
	}
}

// findRun waits until a query over the search attribute answers the run.
func findRun(t *testing.T, c client.Client, id string) {
	t.Helper()
	err := dev.Until(t.Context(), 10*time.Second, func(ctx context.Context) error {
		got, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: workflows.AttrRole.GetName() + " = 'kept'"})
		if err != nil {
			return err
		}
		for _, e := range got.GetExecutions() {
			if e.GetExecution().GetWorkflowId() == id {
				return nil
			}
		}
		return fmt.Errorf("%d runs, none of them %s", len(got.GetExecutions()), id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTemporalAloneIsReadyAndEndsOnSIGTERM(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	res, err := http.Get(stack.UIURL() + "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the Web UI answers %s with %s", res.Status, res.Header.Get("Content-Type"))
	}
	startRun(t, stack.Temporal(), "run-1")
	findRun(t, stack.Temporal(), "run-1")

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := stack.TemporalServer.Stop(ctx); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if log := stack.TemporalServer.LogTail(1000); strings.Contains(log, "level=ERROR") {
		t.Errorf("a clean run logs errors:\n%s", log)
	}
}

func TestTemporalKeepsRunsOverSIGKILL(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	startRun(t, stack.Temporal(), "run-1")
	before := stack.TemporalServer.Pid()
	if err := stack.TemporalServer.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := stack.TemporalServer.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := stack.TemporalServer.Pid(); now == before {
		t.Fatalf("pid %d before and after", now)
	}
	findRun(t, stack.Temporal(), "run-1")
	startRun(t, stack.Temporal(), "run-2")
	findRun(t, stack.Temporal(), "run-2")
}

func TestNamespaceKeepsFinishedRunsFor30Days(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	got, err := stack.Temporal().WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if ttl := got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(); ttl != 30*24*time.Hour {
		t.Errorf("retention is %s", ttl)
	}
}

// rolecallDev runs the program with an environment of its own until it ends by itself.
func rolecallDev(t *testing.T, env []string, args ...string) (code int, output string) {
	t.Helper()
	path, err := dev.Build(t.Context(), dev.RolecallDev)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{
		"HOME=" + cmd.Dir,
		"ROLECALL_DEV_TEMPORAL_ADDR=127.0.0.1:0", "ROLECALL_DEV_UI_ADDR=127.0.0.1:0", "ROLECALL_ADDR=127.0.0.1:0",
	}, env...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return 0, string(out)
}

func TestRolecallDevRefusesWithAReason(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	dataWith := func(content string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "temporal.db"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, test := range map[string]struct {
		env  []string
		args []string
		code int
		say  []string
	}{
		"Temporal's port is taken": {
			env: []string{"ROLECALL_DEV_TEMPORAL_ADDR=" + addr}, args: []string{"--only", "temporal"}, code: 1,
			say: []string{addr, "in use", "ROLECALL_DEV_TEMPORAL_ADDR"},
		},
		"the UI's port is taken": {
			env: []string{"ROLECALL_DEV_UI_ADDR=" + addr}, args: []string{"--only", "temporal"}, code: 1,
			say: []string{addr, "in use", "ROLECALL_DEV_UI_ADDR"},
		},
		"the API's port is taken": {env: []string{"ROLECALL_ADDR=" + addr}, code: 1, say: []string{addr, "in use", "ROLECALL_ADDR"}},
		"the event log's port is taken": {
			env: []string{"ROLECALL_DEV_EVENTS_ADDR=" + addr}, args: []string{"--only", "events"}, code: 1,
			say: []string{addr, "in use", "ROLECALL_DEV_EVENTS_ADDR"},
		},
		"an event log others could reach": {
			env: []string{"ROLECALL_DEV_EVENTS_ADDR=0.0.0.0:0"}, args: []string{"--only", "events"}, code: 1,
			say: []string{"0.0.0.0:0", "loopback", "ROLECALL_DEV_EVENTS_ADDR"},
		},
		"an address others could reach": {
			env: []string{"ROLECALL_DEV_TEMPORAL_ADDR=0.0.0.0:7233"}, args: []string{"--only", "temporal"}, code: 1,
			say: []string{"0.0.0.0:7233", "loopback"},
		},
		"one address for both": {
			env: []string{"ROLECALL_DEV_TEMPORAL_ADDR=127.0.0.1:7999", "ROLECALL_DEV_UI_ADDR=127.0.0.1:7999"}, args: []string{"--only", "temporal"}, code: 1,
			say: []string{"both", "127.0.0.1:7999"},
		},
		"a file that is no database": {
			env: []string{"ROLECALL_DATA_DIR=" + dataWith("certainly not SQLite, and long enough to look at")}, args: []string{"--only", "temporal"}, code: 1,
			say: []string{"temporal.db", "not a database", "ROLECALL_DATA_DIR"},
		},
		"an unknown part":      {args: []string{"--only", "nats"}, code: 2, say: []string{"nats", "temporal", "events"}},
		"an argument too many": {args: []string{"now"}, code: 2, say: []string{"now"}},
		"an unknown log level": {env: []string{"ROLECALL_LOG_LEVEL=loud"}, args: []string{"--only", "temporal"}, code: 1, say: []string{"loud"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out := rolecallDev(t, test.env, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.say {
				if !strings.Contains(out, want) {
					t.Errorf("the output does not say %q", want)
				}
			}
			if t.Failed() {
				t.Logf("output:\n%s", out)
			}
		})
	}
}

// TestFileOfAnotherSchemaIsRefused edits one table's definition in a database that a server has made.
func TestFileOfAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	if err := stack.TemporalServer.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(stack.Dir(), "data", "temporal.db"))
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.ReplaceAll(content, []byte("next_event_id BIGINT NOT NULL"), []byte("next_event_no BIGINT NOT NULL"))
	if bytes.Equal(edited, content) {
		t.Fatal("the database does not define next_event_id")
	}
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "temporal.db"), edited, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := rolecallDev(t, []string{"ROLECALL_DATA_DIR=" + data}, "--only", "temporal")
	for _, want := range []string{data, "executions", "no migration", "ROLECALL_DATA_DIR"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Fatalf("exit code %d; want 1 and %q in the output:\n%s", code, want, out)
		}
	}
	after, err := os.ReadFile(filepath.Join(data, "temporal.db"))
	if err != nil || !bytes.Equal(after, edited) {
		t.Errorf("a refused file was changed (%v)", err)
	}
}

func TestTwoServersDoNotShareAFile(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	code, out := rolecallDev(t, []string{"ROLECALL_DATA_DIR=" + filepath.Join(stack.Dir(), "data")}, "--only", "temporal")
	if code != 1 || !strings.Contains(out, "in use") || !strings.Contains(out, "ROLECALL_DATA_DIR") {
		t.Errorf("exit code %d, output:\n%s", code, out)
	}
}

func TestReadyFileNamesWhatWasChosen(t *testing.T) {
	t.Parallel()
	stack := temporalOnly(t)
	content, err := os.ReadFile(filepath.Join(stack.Dir(), "temporal-ready.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"temporalAddr": stack.TemporalAddr(), "uiUrl": stack.UIURL(), "pid": float64(stack.TemporalServer.Pid())}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
}
