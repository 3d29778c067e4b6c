package loopback

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestAPortIsClaimedOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ports")
	for i, want := range []bool{true, false} {
		if ok, err := claim(dir, "20001"); ok != want || err != nil {
			t.Errorf("claim %d: %v, %v; want %v", i+1, ok, err, want)
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("others can see into %s: %s", dir, info.Mode())
	}
}

// TestAClaimThatCannotBeOpenedIsTaken: as that of another user is.
func TestAClaimThatCannotBeOpenedIsTaken(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root can open everything")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if ok, err := claim(dir, "20001"); ok || err != nil {
		t.Errorf("claimed: %v, %v; want neither", ok, err)
	}
}

func TestEveryUserHasClaimsOfItsOwn(t *testing.T) {
	t.Parallel()
	if want := "rolecall-ports-" + strconv.Itoa(os.Getuid()); filepath.Base(claimDir()) != want {
		t.Errorf("claims are in %s, want %s", claimDir(), want)
	}
}
