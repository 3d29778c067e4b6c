// Package replay plays a recorded run of pi as if it were pi: its lines in its time, its answer to signals, its exit.
package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// recording is one recorded run: <path>.jsonl is its stdout, <path>.stderr its stderr, <path>.meta.json its facts.
type recording struct {
	lines  [][]byte
	stderr []byte
	meta   meta
}

// meta is what the recorder wrote about a run.
type meta struct {
	ExitCode     *int    `json:"exitCode"`
	DurationMs   float64 `json:"durationMs"`
	KillToExitMs float64 `json:"killToExitMs"`
	// LeftoverProcesses were still there after the run.
	LeftoverProcesses []string `json:"leftoverProcesses"`
	Notes             []struct {
		Ms   float64 `json:"ms"`
		Sent string  `json:"sent"`
	} `json:"notes"`
}

func load(path string) (recording, error) {
	var r recording
	raw, err := os.ReadFile(path + ".meta.json")
	if err != nil {
		return r, fmt.Errorf("read the recording: %w", err)
	}
	if err := json.Unmarshal(raw, &r.meta); err != nil {
		return r, fmt.Errorf("read the recording's facts: %w", err)
	}
	out, err := os.ReadFile(path + ".jsonl")
	if err != nil {
		return r, fmt.Errorf("read the recording: %w", err)
	}
	for line := range bytes.Lines(out) {
		r.lines = append(r.lines, line)
	}
	r.stderr, err = os.ReadFile(path + ".stderr")
	if err != nil && !os.IsNotExist(err) {
		return r, fmt.Errorf("read the recording: %w", err)
	}
	return r, nil
}

// signalled reports whether the run was ended by a signal of the recorder.
func (r recording) signalled() bool { return len(r.meta.Notes) > 0 }

// stubborn reports whether the run was killed: it is not known to end otherwise, so nothing else ends its replay.
func (r recording) stubborn() bool { return r.signalled() && r.meta.Notes[0].Sent == "SIGKILL" }

// pace is the pause after each line, so that the whole takes the recorded time times scale.
func (r recording) pace(scale float64) time.Duration {
	whole := r.meta.DurationMs
	if r.signalled() {
		whole = r.meta.Notes[0].Ms
	}
	return time.Duration(whole * scale / float64(max(len(r.lines), 1)) * float64(time.Millisecond))
}

// kindOf is the type of an event and, of a session, its id.
func kindOf(line []byte) (kind, id string) {
	var e struct{ Type, ID string }
	if json.Unmarshal(line, &e) != nil {
		return "", ""
	}
	return e.Type, e.ID
}
