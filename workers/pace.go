package workers

import (
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	firstBeat      = 50 * time.Millisecond  // how soon the first heartbeat of an attempt that is certainly ours goes out
	beatEvery      = time.Second            // the longest gap between two heartbeats, while few attempts run
	beatGapLeast   = 200 * time.Millisecond // the shortest, when there is something new to tell
	beatsPerSecond = 50                     // what one process sends at most, as far as beatsPerLease allows
	beatsPerLease  = 3                      // what one lease needs at least; it goes before beatsPerSecond
	leaseWithout   = 30 * time.Second       // the lease of an activity that has no heartbeat timeout

	startedAfter     = 200 * time.Millisecond // a shorter attempt reports its start with its answer
	progressLeast    = time.Second            // the shortest gap between two progress signals
	progressPerTask  = 60                     // or this part of the task's time so far
	maxSignals       = 1000                   // progress signals of one attempt; what comes later is in heartbeats and answer
	signalTry        = 5 * time.Second
	retryLeast       = 100 * time.Millisecond
	retryMost        = time.Second
	lapsedAnswerTry  = 2 * time.Second
	lateAnswerMargin = 5 * time.Second
	answerTry        = 10 * time.Second
)

// pace counts the attempts of a process, which share its heartbeats.
type pace struct{ attempts atomic.Int64 }

func (p *pace) enter()       { p.attempts.Add(1) }
func (p *pace) leave()       { p.attempts.Add(-1) }
func (p *pace) running() int { return int(p.attempts.Load()) }

// beatInterval is the time between two heartbeats of an attempt when running attempts share the process: one second, stretched so
// that all of them stay within beatsPerSecond, but never so far that a lease gets fewer than beatsPerLease. With leases of 30 s the
// process keeps to 50 a second up to 500 attempts; 1000 attempts send 100 a second, and 600 with the shortest leases of 5 s.
func beatInterval(running int, lease time.Duration) time.Duration {
	return min(max(beatEvery, share(running)), lease/beatsPerLease)
}

// beatGap is how soon a heartbeat may follow another when there is something new to tell.
func beatGap(running int, lease time.Duration) time.Duration {
	return min(max(beatGapLeast, share(running)), beatInterval(running, lease))
}

// share is the interval at which each of running attempts uses its part of beatsPerSecond.
func share(running int) time.Duration {
	return time.Duration(running) * time.Second / beatsPerSecond
}

// beatTry bounds one heartbeat call, so that several fit into a lease.
func beatTry(lease time.Duration) time.Duration {
	return min(max(lease/6, time.Second), 5*time.Second)
}

// lapseAfter is when a worker must take its lease for lost: a tenth before Temporal gives the task to another one, to have stopped
// the agent by then.
func lapseAfter(lease time.Duration) time.Duration { return lease / 10 * 9 }

// mostCertain bounds the time of which half is certain: a cancelled run is closed after [workflows.CancelGrace], agent or not, so an
// attempt that came longer ago than that may be nobody's.
const mostCertain = 2 * (workflows.CancelGrace - 1500*time.Millisecond)

// certainFor is how long after its poll was sent an attempt is taken for ours without a word from Temporal: half of the time until the
// lease lapses, or until one of its timeouts ends it if that is less, so that there is as long again for the first heartbeat. At most 0
// says never. It counts by Temporal's clock alone.
func certainFor(info *activity.Info, lease time.Duration) time.Duration {
	whole := min(lapseAfter(lease), mostCertain)
	if info.StartToCloseTimeout > 0 {
		whole = min(whole, info.StartToCloseTimeout)
	}
	if info.ScheduleToCloseTimeout > 0 {
		whole = min(whole, info.ScheduleToCloseTimeout-info.StartedTime.Sub(info.ScheduledTime))
	}
	return whole / 2
}

// progressInterval is the time between two progress signals of a task that has been going on for elapsed: an hour makes about
// 300 of them, a day about 500.
func progressInterval(elapsed time.Duration) time.Duration {
	return max(progressLeast, elapsed/progressPerTask)
}

// nextRetry is the wait after a wait of last (0 at first).
func nextRetry(last time.Duration) time.Duration {
	return min(max(2*last, retryLeast), retryMost)
}
