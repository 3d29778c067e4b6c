package loopback_test

import (
	"testing"

	"github.com/rolecall-dev/rolecall/dev/internal/loopback"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8233": true, "127.0.0.1": true, "127.0.0.1:8233": true, "127.9.8.7:1": true, "[::1]": true, "[::1]:8233": true,
		"": false, "evil.example": false, "evil.example:8233": false, "localhost.evil.example": false, "127.0.0.1.evil.example:8233": false,
		"10.0.0.1:8233": false, "0.0.0.0:8233": false, "[::]:8233": false, "[::1": false, "localhost:": false, "localhost:x": false, "user@localhost:1": false,
	} {
		if got := loopback.Names(host); got != want {
			t.Errorf("Host %q names loopback: %v, want %v", host, got, want)
		}
	}
}

// TestReserveChoosesEachPortOnce: with all that are in use free again, no port is chosen twice.
func TestReserveChoosesEachPortOnce(t *testing.T) {
	t.Parallel()
	seen := map[uint16]bool{}
	for range 300 {
		at, err := loopback.Reserve(loopback.Host + ":0")
		if err != nil {
			t.Fatal(err)
		}
		if seen[at.Port()] {
			t.Fatalf("port %d was chosen twice", at.Port())
		}
		seen[at.Port()] = true
	}
}
