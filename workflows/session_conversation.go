package workflows

import (
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Conversation is how one session goes, for an engine that is not Temporal: the engine says when something happens, the conversation what
// comes of it. It is not safe for concurrent use.
type Conversation struct{ talk *conversation }

// NewConversation is that of a session that is opened now.
func NewConversation(in SessionInput, now time.Time) *Conversation {
	return &Conversation{newConversation(in, now)}
}

// Session is the session as it stands, without links.
func (c *Conversation) Session() sdk.Session { return c.talk.record() }

// Check answers nil when a task can be taken, or was before, else an [sdk.Error].
func (c *Conversation) Check(in SendTaskInput) error { return c.talk.check(in) }

// Take takes a task that Check let through.
func (c *Conversation) Take(now time.Time, in SendTaskInput) SendTaskOutput {
	return c.talk.take(now, in)
}

// Waiting is a task that waits for its turn.
func (c *Conversation) Waiting(id string, now time.Time) (t sdk.Task, ok bool) {
	i := slices.IndexFunc(c.talk.queue, func(w waitingTask) bool { return w.TaskID == id })
	if i < 0 {
		return t, false
	}
	return c.talk.waitingView(c.talk.queue[i], now), true
}

// Turn gives the first task that waits its turn; the digest is that of its asking.
func (c *Conversation) Turn(now time.Time) (in TaskInput, digest string, ok bool) {
	return c.talk.turn(now)
}

// Dropped is a task that was cancelled before its turn, whose run records just that.
func (c *Conversation) Dropped() (in TaskInput, digest string, ok bool) { return c.talk.nextDropped() }

// Ended takes the end of the task that had its turn.
func (c *Conversation) Ended(now time.Time, record sdk.Task) { c.talk.ended(now, &record) }

// DroppedEnded takes the end of a task of Dropped.
func (c *Conversation) DroppedEnded(record sdk.Task) { c.talk.count(&record) }

// Cancel cancels a task that waits for its turn.
func (c *Conversation) Cancel(id, reason string) {
	c.talk.cancelTask(CancelRequestedInput{TaskID: id, Reason: reason})
}

// Close begins the end of the session; false is that it had begun. The task that has its turn is to be stopped, for the reason that is
// answered, and those that wait are dropped.
func (c *Conversation) Close(reason sdk.CloseReason) (why string, begun bool) {
	begun = c.talk.closing(reason)
	if c.talk.stop != nil {
		why = *c.talk.stop
	}
	return why, begun
}

// Closed ends the session.
func (c *Conversation) Closed(now time.Time) { c.talk.closed(now) }

// IdleFor is how long it is until the session has been idle for too long; not more than 0 is that it has.
func (c *Conversation) IdleFor(now time.Time) time.Duration { return c.talk.idleFor(now) }

// TakeEvents answers the events of the session since the last call.
func (c *Conversation) TakeEvents() []sdk.Event { return c.talk.takeEvents() }
