//go:build linux || darwin

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rolecall-dev/rolecall/sdk"
)

// record says on disk which processes an attempt has, so that whoever comes later can end them: in the data directory, and in
// a locked working directory.
type record struct {
	Project     string `json:"project,omitempty"`
	TaskID      string `json:"taskId"`
	Stage       int    `json:"stage"`
	Attempt     int    `json:"attempt"`
	WorkerID    string `json:"workerId"`
	WorkerPID   int    `json:"workerPid"`
	WorkerStart string `json:"workerStart"`
	Host        string `json:"host,omitempty"`
	PGID        int    `json:"pgid,omitempty"` // 0 until the watchdog runs
	LeaderStart string `json:"leaderStart,omitempty"`
	Mark        string `json:"mark"`
}

// newRecord is the record of an attempt by this process.
func newRecord(c Config, a *sdk.Assignment, mark string) record {
	me := self()
	return record{
		Project: c.Project, TaskID: a.Task.ID, Stage: a.Stage, Attempt: a.Attempt,
		WorkerID: c.WorkerID, WorkerPID: me.pid, WorkerStart: me.start, Host: hostname(), Mark: mark,
	}
}

// maxRecord bounds a record's file.
const maxRecord = 16 << 10

// readRecord reads a record; ok is false for a file that is missing, half written or somebody else's.
func readRecord(path string) (rec record, ok bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it must not wait for the writer of a named pipe
	if err != nil {
		return record{}, false
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil || json.Unmarshal(raw, &rec) != nil {
		return record{}, false
	}
	return rec, len(rec.Mark) == markLength
}

// write puts the record at path in one step.
func (r record) write(path string) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the attempt's record: %w", err)
	}
	next := unfinished(path, r.Mark)
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the attempt's record: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write the attempt's record: %w", errors.Join(err, os.Remove(next)))
	}
	return nil
}

// unfinished is where the record for path is written before it gets its name.
func unfinished(path, mark string) string { return path + "." + mark + ".tmp" }

// hostname is the machine's name, or "" where it has none.
func hostname() string {
	name, _ := os.Hostname() // empty on an error
	return name
}

// workerAlive reports whether the worker that wrote the record still runs (or is stopped).
func (r record) workerAlive() bool { return alive(r.WorkerPID, r.WorkerStart) }

// workerDead reports whether the worker that wrote the record surely is gone: not while it may run where it cannot be seen from
// here, in another pid namespace or on another machine that shares the data directory.
func (r record) workerDead() bool { return !r.workerAlive() && observable(r.WorkerStart, r.Host) }

// sameTask reports whether both are attempts at one task.
func (r record) sameTask(o record) bool { return r.Project == o.Project && r.TaskID == o.TaskID }

// before reports whether r is an earlier attempt at the same task than o.
func (r record) before(o record) bool {
	return r.sameTask(o) && (r.Stage < o.Stage || (r.Stage == o.Stage && r.Attempt < o.Attempt))
}

// end kills what is left of the attempt; a process that merely got a pid of it is spared. It answers false when some is left.
func (r record) end() bool {
	g := newGroup(process{pid: r.PGID, start: r.LeaderStart}, r.Mark)
	gone := g.kill()
	g.leader.kill(syscall.SIGKILL) // last: with it the directory's lock is free
	return gone
}

// The names under DataDir/agents/<WorkerID>: <mark>.json is a record, <mark>.dir the attempt's private directory.
const (
	recordSuffix = ".json"
	dirSuffix    = ".dir"
)

// supersede ends every earlier attempt at the same task that any worker with a directory in agents still runs.
func supersede(agents string, now record) error {
	workers, err := os.ReadDir(agents)
	if err != nil {
		return fmt.Errorf("look for earlier attempts: %w", err)
	}
	for _, w := range workers {
		files, _ := os.ReadDir(filepath.Join(agents, w.Name())) // what is no directory, or gone again, has no records
		for _, f := range files {
			if filepath.Ext(f.Name()) != recordSuffix {
				continue
			}
			rec, ok := readRecord(filepath.Join(agents, w.Name(), f.Name()))
			if ok && rec.before(now) && !rec.end() {
				return fmt.Errorf("processes of attempt %d could not be killed", rec.Attempt)
			}
		}
	}
	return nil
}

// removeAll removes a tree, also one with directories that cannot be written to.
func removeAll(path string) error {
	if os.RemoveAll(path) == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(p, 0o700)
		}
		return err
	}) // RemoveAll says what is still wrong
	return os.RemoveAll(path)
}
