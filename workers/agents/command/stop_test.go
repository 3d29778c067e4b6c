//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// pidFile is a file for a process's pid, and the shell text that fills it with the pid in a variable.
func pidFile(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}

// wrote is shell text that writes a pid to a file in one step.
func wrote(pid, file string) string {
	return `echo "` + pid + `" >` + file + `.tmp; mv ` + file + `.tmp ` + file + `; `
}

func TestCancelledProgramThatObeys(t *testing.T) {
	t.Parallel()
	main, child := pidFile(t, "main"), pidFile(t, "child")
	cfg := config(t, shell(`sleep 1000 & `+wrote("$!", child)+wrote("$$", main)+`wait`)...)
	cfg.Grace = 3 * patience // what is killed in the end is late
	a := newAgent(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := begin(ctx, a, assignment("task-1", 1), &recorder{})
	m, c := pidIn(t, main), pidIn(t, child)
	cancel(sdk.ErrCancelRequested)
	if got := receive(t, done, "the attempt's end"); !errors.Is(got.err, sdk.ErrCancelRequested) {
		t.Errorf("%v, %v, want the context's cause", got.res, got.err)
	}
	wantGone(t, "the program", m)
	wantGone(t, "its child", c)
}

func TestCancelledProgramThatDoesNotObey(t *testing.T) {
	t.Parallel()
	main, child, own := pidFile(t, "main"), pidFile(t, "child"), pidFile(t, "own")
	script := `trap '' TERM; sleep 1000 & ` + wrote("$!", child) + wrote("$$", main) + `"$@"; wait`
	cfg := config(t, shell(script, as("detach", own, "wait")...)...)
	cfg.Grace = 300 * time.Millisecond
	a := newAgent(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := begin(ctx, a, assignment("task-1", 1), &recorder{})
	m, c, o := pidIn(t, main), pidIn(t, child), pidIn(t, own)
	asked := time.Now()
	cancel(sdk.ErrCancelRequested)
	if got := receive(t, done, "the attempt's end"); !errors.Is(got.err, sdk.ErrCancelRequested) {
		t.Errorf("%v, %v, want the context's cause", got.res, got.err)
	}
	if took := time.Since(asked); took < cfg.Grace {
		t.Errorf("it was killed after %s, before its grace was over", took)
	}
	wantGone(t, "the program", m)
	wantGone(t, "its child", c)
	wantGone(t, "its child in a session of its own", o)
}

// TestWhoIsJustBeingForkedIsAskedToEndToo: each of the shells has a child at one moment and none at the next. A child whose shell is asked to
// end and which is not asked itself would be there until the grace is over.
func TestWhoIsJustBeingForkedIsAskedToEndToo(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	script := `for n in 1 2 3 4; do (while :; do sleep 1000 & kill -KILL $!; wait; done) 2>/dev/null & done; ` + wrote("$$", main) + `wait`
	cfg := config(t, shell(script)...)
	endsWithoutItsGrace(t, cfg, main, sdk.ErrCancelRequested)
}

func TestResultAfterTheRequestToStopCounts(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	script := `trap 'echo "{\"result\":{\"output\":7}}"; exit 143' TERM; ` + wrote("$$", main) + `while :; do sleep 0.01; done`
	a := newAgent(t, config(t, shell(script)...))
	ctx, cancel := context.WithCancelCause(t.Context())
	done := begin(ctx, a, assignment("task-1", 1), &recorder{})
	pidIn(t, main)
	cancel(sdk.ErrInterruptedAttempt)
	if got := receive(t, done, "the attempt's end"); got.err != nil || string(got.res.Output) != "7" {
		t.Errorf("%v, %v, want the result", got.res, got.err)
	}
}

func TestNothingIsLeftBehindByAProgramThatEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		argv func(pid string) []string
		os   string // where it holds, or "" for everywhere
	}{
		"child that holds stdout":    {func(f string) []string { return shell(`sleep 1000 & ` + wrote("$!", f)) }, ""},
		"child that ignores SIGTERM": {func(f string) []string { return shell(`trap '' TERM; sleep 1000 & ` + wrote("$!", f)) }, ""},
		"orphan in a session of its own": {func(f string) []string {
			return shell(`"$@"; while ! [ -f `+f+` ]; do sleep 0.01; done`, as("detach", f, "leave")...)
		}, "linux"},
		"orphan without a mark": {func(f string) []string { return shell(`env -i sleep 1000 & ` + wrote("$!", f)) }, ""},
		"orphan of an orphan with its stdin": {func(f string) []string {
			return shell(`(sh -c 'sleep 1000 & ` + wrote("$!", f) + `' &) ; while ! [ -f ` + f + ` ]; do sleep 0.01; done`)
		}, ""},
	} {
		if tc.os != "" && tc.os != runtime.GOOS {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := pidFile(t, "pid")
			a := newAgent(t, config(t, tc.argv(file)...))
			got := receive(t, begin(t.Context(), a, assignment("task-1", 1), &recorder{}), "the attempt's end")
			if got.err != nil {
				t.Errorf("%v, want success", got.err)
			}
			pid, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range processes() {
				if strings.TrimSpace(string(pid)) == itoa(p.pid) && !p.zombie {
					t.Errorf("process %d is left", p.pid)
				}
			}
		})
	}
}

func TestChildOutsideTheGroupWithACleanedEnvironmentDies(t *testing.T) {
	t.Parallel()
	own := pidFile(t, "own")
	cfg := config(t, as("detach", own, "wait", "clean")...)
	cfg.Grace = 100 * time.Millisecond
	a := newAgent(t, cfg)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := begin(ctx, a, assignment("task-1", 1), &recorder{})
	p := pidIn(t, own)
	cancel(sdk.ErrLeaseLost)
	if got := receive(t, done, "the attempt's end"); !errors.Is(got.err, sdk.ErrLeaseLost) {
		t.Errorf("%v, want the cause", got.err)
	}
	wantGone(t, "the child", p)
}

func TestProgramThatGotAwayDoesNotHoldTheAttempt(t *testing.T) {
	t.Parallel()
	file := pidFile(t, "pid")
	argv := shell(`"$@"; while ! [ -f `+file+` ]; do sleep 0.01; done; echo hi`, as("detach", file, "leave", "clean")...)
	got := receive(t, begin(t.Context(), newAgent(t, config(t, argv...)), assignment("task-1", 1), &recorder{}), "the attempt's end")
	pidIn(t, file).kill(syscall.SIGKILL)
	if got.err != nil || string(got.res.Output) != `{"text":"hi\n"}` {
		t.Errorf("%v, %v, want what it printed", got.res, got.err)
	}
}

func TestCloseInterrupts(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	a := newAgent(t, config(t, shell(wrote("$$", main)+`exec sleep 1000`)...))
	done := begin(t.Context(), a, assignment("task-1", 1), &recorder{})
	p := pidIn(t, main)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	wantGone(t, "the program", p)
	if got := receive(t, done, "the attempt's end"); !errors.Is(got.err, sdk.ErrInterruptedAttempt) {
		t.Errorf("%v, want an interruption", got.err)
	}
	if _, err := a.Handle(t.Context(), assignment("task-1", 2), &recorder{}); !errors.Is(err, sdk.ErrInterruptedAttempt) {
		t.Errorf("a closed agent answers %v", err)
	}
}

func TestLostWatchdogEndsTheAttempt(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	a := newAgent(t, config(t, shell(wrote("$$", main)+`sleep 1000`)...))
	done := begin(t.Context(), a, assignment("task-1", 1), &recorder{})
	p := pidIn(t, main)
	rec := onlyRecord(t, a.cfg)
	process{pid: rec.PGID, start: rec.LeaderStart}.kill(9)
	got := receive(t, done, "the attempt's end")
	if fail := sdk.AsAgentError(got.err); got.err == nil || !fail.Retryable || !strings.Contains(fail.Message, "somebody else") {
		t.Errorf("%v, want a retryable failure", got.err)
	}
	wantGone(t, "the program", p)
}

func TestOrphansOfTheGroupMayEndInOrder(t *testing.T) {
	t.Parallel()
	ready, said := pidFile(t, "ready"), pidFile(t, "said")
	orphan := `trap ": >` + said + `; exit" TERM; : >` + ready + `; while :; do sleep 0.01; done`
	argv := shell(`env -i /bin/sh -c "$1" & while ! [ -f `+ready+` ]; do sleep 0.01; done`, orphan)
	if _, _, err := handle(t, config(t, argv...)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(said); err != nil {
		t.Errorf("the orphan was killed without SIGTERM: %v", err)
	}
}

func TestProgramWhoseLeaseIsLostHasNoGrace(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	cfg := config(t, shell(`trap '' TERM; `+wrote("$$", main)+`while :; do sleep 1; done`)...)
	endsWithoutItsGrace(t, cfg, main, sdk.ErrLeaseLost)
}

// endsWithoutItsGrace stops a program that has written its pid, with a grace that is longer than the test waits.
func endsWithoutItsGrace(t *testing.T, cfg Config, main string, cause error) {
	t.Helper()
	cfg.Grace = time.Minute
	ctx, cancel := context.WithCancelCause(t.Context())
	done := begin(ctx, newAgent(t, cfg), assignment("task-1", 1), &recorder{})
	m := pidIn(t, main)
	cancel(cause)
	if got := receive(t, done, "the attempt's end"); !errors.Is(got.err, cause) {
		t.Errorf("%v, %v, want the context's cause", got.res, got.err)
	}
	wantGone(t, "the program", m)
}
