//go:build linux || darwin

package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	// markLength is the length of an attempt's mark: 128 random bits in hexadecimal.
	markLength = 32
	// leftoverGrace is the most that processes get between SIGTERM and SIGKILL when their program has ended by itself.
	leftoverGrace = time.Second
	// registerTries bounds how often an attempt makes its directory anew when other workers' starts remove it.
	registerTries = 10
)

// attempt is one run of the program: what it holds on disk, its watchdog and its processes.
type attempt struct {
	agent *Agent
	in    *sdk.Assignment
	out   sdk.Reporter
	log   *slog.Logger
	rec   record
	path  string // of the record
	dir   string // where the program runs
	watch *watchdog
	group *group
}

// prepare gets the attempt its record, its directory and its watchdog. Whatever it answers with an error leaves nothing.
func prepare(ctx context.Context, a *Agent, in *sdk.Assignment, r sdk.Reporter) (*attempt, error) {
	raw := make([]byte, markLength/2)
	_, _ = rand.Read(raw) // it never fails
	at := &attempt{agent: a, in: in, out: r, rec: newRecord(a.cfg, in, hex.EncodeToString(raw))}
	at.path = filepath.Join(a.dir, at.rec.Mark+recordSuffix)
	at.log = a.cfg.Logger.With("task", in.Task.ID, "stage", in.Stage, "attempt", in.Attempt)
	if err := at.setUp(ctx); err != nil {
		at.close()
		return nil, err
	}
	return at, nil
}

func (at *attempt) setUp(ctx context.Context) error {
	if err := at.register(); err != nil {
		return err
	}
	if err := supersede(filepath.Dir(at.agent.dir), at.rec); err != nil {
		return err
	}
	lock, err := at.takeDir(ctx)
	if err != nil {
		return err
	}
	at.watch, err = startWatchdog(at.rec.Mark, lock)
	closeLock(lock) // the watchdog holds it now
	if err != nil {
		return err
	}
	at.group = newGroup(at.watch.process, at.rec.Mark)
	at.rec.PGID, at.rec.LeaderStart = at.watch.pid, at.watch.start
	if lock != nil {
		if err := at.rec.write(filepath.Join(at.dir, lockName)); err != nil {
			return err
		}
	}
	return at.rec.write(at.path)
}

// register writes the attempt's record. The directory it stands in is removed by other workers' starts while it is empty.
func (at *attempt) register() (err error) {
	for range registerTries {
		if err = os.MkdirAll(at.agent.dir, 0o700); err != nil {
			return fmt.Errorf("the data directory: %w", err)
		}
		if err = at.rec.write(at.path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return err
}

// takeDir makes the private directory, or waits for the configured one and answers the descriptor that locks it.
func (at *attempt) takeDir(ctx context.Context) (*os.File, error) {
	if at.dir = at.agent.cfg.Workdir; at.dir != "" {
		return lockWorkdir(ctx, at.dir, at.rec, func(holder string) {
			at.log.Info("waiting for the working directory", "dir", at.dir, "holder", holder)
			at.out.Progress(sdk.Progress{Phase: "waiting for the working directory", Message: holder})
		})
	}
	at.dir = at.privateDir()
	if err := os.Mkdir(at.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the private working directory: %w", err)
	}
	return nil, nil
}

// removeLockFile takes the attempt's name off the directory, while it still holds it.
func (at *attempt) removeLockFile() {
	path := filepath.Join(at.dir, lockName)
	if rec, ok := readRecord(path); !ok || rec.Mark != at.rec.Mark || at.watch.ended() {
		return
	}
	if err := os.Remove(path); err != nil {
		at.log.Warn("remove the lock file", "error", err)
	}
}

func (at *attempt) privateDir() string { return filepath.Join(at.agent.dir, at.rec.Mark+dirSuffix) }

// closeLock lets go of this process's share of a lock.
func closeLock(f *os.File) {
	if f != nil {
		_ = f.Close() // a directory that was only read
	}
}

// run starts the program, waits until it has ended or is to stop, and ends the rest.
func (at *attempt) run(ctx context.Context) (*sdk.Result, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	key := at.agent.keys.mint(ctx, at)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if at.watch.ended() {
		return nil, sdk.Retryable("", errUsurped)
	}
	p, err := at.start(ctx, key)
	if err != nil {
		return nil, err
	}
	at.group.include(p.cmd.Process.Pid)
	stopped := at.await(ctx, p)
	usurped := at.watch.ended() // nobody guards the attempt and its directory any more: no grace
	switch {
	case usurped, errors.Is(stopped, sdk.ErrLeaseLost): // another agent may have the task by now: no grace either
	case stopped != nil:
		at.terminate(at.agent.cfg.Grace)
	default:
		at.terminate(min(at.agent.cfg.Grace, leftoverGrace))
	}
	if !at.group.kill() {
		at.log.Error("processes of the attempt do not die", "group", at.rec.PGID)
		if !p.ended() {
			p.abandon()
			return nil, sdk.Retryable("", errors.New("the program does not die: it may run as another user"))
		}
	}
	e := p.finish()
	e.Stopped, e.Usurped = stopped, usurped && e.Signal != ""
	return p.talk.Conclude(e)
}

// await waits until the program has ended, and answers why it must be stopped if it has not. A watchdog that is gone ends the
// wait, too.
func (at *attempt) await(ctx context.Context, p *program) error {
	select {
	case <-p.exited:
	case <-at.watch.dead:
	case <-ctx.Done():
		if !p.ended() {
			return context.Cause(ctx)
		}
	}
	return nil
}

// terminate sends SIGTERM to all processes of the attempt, and gives them grace to end.
func (at *attempt) terminate(grace time.Duration) {
	if at.group.terminate() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	at.group.wait(ctx)
}

// close removes what the attempt had on disk and ends the watchdog, and with it the hold on the directory.
func (at *attempt) close() {
	if at.watch != nil {
		at.removeLockFile()
		if err := at.watch.close(); err != nil {
			at.log.Warn("end the watchdog", "error", err)
		}
	}
	if err := removeAll(at.privateDir()); err != nil {
		at.log.Warn("remove the private working directory", "error", err)
	}
	if err := removeAll(at.path); err != nil {
		at.log.Warn("remove the attempt's record", "error", err)
	}
}
