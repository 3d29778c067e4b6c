//go:build agents

package agents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/internal/realpi"
	"github.com/rolecall-dev/rolecall/dev/modelserver"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// office is a stack with workers that run the real pi, all on one checkout and with one place for conversations.
type office struct {
	t       *testing.T
	stack   *dev.Stack
	model   *modelserver.Server
	program string
	dir     string
	home    string
}

func newOffice(t *testing.T, stack *dev.Stack, script ...modelserver.Answer) *office {
	t.Helper()
	o := &office{t: t, stack: stack, dir: t.TempDir(), home: t.TempDir()}
	var err error
	if o.model, err = modelserver.New(script); err != nil {
		t.Fatal(err)
	}
	url, closeModel, err := o.model.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeModel(); err != nil {
			t.Error(err)
		}
	})
	o.program = configure(t, filepath.Join(o.home, "pi"), url)
	return o
}

func (o *office) worker(role sdk.Role, name string) *dev.Process {
	o.t.Helper()
	p, err := o.stack.StartWorker(o.t.Context(), dev.Worker{
		Name: name, Roles: []sdk.Role{role}, Agent: "pi", Command: []string{"--offline"}, Flags: []string{"--workdir", o.dir},
		Env: []string{
			"AGENT_ID=" + name, "ROLECALL_DATA_DIR=" + filepath.Join(o.home, name), "HOME=" + o.home, "PI_CODING_AGENT_DIR=" + filepath.Join(o.home, "pi"),
			"ROLECALL_PI_PROGRAM=" + o.program, "ROLECALL_PI_PROVIDER=" + realpi.Provider, "ROLECALL_PI_MODEL=scripted",
			"ROLECALL_PI_SESSION_DIR=" + filepath.Join(o.home, "sessions"),
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func (o *office) delegate(role sdk.Role) *sdk.Task {
	o.t.Helper()
	task, err := o.stack.Client().DelegateToRole(o.t.Context(), role, sdk.TypeCodeWrite, "Greet",
		sdk.WithRetry(sdk.Retry{InitialIntervalMs: 100}), sdk.WithTimeouts(sdk.Timeouts{HeartbeatMs: 5000}))
	if err != nil {
		o.t.Fatal(err)
	}
	return task
}

func (o *office) ended(id string) *sdk.Task {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	task, err := o.stack.Client().WaitForTask(ctx, id)
	if err != nil {
		o.t.Fatal(err)
	}
	return task
}

// inItsTool waits for the tool to have left its process id.
func (o *office) inItsTool() (pid string) {
	o.t.Helper()
	if err := dev.Until(o.t.Context(), patience, func(context.Context) error {
		raw, err := os.ReadFile(filepath.Join(o.dir, "pid"))
		if pid = strings.TrimSpace(string(raw)); err == nil && pid == "" {
			err = errors.New("it is being written")
		}
		return err
	}); err != nil {
		o.t.Fatal(err)
	}
	return pid
}

// heartbeatTells waits until Temporal has recorded how many tokens the running attempt spent.
func (o *office) heartbeatTells(id string, tokens int64) {
	o.t.Helper()
	if err := dev.Until(o.t.Context(), patience, func(ctx context.Context) error {
		run, err := o.stack.Temporal().DescribeWorkflowExecution(ctx, workflows.TaskWorkflowID("default", id), "")
		if err != nil {
			return err
		}
		for _, p := range run.GetPendingActivities() {
			var report activities.AttemptReport
			if err := converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &report); err != nil {
				return err
			}
			if spent := report.Spent; spent != nil && spent.TokensUsed != nil && *spent.TokensUsed == tokens {
				return nil
			}
		}
		return fmt.Errorf("none of %d heartbeats tells of %d tokens", len(run.GetPendingActivities()), tokens)
	}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) wantTokens(task *sdk.Task, want int64) {
	o.t.Helper()
	if got := task.Result.Metrics.TokensUsed; got == nil || *got != want {
		o.t.Errorf("the metrics are %+v, want %d tokens", task.Result.Metrics, want)
	}
}

// nothingLeft waits until no process of a task is left: pi, the tool's shell and what that started all carry the task's id.
func (o *office) nothingLeft(taskID string) {
	o.t.Helper()
	if err := dev.Until(o.t.Context(), 10*time.Second, func(context.Context) error {
		environs, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil || len(environs) == 0 {
			return dev.GiveUp(fmt.Errorf("no processes are seen: %w", err))
		}
		for _, path := range environs {
			if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), "ROLECALL_TASK_ID="+taskID) {
				return fmt.Errorf("%s is left", filepath.Dir(path))
			}
		}
		return nil
	}); err != nil {
		o.t.Error(err)
	}
}

func (o *office) wantChain(task *sdk.Task, want ...sdk.Outcome) {
	o.t.Helper()
	var got []sdk.Outcome
	for _, a := range task.Attempts {
		got = append(got, a.Outcome)
	}
	if !slices.Equal(got, want) {
		o.t.Fatalf("the attempts ended as %q, want %q", got, want)
	}
}

// TestPiThroughTemporal ends pi in the middle of a tool in the two ways that leave it no say.
func TestPiThroughTemporal(t *testing.T) {
	t.Parallel()
	stack := dev.ForTest(t, dev.Options{})
	long := modelserver.Answer{
		Text: "A long one.", Input: 100, Output: 10,
		Tools: []modelserver.Tool{{Name: "bash", Arguments: map[string]any{"command": "echo $$ > pid; sleep 300"}}},
	}
	t.Run("cancelled", func(t *testing.T) {
		o := newOffice(t, stack, long)
		o.worker(sdk.RoleCoder, "pi")
		created := o.delegate(sdk.RoleCoder)
		pid := o.inItsTool()
		if _, err := stack.Client().CancelTask(t.Context(), created.ID, "changed my mind"); err != nil {
			t.Fatal(err)
		}
		task := o.ended(created.ID)
		o.wantChain(task, sdk.OutcomeCancelled)
		if task.CancelConfirmed == nil || !*task.CancelConfirmed {
			t.Error("its end is not confirmed")
		}
		o.wantTokens(task, 110)
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			t.Errorf("the tool is left: %s", stat)
		}
		o.nothingLeft(created.ID)
	})
	t.Run("its worker was killed", func(t *testing.T) {
		o := newOffice(t, stack, long, modelserver.Answer{Text: "Done after all.", Input: 200, Output: 20})
		first := o.worker(sdk.RoleDebugger, "first")
		created := o.delegate(sdk.RoleDebugger)
		o.inItsTool()
		o.heartbeatTells(created.ID, 110)
		if err := first.Kill(); err != nil {
			t.Fatal(err)
		}
		o.nothingLeft(created.ID)
		o.worker(sdk.RoleDebugger, "second")
		task := o.ended(created.ID)
		o.wantChain(task, sdk.OutcomeLost, sdk.OutcomeCompleted)
		if string(task.Result.Output) != `{"text":"Done after all."}` {
			t.Errorf("the result is %s", task.Result.Output)
		}
		o.wantTokens(task, 330)
		var all strings.Builder
		asked := o.model.Requests()
		for _, m := range asked[len(asked)-1].Messages {
			all.WriteString(m.Role + ": " + m.Text() + "\n")
		}
		for _, want := range []string{"user: # Greet\n", "assistant: A long one.", "user: Your work on this task was interrupted."} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("the model was not told %q, but:\n%s", want, all.String())
			}
		}
	})
}
