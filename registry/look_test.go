package registry

import (
	"testing"
	"time"
)

// TestAGapIsNotMissed: with an interval of a second, in 9 s of which nobody could look nobody misses a heartbeat; what was missed before counts
// on.
func TestAGapIsNotMissed(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newServer(t, "", c)
	s.Registry = New(s.log, Config{Interval: time.Second, Now: c.now, Logger: quiet()})
	s.register("a")
	steps := func(n int) {
		t.Helper()
		for range n {
			c.pass(250 * time.Millisecond)
			s.look()
		}
	}
	s.look()
	steps(8) // two heartbeats are missed
	for range 3 {
		c.pass(9 * time.Second)
		s.look()
	}
	steps(3)
	s.wantTold("a", "agent.registered")
	steps(1)
	s.wantTold("a", "agent.registered", "idle>offline heartbeats_missed")
}
