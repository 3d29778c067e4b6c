//go:build linux || darwin

package keys

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLockTakesNoOtherFile: what lies where the lock file should be, and is another file, is neither opened nor given away.
func TestLockTakesNoOtherFile(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(target, lock string) error{"a symbolic link": os.Symlink, "a hard link": os.Link} {
		dir := t.TempDir()
		target, path := filepath.Join(dir, "target"), filepath.Join(dir, "keys.json")
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := plant(target, path+".lock"); err != nil {
			t.Fatal(err)
		}
		if release, err := lock(t.Context(), path); err == nil {
			t.Errorf("%s was taken for the lock file", name)
			_ = release()
		}
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path+".lock", []byte("of somebody"), 0o600); err != nil {
		t.Fatal(err)
	}
	if release, err := lock(t.Context(), path); err == nil {
		t.Error("a file with content was taken for the lock file")
		_ = release()
	}
}
