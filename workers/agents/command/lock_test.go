//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// holding is a program that writes its pid and holds its directory.
func holding(file string) []string { return shell(wrote("$$", file) + `exec sleep 1000`) }

// until is a program that waits for a file.
func until(pid, file string) []string {
	return shell(wrote("$$", pid) + `while ! [ -f ` + file + ` ]; do sleep 0.01; done`)
}

func TestSecondAttemptWaitsForTheDirectory(t *testing.T) {
	t.Parallel()
	main, release := pidFile(t, "main"), filepath.Join(t.TempDir(), "release")
	first := config(t, until(main, release)...)
	first.Workdir = t.TempDir()
	second := config(t, shell(`[ ! -e `+release+` ] || echo late`)...)
	second.Workdir = first.Workdir

	done1 := begin(t.Context(), newAgent(t, first), assignment("task-1", 1), &recorder{})
	p := pidIn(t, main)
	if err := os.Remove(filepath.Join(first.Workdir, lockName)); err != nil { // as a program that cleans up does
		t.Fatal(err)
	}
	r := &recorder{}
	done2 := begin(t.Context(), newAgent(t, second), assignment("task-2", 1), r)
	eventually(t, "the second attempt waits", func() bool { return r.phases() == "waiting for the working directory" })
	if !running(p) {
		t.Error("the holder was ended")
	}
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, done1, "the first attempt's end"); got.err != nil {
		t.Errorf("first: %v", got.err)
	}
	defer func() {
		if left, err := os.ReadDir(first.Workdir); err != nil || len(left) > 0 {
			t.Errorf("left in the working directory: %v, %v", left, err)
		}
	}()
	if got := receive(t, done2, "the second attempt's end"); got.err != nil || !strings.Contains(string(got.res.Output), "late") {
		t.Errorf("second: %v, %v: it ran before the first had ended", got.res, got.err)
	}
}

func TestWaitingForTheDirectoryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	cfg := config(t, holding(main)...)
	cfg.Workdir = t.TempDir()
	a := newAgent(t, cfg)
	begin(t.Context(), a, assignment("task-1", 1), &recorder{})
	p := pidIn(t, main)
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &recorder{}
	done := begin(ctx, a, assignment("task-2", 1), r)
	eventually(t, "the second attempt waits", func() bool { return r.phases() != "" })
	if msg := r.first().Message; msg != "attempt 1 of task task-1 holds it" {
		t.Errorf("it says %q", msg)
	}
	cancel(sdk.ErrCancelRequested)
	if got := receive(t, done, "the second attempt's end"); !errors.Is(got.err, sdk.ErrCancelRequested) {
		t.Errorf("%v, want the cause", got.err)
	}
	if !running(p) {
		t.Error("the holder was ended")
	}
}

func TestLaterAttemptTakesOverFromAStoppedWorker(t *testing.T) {
	t.Parallel()
	for name, sameData := range map[string]bool{"by the lock": false, "by the record": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			main, next := pidFile(t, "main"), pidFile(t, "next")
			cfg := config(t, holding(main)...)
			cfg.Workdir = t.TempDir()
			worker, done := startWorker(t, job{cfg, *assignment("task-1", 1)})
			p := pidIn(t, main)
			if err := worker.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			later := config(t, shell(wrote("$$", next))...)
			later.Workdir, later.WorkerID = cfg.Workdir, "worker-2"
			if sameData {
				later.DataDir = cfg.DataDir
			}
			a := newAgent(t, later)
			got := receive(t, begin(t.Context(), a, assignment("task-1", 2), &recorder{}), "the later attempt's end")
			if got.err != nil {
				t.Errorf("the later attempt: %v", got.err)
			}
			wantGone(t, "the stopped worker's program", p)
			if err := worker.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if out := receive(t, done, "the stopped worker's end"); !strings.Contains(out, "exit status 1") || strings.Contains(out, "output") {
				t.Errorf("the stopped worker ends with %q, want a failure", out)
			}
		})
	}
}

func TestLaterAttemptTakesOverWithoutADirectory(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	cfg := config(t, shell(`[ "$ROLECALL_ATTEMPT" = 2 ] && exit; `+wrote("$$", main)+`exec sleep 1000`)...)
	a := newAgent(t, cfg)
	done := begin(t.Context(), a, assignment("task-1", 1), &recorder{})
	p := pidIn(t, main)
	if _, err := a.Handle(t.Context(), assignment("task-1", 2), &recorder{}); err != nil {
		t.Errorf("the later attempt: %v", err)
	}
	wantGone(t, "the earlier attempt's program", p)
	if got := receive(t, done, "the earlier attempt's end"); got.err == nil || !sdk.AsAgentError(got.err).Retryable {
		t.Errorf("the earlier attempt: %v, want a retryable failure", got.err)
	}
}

func TestEarlierAttemptDoesNotTakeOver(t *testing.T) {
	t.Parallel()
	main := pidFile(t, "main")
	cfg := config(t, holding(main)...)
	cfg.Workdir = t.TempDir()
	a := newAgent(t, cfg)
	begin(t.Context(), a, assignment("task-1", 2), &recorder{})
	p := pidIn(t, main)
	_, err := a.Handle(t.Context(), assignment("task-1", 1), &recorder{})
	if err == nil || !strings.Contains(err.Error(), "a later one") {
		t.Errorf("%v, want a refusal", err)
	}
	if !running(p) {
		t.Error("the later attempt was ended")
	}
}

func TestHolderThatOnlyHasThePIDIsSpared(t *testing.T) {
	t.Parallel()
	cfg := config(t, shell(`echo ran`)...)
	cfg.Workdir = t.TempDir()
	by, child := bystander(t)
	rec := newRecord(cfg, assignment("task-1", 1), strings.Repeat("b", markLength))
	rec.PGID, rec.LeaderStart = by.pid, "another boot/7"
	if err := rec.write(filepath.Join(cfg.Workdir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := newAgent(t, cfg).Handle(t.Context(), assignment("task-1", 2), &recorder{}); err != nil {
		t.Errorf("the attempt: %v", err)
	}
	if !running(by) || !running(child) {
		t.Error("a process that merely has the pid in the lock file, or one of its group, was killed")
	}
}

func TestARecordThatNobodyHoldsRefusesNobody(t *testing.T) {
	t.Parallel()
	cfg := config(t, shell(`echo ran`)...)
	cfg.Workdir = t.TempDir()
	rec := newRecord(cfg, assignment("task-1", 2), strings.Repeat("c", markLength))
	if err := rec.write(filepath.Join(cfg.Workdir, lockName)); err != nil {
		t.Fatal(err)
	}
	if _, err := newAgent(t, cfg).Handle(t.Context(), assignment("task-1", 1), &recorder{}); err != nil {
		t.Errorf("the attempt: %v, although the directory is free", err)
	}
}
