package workers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/activities"
)

// lease is a worker's hold on one attempt: it is renewed by every acknowledged heartbeat and counts from the moment that one was sent,
// before the first from the moment the poll was sent that brought the attempt. It goes by the monotonic clock, which goes on while the
// process is stopped, but not while the machine is suspended: of that the next heartbeat tells.
type lease struct {
	base   context.Context // never ends
	port   temporalPort
	ref    attemptRef
	length time.Duration
	pace   *pace
	log    *slog.Logger

	details  func() activities.AttemptReport
	kept     func(activities.AttemptReport) // told the details that were acknowledged
	changed  <-chan struct{}                // there is something new to tell
	onReply  func(reply)                    // told every answer but an ordinary one
	onLapse  func()                         // told once, when the lease was not renewed in time
	onMissed func()                         // told every heartbeat that was not acknowledged, whoever is to blame
	renewed  chan struct{}                  // closed at the first acknowledgement
	lapse    *time.Timer
	stopBeat context.CancelFunc
	stopped  sync.WaitGroup

	polled moment        // when the poll was sent
	window time.Duration // how long after that it is held without any acknowledgement; 0: never

	mu   sync.Mutex
	sent time.Time // of the last heartbeat that was acknowledged, or of the poll
}

// begin starts the clock: at the time when the poll was sent that brought the attempt, or, when that is longer ago than window, now; then
// nothing is certain before the first acknowledgement. The fields from port to onLapse are set before, details, kept and changed by start at the
// latest.
func (l *lease) begin(polled moment, window time.Duration) {
	l.renewed = make(chan struct{})
	l.sent = time.Now()
	l.polled, l.window = polled, window
	if l.certain() {
		l.sent = polled.awake
	}
}

// certain reports whether nobody else can have the attempt yet, whatever Temporal has said since it was handed out.
func (l *lease) certain() bool { return l.window > 0 && l.polled.within(l.window) }

// start sends the first heartbeat after the given time, or as soon as there is something new to tell, and goes on until stop.
func (l *lease) start(after time.Duration) {
	l.lapse = time.AfterFunc(time.Until(l.sent.Add(lapseAfter(l.length))), l.checkLapse)
	ctx, cancel := context.WithCancel(l.base)
	l.stopBeat = cancel
	select {
	case <-l.changed: // nothing that is told by now makes the first heartbeat hurry
	default:
	}
	l.stopped.Go(func() { l.beat(ctx, after) })
}

// stop ends the heartbeats and the clock; also when there are none.
func (l *lease) stop() {
	if l.stopBeat == nil {
		return
	}
	l.stopBeat()
	l.stopped.Wait()
	l.lapse.Stop()
}

// held reports whether the lease has not lapsed by now, whatever timers have yet had their turn.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.sent) < lapseAfter(l.length)
}

// expiry is when Temporal itself gives the attempt up.
func (l *lease) expiry() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent.Add(l.length)
}

// answerBy is when an answer is to be tried at the latest: a tenth before the lease lapses, since after that there is but one try.
func (l *lease) answerBy() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent.Add(l.length / 10 * 8)
}

// checkLapse runs when the clock of some heartbeat has run out; a later one may have been acknowledged since.
func (l *lease) checkLapse() {
	if l.held() {
		return
	}
	l.onLapse()
}

// renew takes an acknowledgement of the heartbeat that was sent at that time.
func (l *lease) renew(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.After(l.sent) {
		l.sent = sent
	}
	l.lapse.Reset(time.Until(l.sent.Add(lapseAfter(l.length))))
	select {
	case <-l.renewed:
	default:
		close(l.renewed)
	}
}

func (l *lease) beat(ctx context.Context, after time.Duration) {
	changed := l.changed
	if after > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		case <-changed:
		}
	}
	for {
		sent := time.Now()
		if !l.once(ctx, sent) {
			return
		}
		running := l.pace.running()
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(sent.Add(beatInterval(running, l.length)))):
		case <-changed:
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(sent.Add(beatGap(running, l.length)))):
			}
		}
	}
}

// once sends one heartbeat; false means that no more is wanted.
func (l *lease) once(ctx context.Context, sent time.Time) bool {
	if !l.held() {
		l.onLapse()
		return false
	}
	select {
	case <-l.changed: // these details tell it
	default:
	}
	call, cancel := context.WithTimeout(ctx, beatTry(l.length))
	defer cancel()
	details := l.details()
	err := l.port.RecordActivityHeartbeatWithOptions(call, client.RecordActivityHeartbeatOptions{
		TaskToken: l.ref.token, Details: []any{details},
		WorkflowID: l.ref.workflowID, ActivityType: activities.ExecuteTaskName, WorkflowType: l.ref.workflowType, TaskQueue: l.ref.queue,
	})
	if ctx.Err() != nil {
		return false
	}
	r := readReply(err)
	switch r {
	case replyOK, replyCancelled, replyInterrupted:
		l.kept(details)
		l.renew(sent)
	case replyGone:
	default:
		l.onMissed()
		l.log.Warn("heartbeat was not acknowledged; the agent goes on", "left", time.Until(l.expiry()).Round(time.Millisecond), "error", err)
	}
	if r != replyOK {
		l.onReply(r)
	}
	return r != replyGone
}
