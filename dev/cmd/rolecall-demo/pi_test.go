//go:build agents

package main

import (
	"os"
	"testing"
)

// TestDemoWithPi is `make demo AGENT=pi`: the change that pi writes is sent back once, and documented, or it ends with an error.
func TestDemoWithPi(t *testing.T) {
	if err := run(t.Context(), config{Agent: agentPi, Replay: os.Stdout}); err != nil {
		t.Fatal(err)
	}
}
