package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSweepSparesWhoMayLive(t *testing.T) {
	t.Parallel()
	boot, _, _ := strings.Cut(epoch(), "/")
	for name, tc := range map[string]struct {
		change func(*record)
		kept   bool
	}{
		"it lives":                              {func(*record) {}, true},
		"its pid is another process's":          {func(r *record) { r.WorkerStart = epoch() + "/1" }, false},
		"it is in another pid namespace":        {func(r *record) { r.WorkerStart = boot + "/pid:[1]/1" }, true},
		"it is of an earlier boot":              {func(r *record) { r.WorkerStart = "another-boot/pid:[1]/1" }, false},
		"it is on another machine":              {func(r *record) { r.WorkerStart, r.Host = "another-boot/pid:[1]/1", "elsewhere.invalid" }, true},
		"it is of another boot on no known one": {func(r *record) { r.WorkerStart, r.Host = "another-boot/pid:[1]/1", "" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, mark := config(t, "/bin/sh"), strings.Repeat("d", markLength)
			sibling := filepath.Join(cfg.DataDir, "agents", "worker-2")
			if err := os.MkdirAll(filepath.Join(sibling, mark+dirSuffix, "work"), 0o700); err != nil {
				t.Fatal(err)
			}
			rec := newRecord(cfg, assignment("task-1", 1), mark)
			tc.change(&rec)
			if err := rec.write(filepath.Join(sibling, mark+recordSuffix)); err != nil {
				t.Fatal(err)
			}
			newAgent(t, cfg)
			_, errDir := os.Stat(filepath.Join(sibling, mark+dirSuffix, "work"))
			_, ok := readRecord(filepath.Join(sibling, mark+recordSuffix))
			if (errDir == nil) != tc.kept || ok != tc.kept {
				t.Errorf("private directory: %v, record there: %v; want them kept: %v", errDir, ok, tc.kept)
			}
			if _, err := os.Stat(sibling); (err == nil) != tc.kept {
				t.Errorf("the worker's directory: %v, want it kept: %v", err, tc.kept)
			}
		})
	}
}
