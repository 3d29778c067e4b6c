package transcript

import (
	"sync"
	"time"
)

// ProgressThrottler hands on the newest of many updates, at most one in each interval. It is safe for concurrent use, and so small that
// it needs no end: a timer runs only while an update waits.
type ProgressThrottler[P any] struct {
	emit     func(P)
	interval time.Duration

	mu       sync.Mutex
	pending  P
	waiting  bool // pending is set
	turn     int  // of the interval that runs
	timer    *time.Timer
	due      P
	isDue    bool // due is set
	emitting bool
}

// NewProgressThrottler calls emit with the newest update of each interval, when it ends; the first update after a pause begins one. Calls of emit
// never overlap; while one lasts, the newest update waits and the ones before it are left out. An interval of 0 or less hands on every update as soon
// as a timer can.
func NewProgressThrottler[P any](emit func(P), interval time.Duration) *ProgressThrottler[P] {
	return &ProgressThrottler[P]{emit: emit, interval: interval}
}

// Push takes an update in place of one that still waits.
func (t *ProgressThrottler[P]) Push(p P) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = p
	if t.waiting {
		return
	}
	t.waiting = true
	t.turn++
	turn := t.turn
	t.timer = time.AfterFunc(t.interval, func() { t.end(turn) })
}

// Flush hands on the update that waits, if there is one, at once: when a task has completed. When it returns emit has been called with it, unless emit is
// being called by somebody else: then that call is followed by one with it.
func (t *ProgressThrottler[P]) Flush() {
	t.mu.Lock()
	turn := t.turn
	t.mu.Unlock()
	t.end(turn)
}

// Cancel drops the update that waits: when a task has failed. A call of emit that has begun is not taken back.
func (t *ProgressThrottler[P]) Cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	var none P
	t.due, t.isDue = none, false
}

// stop ends the interval that runs.
func (t *ProgressThrottler[P]) stop() {
	var none P
	t.pending, t.waiting = none, false
	if t.timer != nil {
		t.timer.Stop()
	}
}

// end hands on what waits, if the interval is still the one that runs.
func (t *ProgressThrottler[P]) end(turn int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.waiting || t.turn != turn {
		return
	}
	t.due, t.isDue = t.pending, true
	t.stop()
	if t.emitting {
		return // whoever does goes on with it
	}
	t.emitting = true
	for t.isDue {
		var none P
		p := t.due
		t.due, t.isDue = none, false
		t.mu.Unlock()
		t.emit(p)
		t.mu.Lock()
	}
	t.emitting = false
}
