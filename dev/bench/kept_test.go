package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// keptRow is how docs/performance.md speaks of a kept history.
func keptRow(name string, events int) string {
	said := map[string]string{
		"success":  "lasts longer than 200 ms and records one progress",
		"retry":    "fails once and is retried after a delay",
		"fallback": "fails three times, then completes by its fallback",
		"input":    "asks its caller a question",
		"cancel":   "is cancelled while it runs",
	}[name]
	if said == "" {
		return ""
	}
	return fmt.Sprintf("| %s | %d |", said, events)
}

// keptEvents are the rows of the kept histories, by name.
func keptEvents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), "workflows", "testdata", "histories", "next", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no kept histories: %v", err)
	}
	rows := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var history struct {
			Events []json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal(raw, &history); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file[:len(file)-len(".json")])
		if row := keptRow(name, len(history.Events)); row != "" {
			rows[name] = row
		}
	}
	if len(rows) != 5 {
		t.Errorf("rows of %d kept histories, want 5: %v", len(rows), rows)
	}
	return rows
}
