package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

const (
	// pollsOfAQueue are how many polls of one queue are under way at once in this process, and never more than claims wait.
	pollsOfAQueue = 8
	// pollLeast is the shortest poll: Temporal refuses a deadline of less than 2 s, and answers an empty poll a second before it.
	pollLeast = 1200 * time.Millisecond
	// pollMost is the longest one, so that what nobody waits for any more ends soon.
	pollMost = 5 * time.Second
	// pollPause is how long a poll that failed waits before the next, and pollTold how long a claim waits through such failures.
	pollPause = 500 * time.Millisecond
	pollTold  = 2 * time.Second
	// pollScrap is too short a rest of a claim's time to begin a poll for.
	pollScrap = 250 * time.Millisecond
)

// polledTask is a task as a poll brought it.
type polledTask = workflowservice.PollActivityTaskQueueResponse

// desk hands the tasks of one queue to the claims that wait for one, in turn. A poll is never cut short: Temporal may just be handing a
// task to it, which would be lost until its heartbeat timeout. What comes for nobody is given back.
type desk struct {
	poll     func(length time.Duration) (*polledTask, error) // nil, nil is an empty one
	giveBack func(*polledTask)
	work     func(func()) // runs a goroutine
	crowded  func() bool  // there is to be one poll at a time only
	closing  <-chan struct{}

	mu      sync.Mutex
	waiting []*claimant // the first gets the next task
	polls   int
}

// claimant is a claim that waits.
type claimant struct {
	since, until time.Time
	got          chan handed // has room for the one answer
	failed       error       // of the poll before, of which the claim was not told; nil when that went well
}

type handed struct {
	task *polledTask // nil: none came
	err  error
}

// take waits for a task, at most for a time. It is nil when none came.
func (d *desk) take(ctx context.Context, wait time.Duration) (*polledTask, error) {
	now := time.Now()
	me := &claimant{since: now, until: now.Add(max(wait, pollLeast)), got: make(chan handed, 1)}
	d.mu.Lock()
	d.waiting = append(d.waiting, me)
	d.begin()
	d.mu.Unlock()
	late := time.NewTimer(time.Until(me.until) + pollScrap)
	defer late.Stop()
	select {
	case h := <-me.got:
		return h.task, h.err
	case <-late.C:
	case <-ctx.Done():
	case <-d.closing:
	}
	if d.leave(me) {
		return nil, me.failed
	}
	h := <-me.got // it came while we were about to go
	if h.task != nil && ctx.Err() != nil {
		d.giveBack(h.task)
		return nil, nil
	}
	return h.task, h.err
}

// leave takes a claimant out of the line; false when it has its answer.
func (d *desk) leave(me *claimant) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.waiting, me)
	if i >= 0 {
		d.waiting = slices.Delete(d.waiting, i, i+1)
	}
	return i >= 0
}

// begin starts the polls that those who wait are worth. It is called under the lock.
func (d *desk) begin() {
	for !d.closes() && d.polls < d.wanted() {
		d.polls++
		d.work(d.run)
	}
}

// wanted is how many polls there should be: one for each claim that has time for one. It is called under the lock.
func (d *desk) wanted() int {
	n := 0
	for _, c := range d.waiting {
		if time.Until(c.until) > pollScrap {
			n++
		}
	}
	if n > 1 && d.crowded() {
		return 1
	}
	return min(n, pollsOfAQueue)
}

// run polls for as long as it is wanted.
func (d *desk) run() {
	for {
		length, more := d.next()
		if !more {
			return
		}
		task, err := d.poll(length)
		d.hand(task, err)
		if err != nil {
			d.pause()
		}
	}
}

// pause waits before a poll that follows one that failed.
func (d *desk) pause() {
	rest := time.NewTimer(pollPause)
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-d.closing:
	}
}

// next is how long the next poll is; false when there is to be none.
func (d *desk) next() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closes() || d.polls > d.wanted() {
		if d.polls--; d.polls == 0 {
			d.dismiss()
		}
		return 0, false
	}
	var longest time.Duration
	for _, c := range d.waiting {
		longest = max(longest, time.Until(c.until))
	}
	length := min(longest, pollMost)
	if rest := longest - length; rest < pollLeast {
		length += rest
	}
	return max(length, pollLeast), true
}

// closes reports whether no poll is to begin any more.
func (d *desk) closes() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}

// dismiss answers everybody who has no time for another poll: there is none any more that could bring them something. It is called
// under the lock.
func (d *desk) dismiss() {
	for _, c := range d.waiting {
		c.got <- handed{err: c.failed}
	}
	d.waiting = nil
}

// hand gives a task to whoever is first in the line, and an error to whoever has waited through some: Temporal can not be asked now.
func (d *desk) hand(task *polledTask, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil:
		d.waiting = slices.DeleteFunc(d.waiting, func(c *claimant) bool {
			c.failed = err
			told := time.Since(c.since) > pollTold
			if told {
				c.got <- handed{err: err}
			}
			return told
		})
	case task == nil:
		for _, c := range d.waiting {
			c.failed = nil
		}
	case len(d.waiting) == 0:
		d.work(func() { d.giveBack(task) })
	default:
		d.waiting[0].got <- handed{task: task}
		d.waiting = d.waiting[1:]
	}
}
