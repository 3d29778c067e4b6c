package engine

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// queueOf is a queue in the made-up time of a bubble: polls wait in it, longest first, and end empty by themselves.
type queueOf struct {
	mu      sync.Mutex
	open    []chan *polledTask
	most    int // polls at once
	polls   int
	lengths []time.Duration
	back    []string // given back
	failure error
	work    sync.WaitGroup
	closed  chan struct{}
	crowd   bool // of others
}

func (q *queueOf) poll(length time.Duration) (*polledTask, error) {
	mine := make(chan *polledTask, 1)
	q.mu.Lock()
	if q.failure != nil {
		defer q.mu.Unlock()
		return nil, q.failure
	}
	q.open, q.polls, q.lengths = append(q.open, mine), q.polls+1, append(q.lengths, length)
	q.most = max(q.most, len(q.open))
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.open = slices.DeleteFunc(q.open, func(c chan *polledTask) bool { return c == mine })
	}()
	select {
	case task := <-mine:
		return task, nil
	case <-time.After(length):
		return nil, nil
	}
}

// fails lets polls fail from now on; nil lets them work again.
func (q *queueOf) fails(with error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failure = with
}

// bring hands a task to the poll that waits longest; false when there is none.
func (q *queueOf) bring(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.open) == 0 {
		return false
	}
	q.open[0] <- &polledTask{ActivityId: name}
	q.open = q.open[1:]
	return true
}

func (q *queueOf) desk() *desk {
	q.closed = make(chan struct{})
	return &desk{
		poll: q.poll, work: q.work.Go, closing: q.closed, crowded: func() bool { return q.crowd },
		giveBack: func(task *polledTask) {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.back = append(q.back, task.GetActivityId())
		},
	}
}

// idle reports whether nobody waits and no poll is under way.
func (d *desk) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting) == 0 && d.polls == 0
}

// taker is a claim under way.
type taker struct {
	name string
	took time.Duration
	err  error
	done chan struct{}
	stop context.CancelFunc
}

func take(d *desk, wait time.Duration) *taker {
	ctx, stop := context.WithCancel(context.Background())
	k := &taker{done: make(chan struct{}), stop: stop}
	began := time.Now()
	go func() {
		defer close(k.done)
		task, err := d.take(ctx, wait)
		k.name, k.err, k.took = task.GetActivityId(), err, time.Since(began)
	}()
	synctest.Wait()
	return k
}

// Tasks go to the claims in the order in which they came, over no more polls than eight, or than claims.
func TestDeskHandsOutInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{}
		d := q.desk()
		var takers []*taker
		for n := range 20 {
			takers = append(takers, take(d, time.Minute))
			if want := min(n+1, pollsOfAQueue); q.most != want {
				t.Errorf("%d polls for %d claims", q.most, n+1)
			}
		}
		for n := range 20 {
			for !q.bring(strconv.Itoa(n)) {
				synctest.Wait()
			}
			synctest.Wait()
		}
		for n, k := range takers {
			<-k.done
			if k.name != strconv.Itoa(n) || k.err != nil {
				t.Errorf("claim %d got %q, %v", n, k.name, k.err)
			}
		}
		q.work.Wait()
		if q.most != pollsOfAQueue || len(q.back) != 0 || !d.idle() {
			t.Errorf("%d polls at once, given back %q", q.most, q.back)
		}
	})
}

// Where there is a crowd a queue gets one poll at a time, over which all claims are served all the same.
func TestDeskInACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{crowd: true}
		d := q.desk()
		var takers []*taker
		for range 10 {
			takers = append(takers, take(d, time.Minute))
		}
		for n, k := range takers {
			for !q.bring(strconv.Itoa(n)) {
				synctest.Wait()
			}
			<-k.done
			synctest.Wait()
			if k.name != strconv.Itoa(n) {
				t.Errorf("claim %d got %q, %v", n, k.name, k.err)
			}
		}
		q.work.Wait()
		if q.most != 1 || !d.idle() {
			t.Errorf("%d polls at once", q.most)
		}
	})
}

// A claim that ends empty does so in its time, and no poll outlives it by much.
func TestDeskEndsEmpty(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{0, time.Second, 1300 * time.Millisecond, 10 * time.Second, 10500 * time.Millisecond, 11500 * time.Millisecond, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			q := &queueOf{}
			d := q.desk()
			k := take(d, wait)
			<-k.done
			if least := max(wait, pollLeast); k.name != "" || k.took < least-pollScrap || k.took > least+pollScrap {
				t.Errorf("a claim of %s took %s", wait, k.took)
			}
			q.work.Wait()
			for _, length := range q.lengths {
				if length < pollLeast || length >= pollMost+pollLeast {
					t.Errorf("a claim of %s polls for %s", wait, length)
				}
			}
			if !d.idle() {
				t.Error("something is left")
			}
		})
	}
}

// What comes when the claim has gone is handed to the next one, else it is given back.
func TestDeskOfClaimsThatGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{}
		d := q.desk()
		gone := take(d, time.Minute)
		gone.stop()
		<-gone.done
		next := take(d, time.Minute)
		if q.polls != 1 {
			t.Errorf("%d polls: the one under way serves the next claim", q.polls)
		}
		q.bring("for the next")
		<-next.done
		if next.name != "for the next" {
			t.Errorf("the next claim got %q", next.name)
		}
		last := take(d, time.Minute)
		last.stop()
		<-last.done
		if !q.bring("for nobody") {
			t.Error("the poll was cut short")
		}
		q.work.Wait()
		if !slices.Equal(q.back, []string{"for nobody"}) || !d.idle() {
			t.Errorf("given back %q", q.back)
		}
	})
}

// A poll that fails is made up for by the next: only who has waited through failures is told, and who has no time left.
func TestDeskOfPollsThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{}
		d := q.desk()
		q.fails(errors.New("away"))
		brief, long, patient := take(d, 0), take(d, time.Minute), take(d, time.Minute)
		<-brief.done
		if brief.err == nil || brief.took > 2*time.Second {
			t.Errorf("a short claim: %v after %s", brief.err, brief.took)
		}
		<-long.done
		<-patient.done
		if long.err == nil || patient.err == nil || long.took <= pollTold || long.took > pollTold+2*pollPause {
			t.Errorf("a long claim: %v after %s", long.err, long.took)
		}
		q.work.Wait()
		lucky := take(d, time.Minute)
		q.fails(nil)
		<-time.After(2 * pollPause)
		if !q.bring("late") {
			t.Error("nobody polls any more")
		}
		<-lucky.done
		if lucky.name != "late" || lucky.err != nil {
			t.Errorf("a claim through a failure: %q, %v", lucky.name, lucky.err)
		}
		q.work.Wait()
		if !d.idle() {
			t.Error("something is left")
		}
	})
}

// When Temporal can not be asked any more who has waited long is told; when the engine ends nobody waits, and no poll begins.
func TestDeskOfAnEngineThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{}
		d := q.desk()
		waiting := take(d, time.Minute)
		q.fails(errors.New("away"))
		<-waiting.done
		if waiting.err == nil || waiting.took != pollMost {
			t.Errorf("%v after %s", waiting.err, waiting.took)
		}
		q.work.Wait()
		q.fails(nil)
		stopped := take(d, time.Minute)
		polls := q.polls
		close(q.closed)
		<-stopped.done
		late := take(d, time.Minute)
		<-late.done
		if stopped.took != 0 || stopped.name+late.name != "" || q.polls != polls {
			t.Errorf("after %s, and %d more polls", stopped.took, q.polls-polls)
		}
		q.bring("for nobody")
		q.work.Wait()
		if !slices.Equal(q.back, []string{"for nobody"}) {
			t.Errorf("given back %q", q.back)
		}
	})
}
