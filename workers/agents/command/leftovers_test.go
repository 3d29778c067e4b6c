//go:build linux || darwin

package command

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSweepSparesWhatIsBeingWrittenAndWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	cfg := config(t, "/bin/sh")
	sibling := filepath.Join(cfg.DataDir, "agents", "worker-2")
	if err := os.MkdirAll(sibling, 0o700); err != nil {
		t.Fatal(err)
	}
	begun, orphan := strings.Repeat("e", markLength), strings.Repeat("f", markLength)
	half := begun + recordSuffix + "." + begun + ".tmp"
	for _, name := range []string{half, "notes.txt", orphan + dirSuffix} {
		if err := os.WriteFile(filepath.Join(sibling, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newAgent(t, cfg)
	entries, err := os.ReadDir(sibling)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if diff := cmp.Diff([]string{half, "notes.txt"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestAWorkerWhoseEmptyDirectoryWasRemovedGoesOn(t *testing.T) {
	t.Parallel()
	cfg := config(t, shell(`echo ran`)...)
	idle := newAgent(t, cfg)
	other := cfg
	other.WorkerID = "worker-2"
	newAgent(t, other)
	if _, err := os.Stat(idle.dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the idle worker's directory: %v, want it removed", err)
	}
	if _, err := idle.Handle(t.Context(), assignment("task-1", 1), &recorder{}); err != nil {
		t.Errorf("its next attempt: %v", err)
	}
}
