//go:build !linux

package bench

import "time"

// cpuOf knows the time of other processes on Linux only.
func cpuOf(map[string]int) map[string]time.Duration { return nil }
