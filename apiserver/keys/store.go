package keys

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

const (
	// lookEvery is how often a file is looked at: as long may a revoked key go on.
	lookEvery = time.Second
	// coarse is how old a file must be before its time can tell that it is unchanged: some systems count in seconds.
	coarse = 2 * time.Second
	// complainEvery is how often the log says again that a file can not be used.
	complainEvery = time.Minute
)

// Store is the keys of a file as a server sees them.
type Store struct {
	path string
	log  *slog.Logger
	now  atomic.Pointer[set]

	stale atomic.Bool // the file could not be used when it was last looked at

	// Of the last look; Follow's own once it runs.
	seen     os.FileInfo
	seenAt   time.Time
	broken   string // what was logged of a file that can not be read
	loggedAt time.Time
}

// Open reads a file. It refuses one that can not be read, or in which two organizations name one project.
func Open(path string, log *slog.Logger) (*Store, error) {
	s := &Store{path: path, log: log}
	s.seen, s.seenAt = stat(path), time.Now()
	all, err := Read(path)
	if err != nil {
		return nil, err
	}
	s.now.Store(newSet(all))
	return s, nil
}

// Find answers the key that a caller sent, unless it is unknown or revoked.
func (s *Store) Find(secret string) (Key, bool) { return s.now.Load().find(secret) }

// Get answers the key of an id, which is no secret, unless it is unknown or revoked.
func (s *Store) Get(id string) (Key, bool) { return s.now.Load().get(id) }

// Stale reports whether the file can not be used, so that the keys are those of before: one that was revoked since is still taken.
func (s *Store) Stale() bool { return s.stale.Load() }

// Follow takes changes of the file over until ctx ends, each within about a second.
func (s *Store) Follow(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.look()
		case <-ctx.Done():
			return
		}
	}
}

// look reads the file again when it may have changed. While it can not be read, what was last read goes on.
func (s *Store) look() {
	found := stat(s.path)
	if s.broken == "" && same(s.seen, found) && s.seenAt.Sub(found.ModTime()) > coarse {
		return
	}
	s.seen, s.seenAt = found, time.Now()
	all, err := Read(s.path)
	if err != nil {
		s.stale.Store(true)
		if text := err.Error(); text != s.broken || time.Since(s.loggedAt) >= complainEvery {
			s.broken, s.loggedAt = text, time.Now()
			s.log.Error("the keys file can not be used; the keys last read from it stay as they are, and one that was revoked since is still taken", "error", err)
		}
		return
	}
	if s.broken != "" {
		s.broken = ""
		s.stale.Store(false)
		s.log.Info("the keys file can be used again", "keys", len(all))
	}
	s.now.Store(newSet(all))
}

// stat answers nil for a file that is not there.
func stat(path string) os.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
