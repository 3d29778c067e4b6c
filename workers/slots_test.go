package workers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// reserve asks a queue for a permit in the background.
func reserve(ctx context.Context, q *queueSlots) <-chan error {
	got := make(chan error, 1)
	go func() {
		_, err := q.ReserveSlot(ctx, nil)
		got <- err
	}()
	return got
}

// reserved reports whether the permit is there once everything has come to rest.
func reserved(got <-chan error) bool {
	synctest.Wait()
	return len(got) == 1
}

func TestOneQueueWithOneSlotPollsOnceAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueSlots{shared: newSlots(1)}
		if !reserved(reserve(t.Context(), q)) {
			t.Fatal("the first poll has to wait")
		}
		second := reserve(t.Context(), q)
		if reserved(second) {
			t.Fatal("a second poll begins beside the first: it would take a task before its turn")
		}
		q.ReleaseSlot(nil)
		if !reserved(second) {
			t.Fatal("the next poll does not begin after the first")
		}
	})
}

func TestNoQueuePollsWhileTheSlotsAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		a, b := &queueSlots{shared: s}, &queueSlots{shared: s}
		if !reserved(reserve(t.Context(), a)) || !s.tryTake() {
			t.Fatal("the first queue cannot begin")
		}
		other := reserve(t.Context(), b)
		if reserved(other) {
			t.Fatal("the other queue polls while the only slot is taken")
		}
		s.release()
		if !reserved(other) {
			t.Fatal("the other queue does not poll once the slot is free")
		}
	})
}

func TestWhoWaitsInsideGoesBeforeThePolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		q := &queueSlots{shared: s}
		s.tryTake()
		var order []int
		for i := range 3 {
			go func() {
				if s.take(t.Context(), false) == nil {
					order = append(order, i)
					s.release()
				}
			}()
			synctest.Wait()
		}
		poll := reserve(t.Context(), q)
		if reserved(poll) {
			t.Fatal("a poll begins while attempts wait")
		}
		s.release()
		if !reserved(poll) || len(order) != 3 || order[0] != 0 || order[2] != 2 {
			t.Errorf("those inside went in the order %v", order)
		}
	})
}

func TestGivingUpTheWaitLosesNoSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, gaveUp := newSlots(1), errors.New("gave up")
		s.tryTake()
		ctx, cancel := context.WithCancelCause(t.Context())
		got := make(chan error, 1)
		go func() { got <- s.take(ctx, false) }()
		synctest.Wait()
		cancel(gaveUp)
		if err := <-got; !errors.Is(err, gaveUp) {
			t.Errorf("take = %v", err)
		}
		s.release()
		if !s.tryTake() || s.tryTake() {
			t.Error("there is not exactly one slot any more")
		}
	})
}

func TestAfterCloseNoPollBeginsAndIdleWaitsForTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(2)
		q := &queueSlots{shared: s}
		if !reserved(reserve(t.Context(), q)) {
			t.Fatal("no first poll")
		}
		s.close()
		ctx, cancel := context.WithCancel(t.Context())
		late := reserve(ctx, q)
		idle := make(chan error, 1)
		go func() { idle <- s.idle(t.Context()) }()
		if reserved(late) || len(idle) == 1 {
			t.Fatal("a poll begins after close, or the worker counts as idle while one is under way")
		}
		q.ReleaseSlot(nil)
		if !reserved(idle) {
			t.Error("not idle after the last poll")
		}
		cancel()
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("ReserveSlot = %v", err)
		}
	})
}
