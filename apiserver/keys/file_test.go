//go:build linux || darwin

package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChangesKeepOwnerAndMode: a server under a user of its own can read the file after somebody else has changed it. Only root can
// give a file away; for others the mode is looked at alone.
func TestChangesKeepOwnerAndMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	_, made := mustCreate(t, path, "acme", "shop")
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 4321, 1234
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	same := func(after string) {
		t.Helper()
		var now unix.Stat_t
		if err := unix.Stat(path, &now); err != nil {
			t.Fatal(err)
		}
		if int(now.Uid) != uid || int(now.Gid) != gid || now.Mode&0o7777 != 0o640 {
			t.Errorf("after %s it belongs to %d:%d with mode %o", after, now.Uid, now.Gid, now.Mode&0o7777)
		}
	}
	mustCreate(t, path, "acme", "shop")
	same("a key was made")
	if _, err := Revoke(t.Context(), path, made.ID); err != nil {
		t.Fatal(err)
	}
	same("a key was revoked")
}

func TestSaveSaysWhatMayNotLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	broken := errors.New("the disk is tired")
	err := file{Keys: []Key{}}.save(path, func(got string) error {
		if got != dir {
			t.Errorf("%s was synced", got)
		}
		return broken
	})
	if !errors.Is(err, ErrMayNotLast) || !errors.Is(err, broken) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got := mustRead(t, path); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
