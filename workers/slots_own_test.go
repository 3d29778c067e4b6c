package workers

import (
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/worker"
)

// usedInfo and releasedInfo are a permit as Temporal's worker speaks of it.
type usedInfo struct {
	worker.SlotMarkUsedInfo
	permit *worker.SlotPermit
}

func (i usedInfo) Permit() *worker.SlotPermit { return i.permit }

type releasedInfo struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (i releasedInfo) Permit() *worker.SlotPermit { return i.permit }

// own is a queue of the agent's own, and what its one poller does.
type own struct {
	t *testing.T
	*queueSlots
}

// poll begins a poll, which has to begin at once.
func (o own) poll() *worker.SlotPermit {
	o.t.Helper()
	got := make(chan *worker.SlotPermit, 1)
	go func() {
		permit, err := o.ReserveSlot(o.t.Context(), nil)
		if err == nil {
			got <- permit
		}
	}()
	synctest.Wait()
	select {
	case permit := <-got:
		return permit
	default:
		o.t.Fatal("the agent's own queue is not polled")
		return nil
	}
}

func TestTheAgentsOwnQueueGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		mine, role := own{t, s.newOwnSlots()}, &queueSlots{shared: s}
		others := reserve(t.Context(), role)
		if reserved(others) {
			t.Fatal("the role's queue is polled before the agent's own")
		}
		poll := mine.poll()
		if time.Sleep(ownFirst - 1); reserved(others) {
			t.Fatal("the role's queue is polled although the own one may hold a task")
		}
		if time.Sleep(time.Nanosecond); !reserved(others) {
			t.Fatal("the role's queue is not polled although the own one was asked in vain")
		}
		// Each brings a task: the role's has the slot, the own one waits inside and is next, before another of the role.
		if !s.tryTake() {
			t.Fatal("no slot")
		}
		mine.MarkSlotUsed(usedInfo{permit: poll})
		turn := make(chan error, 1)
		go func() { turn <- s.take(t.Context(), true) }()
		synctest.Wait()
		role.ReleaseSlot(nil)
		next := reserve(t.Context(), role)
		s.release()
		synctest.Wait()
		if len(turn) != 1 || reserved(next) {
			t.Fatalf("the task that waits inside has its turn: %t, the role's queue is polled: %t", len(turn) == 1, len(next) == 1)
		}
		s.release()
		mine.ReleaseSlot(releasedInfo{permit: poll})
		if reserved(next) {
			t.Fatal("the role's queue is polled before the own one was asked again")
		}
		again := mine.poll()
		mine.ReleaseSlot(releasedInfo{permit: again}) // it ran out
		if time.Sleep(time.Minute); reserved(next) {
			t.Fatal("the role's queue is polled while the own one is not")
		}
		mine.poll()
		if time.Sleep(ownFirst); !reserved(next) {
			t.Fatal("the role's queue is not polled")
		}
	})
}

func TestWhatTheOwnQueueBroughtIsTheNextThatWaitsInside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		if !s.tryTake() {
			t.Fatal("no slot")
		}
		turns := make(chan string, 4)
		for _, name := range []string{"role 1", "role 2", "own 1", "own 2"} {
			go func() {
				if s.take(t.Context(), name[0] == 'o') == nil {
					turns <- name
				}
			}()
			synctest.Wait()
		}
		for _, want := range []string{"own 1", "own 2", "role 1", "role 2"} {
			s.release()
			if got := <-turns; got != want {
				t.Errorf("%s has its turn, want %s", got, want)
			}
		}
	})
}
