//go:build linux || darwin

package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// onlyRecord waits for the complete record of the one attempt that runs with this config.
func onlyRecord(t *testing.T, cfg Config) (rec record) {
	t.Helper()
	eventually(t, "the attempt's record", func() bool {
		paths, err := filepath.Glob(filepath.Join(cfg.DataDir, "agents", cfg.WorkerID, "*"+recordSuffix))
		if err != nil || len(paths) != 1 {
			return false
		}
		var ok bool
		rec, ok = readRecord(paths[0])
		return ok && rec.PGID > 0
	})
	return rec
}

// tree is a program with children: one that ignores SIGTERM, one without a mark, one in a session of its own. All write their pids.
func tree(t *testing.T) (argv []string, files map[string]string) {
	t.Helper()
	files = map[string]string{"program": pidFile(t, "main"), "child": pidFile(t, "child"), "unmarked child": pidFile(t, "clean")}
	script := `trap '' TERM; sleep 1000 & ` + wrote("$!", files["child"]) + `env -i sleep 1000 & ` + wrote("$!", files["unmarked child"])
	var args []string
	if runtime.GOOS == "linux" { // elsewhere nobody can find it again
		files["session"] = pidFile(t, "own")
		args = as("detach", files["session"], "leave")
		script += `"$@"; `
	}
	return shell(script+wrote("$$", files["program"])+`exec sleep 1000`, args...), files
}

func TestEverythingDiesWithItsWorker(t *testing.T) {
	t.Parallel()
	argv, files := tree(t)
	cfg := config(t, argv...)
	worker, done := startWorker(t, job{cfg, *assignment("task-1", 1)})
	pids := map[string]process{}
	for name, file := range files {
		pids[name] = pidIn(t, file)
	}
	rec := onlyRecord(t, cfg)
	pids["watchdog"] = process{pid: rec.PGID, start: rec.LeaderStart}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	receive(t, done, "the worker's end")
	for name, p := range pids {
		eventually(t, name+" is gone", func() bool { return !running(p) })
	}
	t.Logf("all gone %s after the worker", time.Since(killed))

	newAgent(t, cfg) // which checks, when it is closed, that no record or directory is left
}

func TestNextStartEndsLeftovers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("without the watchdog, leftovers are found by their environment, which only Linux shows")
	}
	for name, id := range map[string]string{"of the same worker": "worker-1", "of another worker": "worker-2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nextStartEndsLeftovers(t, id)
		})
	}
}

func nextStartEndsLeftovers(t *testing.T, nextID string) {
	t.Helper()
	argv, files := tree(t)
	delete(files, "unmarked child") // without the watchdog only its mark leads to an orphan
	cfg := config(t, strings.Replace(argv[2], "env -i sleep 1000 &", "true &", 1))
	cfg.Argv = append(append(argv[:2:2], cfg.Argv...), argv[3:]...)
	worker, done := startWorker(t, job{cfg, *assignment("task-1", 1)})
	pids := map[string]process{}
	for name, file := range files {
		pids[name] = pidIn(t, file)
	}
	rec := onlyRecord(t, cfg)
	watch := process{pid: rec.PGID, start: rec.LeaderStart}
	if err := worker.Process.Signal(syscall.SIGSTOP); err != nil { // so that it does not see the watchdog die
		t.Fatal(err)
	}
	watch.kill(syscall.SIGKILL)
	eventually(t, "the watchdog is dead", func() bool { return !running(watch) })
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	receive(t, done, "the worker's end")
	if !running(pids["child"]) || !running(pids["session"]) {
		t.Fatal("the leftovers of this test did not outlive the worker")
	}
	eventually(t, "the kernel has ended the program", func() bool { return !running(pids["program"]) })
	next := cfg
	next.WorkerID = nextID
	a := newAgent(t, next)
	for name, p := range pids {
		wantGone(t, name, p)
	}
	if left, err := os.ReadDir(filepath.Dir(a.dir)); err != nil || len(left) != 1 || left[0].Name() != nextID {
		t.Errorf("the workers' directories are %v, %v; want that of %s only", left, err, nextID)
	}
}

func TestNextStartSparesWhoRunsAndWhoOnlyHasThePID(t *testing.T) {
	t.Parallel()
	cfg := config(t, "/bin/sh")
	dir := filepath.Join(cfg.DataDir, "agents", cfg.WorkerID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	bystander, child := bystander(t)
	mark := strings.Repeat("a", markLength)
	rec := newRecord(cfg, assignment("task-1", 1), mark)
	rec.WorkerStart = "another boot/1" // so the worker is gone
	rec.PGID, rec.LeaderStart = bystander.pid, "another boot/2"
	if err := rec.write(filepath.Join(dir, mark+recordSuffix)); err != nil {
		t.Fatal(err)
	}
	newAgent(t, cfg)
	if !running(bystander) || !running(child) {
		t.Error("a process that merely has the pid in the record, or one of its group, was killed")
	}
	if _, err := os.Stat(filepath.Join(dir, mark+recordSuffix)); err == nil {
		t.Error("the record of a dead worker is left")
	}
}

// bystander is a process that leads a group with one child, and has nothing to do with any attempt.
func bystander(t *testing.T) (leader, child process) {
	t.Helper()
	file := pidFile(t, "child")
	argv := shell(`sleep 1000 & ` + wrote("$!", file) + `wait`)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	})
	return process{pid: cmd.Process.Pid, start: startOf(cmd.Process.Pid)}, pidIn(t, file)
}

func TestWorkerKilledAtAnyMomentOfItsStart(t *testing.T) {
	t.Parallel()
	for name, fact := range map[string]func(rec record, dir string) bool{
		"its record is there": func(record, string) bool { return true },
		"the directory is held": func(_ record, dir string) bool {
			_, err := os.Stat(filepath.Join(dir, lockName))
			return err == nil
		},
		"its watchdog is known": func(rec record, _ string) bool { return rec.PGID > 0 },
		"its program runs": func(_ record, dir string) bool {
			_, err := os.Stat(filepath.Join(dir, "first"))
			return err == nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, shell(`[ "$ROLECALL_ATTEMPT" = 2 ] && exit; : >first; sleep 1000 & sleep 1000`)...)
			cfg.Workdir = t.TempDir()
			worker, done := startWorker(t, job{cfg, *assignment("task-1", 1)})
			var rec record
			eventually(t, name, func() bool {
				paths, err := filepath.Glob(filepath.Join(cfg.DataDir, "agents", cfg.WorkerID, "*"+recordSuffix))
				if err != nil || len(paths) == 0 {
					return false
				}
				var ok bool
				rec, ok = readRecord(paths[0])
				return ok && fact(rec, cfg.Workdir)
			})
			if err := worker.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			receive(t, done, "the worker's end")
			next := cfg
			next.WorkerID = "worker-2" // it has the data directory, but is not the next start of the same worker
			got := receive(t, begin(t.Context(), newAgent(t, next), assignment("task-1", 2), &recorder{}), "the second attempt's end")
			if got.err != nil {
				t.Errorf("the second attempt: %v", got.err)
			}
			for _, p := range processes() {
				if !p.zombie && p.marked(rec.Mark) {
					t.Errorf("process %d of the first attempt is left", p.pid)
				}
			}
			newAgent(t, cfg)
		})
	}
}
