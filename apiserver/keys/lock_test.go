//go:build linux || darwin

package keys

import (
	"os"
	"syscall"
	"testing"
)

// TestAChangeKeepsReaders: a server that runs as another user than whoever revokes a key must see that.
func TestAChangeKeepsReaders(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keys.json"
	_, k := mustCreate(t, path, "acme", "shop")
	stat := func(path string) (os.FileMode, any) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		return info.Mode().Perm(), [2]uint32{owner.Uid, owner.Gid}
	}
	if mode, _ := stat(path); mode != 0o600 {
		t.Errorf("a new file has the mode %o", mode)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // nobody else may give a file away
		if err := os.Chown(path, 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	mode, owner := stat(path)
	if _, err := Revoke(t.Context(), path, k.ID); err != nil {
		t.Fatal(err)
	}
	if m, o := stat(path); m != mode || o != owner {
		t.Errorf("after a revocation: %o %v, before: %o %v", m, o, mode, owner)
	}
	if m, o := stat(path + ".lock"); m != 0o600 || o != owner { // else its owner could change nothing from now on
		t.Errorf("the lock: %o %v, want 600 %v", m, o, owner)
	}
}
