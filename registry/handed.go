package registry

import (
	"sync"
	"time"
)

const (
	handedFor = 30 * time.Second // for how long an agent that was found has the task that it was found for
	maxHanded = 10_000           // agents that are remembered; beyond it they are forgotten, which loads some of them more than others
	handedTo  = 100              // tasks of one that are
)

// handed remembers who was found here of late: what an agent was found for is not among the tasks that it names before its next heartbeat, and
// those who look at the same time are not all to find the same one.
type handed struct {
	mu sync.Mutex // held by those who call since and note
	to map[string][]time.Time
}

func newHanded() *handed { return &handed{to: map[string][]time.Time{}} }

// since is how often an agent was found since its last heartbeat.
func (h *handed) since(key string, beat, now time.Time) (n int) {
	for _, at := range h.to[key] {
		if !at.Before(beat) && now.Sub(at) < handedFor {
			n++
		}
	}
	return n
}

// note enters that an agent was found.
func (h *handed) note(key string, now time.Time) {
	if len(h.to) >= maxHanded {
		for k, times := range h.to {
			if now.Sub(times[len(times)-1]) >= handedFor {
				delete(h.to, k)
			}
		}
	}
	if len(h.to) >= maxHanded {
		clear(h.to)
	}
	times := h.to[key]
	for len(times) > 0 && (len(times) >= handedTo || now.Sub(times[0]) >= handedFor) {
		times = times[1:]
	}
	times = append(times, now)
	h.to[key] = times
}
