package main

import "testing"

// TestDemo is `make demo`: the coordinator's tasks complete, the first one degraded, or it ends with an error.
func TestDemo(t *testing.T) {
	if err := run(t.Context(), config{}); err != nil {
		t.Fatal(err)
	}
}
