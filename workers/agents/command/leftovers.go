//go:build linux || darwin

package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// recordPatience is how long a record that cannot be read yet is taken for one that is just being written.
const recordPatience = time.Minute

// sweep ends what dead workers left under the data directory, whatever ids they had. What the last worker with this id left must go;
// of the others', what cannot be ended is said in the log.
func (a *Agent) sweep() error {
	if err := endLeftovers(a.dir, func(r record) bool { return !r.workerAlive() }); err != nil {
		return err
	}
	agents := filepath.Dir(a.dir)
	siblings, err := os.ReadDir(agents)
	if err != nil {
		return fmt.Errorf("look for other workers' leftovers: %w", err)
	}
	for _, s := range siblings {
		dir := filepath.Join(agents, s.Name())
		if !s.IsDir() || dir == a.dir {
			continue
		}
		if err := endLeftovers(dir, record.workerDead); err != nil {
			a.cfg.Logger.Warn("end what another worker left", "worker", s.Name(), "error", err)
		}
		_ = os.Remove(dir) // it stays unless it is empty; a worker that lives makes it again
	}
	return nil
}

// endLeftovers ends what workers left in dir that are dead: processes, private directories and records.
func endLeftovers(dir string, dead func(record) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	var marks []string
	for _, e := range entries {
		if mark, _, _ := strings.Cut(e.Name(), "."); len(mark) == markLength && !slices.Contains(marks, mark) {
			marks = append(marks, mark)
		}
	}
	var faults []error
	for _, mark := range marks {
		faults = append(faults, endLeftover(dir, mark, dead))
	}
	return errors.Join(faults...)
}

// endLeftover ends what is left of one attempt, if its worker is dead. An attempt has a record from before its private directory is
// made until after that is removed.
func endLeftover(dir, mark string, dead func(record) bool) error {
	path := filepath.Join(dir, mark+recordSuffix)
	next := unfinished(path, mark)
	first, begun := readRecord(next) // before path: it may get its name meanwhile
	fresh := isFresh(next)
	rec, ok := readRecord(path)
	if !ok {
		rec, ok = first, begun
	}
	switch {
	case !ok && fresh, ok && !dead(rec):
		return nil
	case ok && !rec.end():
		return fmt.Errorf("processes of task %s attempt %d could not be killed", rec.TaskID, rec.Attempt)
	}
	return errors.Join(removeAll(filepath.Join(dir, mark+dirSuffix)), removeAll(next), removeAll(path))
}

// isFresh reports whether the file was written just now.
func isFresh(path string) bool {
	info, err := os.Stat(path)
	return err == nil && time.Since(info.ModTime()) < recordPatience
}
