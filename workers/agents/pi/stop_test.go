//go:build linux || darwin

package pi

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestStop ends runs from outside while a tool, or the model, is at work: by SIGTERM, and by SIGKILL where that does not help.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		recording string
		cause     error
		grace     time.Duration
		tool      bool
	}{
		"cancelled in a tool":           {"sigterm-tool", sdk.ErrCancelRequested, patience, true},
		"interrupted in a tool":         {"sigterm-group-tool", sdk.ErrInterruptedAttempt, patience, true},
		"cancelled while the model is":  {"sigterm-model", sdk.ErrCancelRequested, patience, false},
		"does not end on SIGTERM":       {"sigkill-group-tool", sdk.ErrCancelRequested, 50 * time.Millisecond, true},
		"without grace when it is lost": {"sigkill-group-tool", sdk.ErrLeaseLost, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, test.recording)
			d.config.Command.Grace = test.grace
			agent := d.agent(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := agent.Handle(ctx, task(), d)
				ended <- err
			}()
			tool := 0
			if test.tool {
				tool = d.tool(t)
			} else {
				d.waitFor(t, "message | Processing | ~I am thinking")
			}
			cancel(test.cause)
			select {
			case err := <-ended:
				if !errors.Is(err, test.cause) {
					t.Errorf("ended with %v, want %v", err, test.cause)
				}
			case <-time.After(patience):
				t.Fatal("it does not end")
			}
			if test.tool {
				wantSpent(t, d.spent, recordings()[test.recording].spent) // it counts although the attempt was stopped
			}
			if test.tool && running(t, tool) {
				t.Errorf("the tool (pid %d) is left", tool)
			}
		})
	}
}

// TestAToolThatPiLeavesIsEnded plays a run that ended with exit code 0 in the middle of a tool, which went on.
func TestAToolThatPiLeavesIsEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "rpc-stdin-closed-mid-tool")
	_, err := d.agent(t).Handle(t.Context(), task(), d)
	if fail, ok := errors.AsType[*sdk.AgentError](err); !ok || fail.Code != sdk.CodeAgentFailed || !fail.Retryable {
		t.Errorf("ended with %v", err)
	}
	if s, _ := d.started(t); s.Tool == 0 || running(t, s.Tool) {
		t.Errorf("the tool (pid %d) is left", s.Tool)
	}
}

func (d *desk) waitFor(t *testing.T, line string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !slices.Contains(d.told(), line); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%q was not told, but %q", line, d.told())
		}
	}
}

// running reports whether a process runs; a zombie does not.
func running(t *testing.T, pid int) bool {
	t.Helper()
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false // ps knows no such process
	}
	return !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}
