package workers

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"
)

// slots are how many handlers run at once in a process, over all its queues. While none is free no queue polls; a poll that was
// already under way may still bring a task, which then waits inside, no longer than slotWait: those of the agent's own queue go before the
// others, else first come, first served.
type slots struct {
	total int

	mu      sync.Mutex
	taken   int
	waiting []waiter
	permits int           // polls and tasks that Temporal's workers hold
	own     []*queueSlots // the queues of this very agent, which go before those of its roles
	closed  bool          // no poll begins any more
	changed chan struct{} // closed and replaced whenever any of this changes
}

// waiter is a task that waits inside.
type waiter struct {
	turn chan struct{} // closed when it has a slot
	own  bool          // it came by the agent's own queue
}

func newSlots(total int) *slots {
	return &slots{total: total, changed: make(chan struct{})}
}

// tryTake takes a slot if one is free.
func (s *slots) tryTake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.total {
		return false
	}
	s.taken++
	return true
}

// take waits for a slot until ctx ends; own is for a task of the agent's own queue.
func (s *slots) take(ctx context.Context, own bool) error {
	s.mu.Lock()
	if s.taken < s.total {
		s.taken++
		s.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	at := len(s.waiting)
	if first := slices.IndexFunc(s.waiting, func(w waiter) bool { return !w.own }); own && first >= 0 {
		at = first
	}
	s.waiting = slices.Insert(s.waiting, at, waiter{turn: mine, own: own})
	s.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.waiting, func(w waiter) bool { return w.turn == mine }); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.passOn()
	}
	return context.Cause(ctx)
}

// release gives a slot back: to the first that waits inside, else to the queues.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passOn()
}

func (s *slots) passOn() {
	if len(s.waiting) > 0 {
		close(s.waiting[0].turn)
		s.waiting = s.waiting[1:]
		return
	}
	s.taken--
	s.tell()
}

// used is how many slots are taken.
func (s *slots) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// close lets no further poll begin.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.tell()
}

// idle waits until no poll is under way and no task is held, or ctx ends.
func (s *slots) idle(ctx context.Context) error {
	return s.until(ctx, func() bool { return s.permits == 0 })
}

// until waits until ready, which is called under the lock.
func (s *slots) until(ctx context.Context, ready func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := ready(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *slots) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ownFirst is how long the agent's own queue has been asked before the queues of its roles are: long enough for a task that stands in it to
// have come.
const ownFirst = 100 * time.Millisecond

// queueSlots are the slots as the Temporal worker of one queue sees them: a permit covers a poll and the task it brings.
type queueSlots struct {
	shared *slots
	own    bool // the queue is the agent's own, and has one poller
	// Under shared.mu.
	permits int
	poll    *worker.SlotPermit // with own: of the poll that is under way; nil without one
	asked   bool               // with own: it has been for ownFirst
}

// newOwnSlots are those of a queue of the agent's own.
func (s *slots) newOwnSlots() *queueSlots {
	q := &queueSlots{shared: s, own: true}
	s.own = append(s.own, q)
	return q
}

// ReserveSlot waits until a poll may begin: a slot is free that neither a running nor a waiting task has, and the queue does not
// hold as many permits as there are slots. So one queue with one slot never has two tasks, and takes none before its turn. Several
// queues poll beside each other and may bring more tasks than there are slots. A role's queue is polled only while nothing waits in the
// agent's own: while that has been asked in vain for ownFirst. What comes to it from then on waits inside and has the next slot, so that it
// waits for one task at most.
func (q *queueSlots) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	s := q.shared
	permit := &worker.SlotPermit{}
	err := s.until(ctx, func() bool {
		if s.closed || s.taken >= s.total || q.permits >= s.total || !q.own && !s.ownAsked() {
			return false
		}
		q.permits++
		s.permits++
		if q.own {
			q.ask(permit)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return permit, nil
}

// TryReserveSlot refuses: tasks come by polls only.
func (q *queueSlots) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit { return nil }

// ownAsked reports whether every queue of the agent's own has been asked for long enough. s.mu is held.
func (s *slots) ownAsked() bool {
	return !slices.ContainsFunc(s.own, func(q *queueSlots) bool { return !q.asked })
}

// ask notes that a poll begins. s.mu is held.
func (q *queueSlots) ask(permit *worker.SlotPermit) {
	q.poll, q.asked = permit, false
	time.AfterFunc(ownFirst, func() {
		q.shared.mu.Lock()
		defer q.shared.mu.Unlock()
		if q.poll == permit {
			q.asked = true
			q.shared.tell()
		}
	})
}

// MarkSlotUsed notes that a poll has brought a task; the attempt itself takes the slot.
func (q *queueSlots) MarkSlotUsed(info worker.SlotMarkUsedInfo) {
	q.shared.mu.Lock()
	defer q.shared.mu.Unlock()
	if q.own && info.Permit() == q.poll {
		q.poll, q.asked = nil, false
	}
}

// ReleaseSlot ends a permit: of a poll that brought nothing, or of a task.
func (q *queueSlots) ReleaseSlot(info worker.SlotReleaseInfo) {
	q.shared.mu.Lock()
	defer q.shared.mu.Unlock()
	q.permits--
	q.shared.permits--
	if q.own && info.Permit() == q.poll {
		q.poll, q.asked = nil, false
	}
	q.shared.tell()
}

// MaxSlots is the process's slots.
func (q *queueSlots) MaxSlots() int { return q.shared.total }

// tuner makes q the supplier of a worker's activity slots.
func (q *queueSlots) tuner() (worker.WorkerTuner, error) {
	other, err := worker.NewFixedSizeSlotSupplier(1)
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		ActivitySlotSupplier: q, WorkflowSlotSupplier: other, LocalActivitySlotSupplier: other,
		NexusSlotSupplier: other, SessionActivitySlotSupplier: other,
	})
}
