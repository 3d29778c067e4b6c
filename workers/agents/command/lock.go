//go:build linux || darwin

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rolecall-dev/rolecall/sdk"
)

// lockName is the file in a working directory that names who holds it. The lock itself is on the directory, so that a program
// which cleans the directory does not free it.
const lockName = ".rolecall.lock"

// lockWorkdir waits until the directory is free for the attempt and answers the descriptor that holds it. A holder whose
// worker is dead, or that is an earlier attempt at the same task, is ended.
func lockWorkdir(ctx context.Context, dir string, now record, say func(holder string)) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the working directory: %w", err)
	}
	for pause, told := 10*time.Millisecond, ""; ; pause = min(2*pause, 250*time.Millisecond) {
		err := flock(f)
		holder, known := readRecord(filepath.Join(dir, lockName))
		if known && err != nil && now.before(holder) { // with the lock in hand the record is that of an attempt that is over
			return nil, errors.Join(sdk.Retryable("", fmt.Errorf(
				"attempt %d of stage %d, a later one, has the working directory", holder.Attempt, holder.Stage)), f.Close())
		}
		if known && (err == nil || holder.before(now) || !holder.workerAlive()) && !holder.end() {
			return nil, errors.Join(fmt.Errorf("processes of task %s could not be killed", holder.TaskID), f.Close())
		}
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the working directory %s: %w", dir, err), f.Close())
		}
		if who := holder.name(); who != told {
			told = who
			say(who)
		}
		if !sleep(ctx, pause) {
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}

// flock takes the lock or answers EWOULDBLOCK.
func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// name says who holds a working directory.
func (r record) name() string {
	if r.TaskID == "" {
		return "another attempt holds it"
	}
	return fmt.Sprintf("attempt %d of task %s holds it", r.Attempt, r.TaskID)
}
