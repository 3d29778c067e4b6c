//go:build !linux

package bench

import "time"

// CPUOf knows the time of other processes on Linux only.
func CPUOf(map[string]int) map[string]time.Duration { return nil }
