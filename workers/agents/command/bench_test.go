//go:build linux || darwin

package command

import (
	"context"
	"testing"
)

// BenchmarkAttempt is what an attempt costs beside its program.
func BenchmarkAttempt(b *testing.B) {
	a, err := New(Config{Argv: []string{"/bin/sh", "-c", ":"}, DataDir: b.TempDir(), WorkerID: "worker-1"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Handle(context.Background(), assignment("task-1", 1), &recorder{}); err != nil {
			b.Fatal(err)
		}
	}
}
