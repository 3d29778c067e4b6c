package workflows

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// What one run of a session may hold. Then it goes on as another run, between two tasks.
const (
	// maxSessionTasks is how many tasks have their turn in one run. One is about 20 events of its history.
	maxSessionTasks = 500
	// maxSessionSent is how many tasks are sent to one run; Temporal takes 2000 updates. goOnSent is with how many it goes on as another one.
	maxSessionSent = 1500
	goOnSent       = 1000
	// maxSessionWritten is how many bytes of history a run takes tasks up to; Temporal ends a run at 50 MB. goOnWritten is with how many it
	// goes on as another one. Between them is room for a task that runs and is sent others meanwhile.
	maxSessionWritten = 32 << 20
	goOnWritten       = 16 << 20
	// maxQueueBytes is how much the tasks that wait may take. They are handed over to the next run in one payload, which Temporal bounds at 2 MB.
	maxQueueBytes = 1200 << 10
	// maxSessionKeys is how many of the newest tasks are known again without a look at their runs; those that wait are in any case.
	maxSessionKeys = 200
	// maxLesson is how many bytes a session keeps of a lesson, a follow-up or an episode reference.
	maxLesson = 512
	// sentTaskWeight is about how many bytes the sending of a task is in the session's history beside what it was sent with, sessionTaskWeight
	// its turn beside that and its record.
	sentTaskWeight    = 4 << 10
	sessionTaskWeight = 24 << 10
)

// conversation is how one session goes: all that is decided about it, and what everybody sees of it. It knows no engine and no clock. It is
// not safe for concurrent use.
type conversation struct {
	in      SessionInput
	session sdk.Session
	queue   []waitingTask
	dropped []waitingTask // cancelled before their turn; their end is to be recorded
	keys    []SessionKey  // of the newest tasks and those that wait, oldest first
	first   bool          // this is the session's first run
	stop    *string       // why the task that has its turn is to be stopped; nil: it is not

	tasks   int // that had their turn in this run
	sent    int // that this run was sent
	queued  int // bytes of the queue
	written int // bytes that this run has put into history

	seq    int // of the last event
	events []sdk.Event
}

// waitingTask is a task that waits for its turn.
type waitingTask struct {
	SendTaskInput
	size   int    // in bytes, as it was sent
	reason string // why it was cancelled
}

// newConversation is that of a run that starts at the given time: the session's first, or one that goes on.
func newConversation(in SessionInput, started time.Time) *conversation {
	in.Config = ResolveSession(in.Config, in.ModelOverrides)
	c := &conversation{in: in}
	if in.Carried == nil {
		c.first, c.session = true, NewSession(in, started)
		c.tellStarted()
		return c
	}
	c.session, c.keys, c.seq, c.events = WithSessionLists(in.Carried.Session), in.Carried.Keys, in.Carried.Seq, in.Carried.Events
	for _, sent := range in.Carried.Queue {
		size, _ := EncodedSize(sent) // it was sent once
		c.queue = append(c.queue, waitingTask{SendTaskInput: sent, size: size})
		c.queued += size
	}
	c.written = c.queued
	c.session.QueuedTasks = len(c.queue)
	c.in.Carried = nil // what was in it is held once
	return c
}

// begins says when the run begins by its own clock. A session that was just opened is idle from then on: what was before, be it that the
// clock of whoever opened it is off or that nobody held the session yet, is not counted.
func (c *conversation) begins(now time.Time) {
	if c.first {
		c.session.LastActivityAt = now
	}
}

// fault is why the session can not be held, or nil: no client of ours would have opened it.
func (c *conversation) fault() error {
	if !sdk.ValidProject(c.in.Project) || !validSessionID(c.in.ID) {
		return sdk.Errorf(sdk.CodeInvalidInput, "project or id is not well-formed")
	}
	return c.in.Config.Validate()
}

// turn gives the first task that waits its turn; ok is false when there is none, or the session is about to close.
func (c *conversation) turn(now time.Time) (in TaskInput, digest string, ok bool) {
	if len(c.queue) == 0 || c.session.Status != sdk.SessionOpen {
		return TaskInput{}, "", false
	}
	first := c.queue[0]
	c.leave(0)
	in = c.taskInput(first, learnt{c.session.Lessons, c.session.FollowUps, c.session.EpisodeRefs})
	c.tasks++
	c.written += sessionTaskWeight + first.size + c.learntBytes()
	c.session.CurrentTaskID, c.session.LastActivityAt, c.stop = first.TaskID, now, nil
	return in, first.Digest, true
}

// nextDropped is a task that was cancelled before its turn, whose run records just that.
func (c *conversation) nextDropped() (in TaskInput, digest string, ok bool) {
	if len(c.dropped) == 0 {
		return TaskInput{}, "", false
	}
	first := c.dropped[0]
	c.dropped = slices.Clone(c.dropped[1:])
	in = c.taskInput(first, learnt{})
	in.Cancelled = &CancelRequestedInput{Reason: first.reason}
	c.written += sessionTaskWeight + first.size
	return in, first.Digest, true
}

// leave takes a task out of the queue.
func (c *conversation) leave(i int) {
	c.queued -= c.queue[i].size
	c.queue = slices.Concat(c.queue[:i], c.queue[i+1:])
	c.session.QueuedTasks = len(c.queue)
}

// ended takes the end of the task that had its turn. record is what its run left; nil where there is none.
func (c *conversation) ended(now time.Time, record *sdk.Task) {
	c.session.CurrentTaskID, c.session.LastActivityAt, c.stop = "", now, nil
	c.count(record)
}

// count takes the record of a task.
func (c *conversation) count(record *sdk.Task) {
	if record != nil {
		c.written += recordWeight(*record)
	}
	if record == nil || record.Status != sdk.StatusCompleted || record.Result == nil {
		c.session.FailedTasks++
		return
	}
	c.session.CompletedTasks++
	c.learn(*record.Result)
}

// skipped says that the task that had its turn has had a run before, long ago, and gets no other one. It is not counted.
func (c *conversation) skipped(now time.Time) {
	c.session.CurrentTaskID, c.session.LastActivityAt, c.stop = "", now, nil
}

// recordWeight is about how many bytes the record of a task takes. What it counts was handed in, so that it stays the same when a shape grows
// a field: a run that is replayed goes on as another one at the same moment.
func recordWeight(t sdk.Task) int {
	const attempt = 1 << 10
	weight := attempt*len(t.Attempts) + recordEscapes(t)
	for _, a := range t.Answers {
		weight += len(a.Prompt) + len(a.Answer)
	}
	if t.Result != nil {
		weight += len(t.Result.Output) + len(t.Result.Reflection) + len(t.Result.QualityGate)
		for _, ref := range t.Result.EpisodeRefs {
			weight += len(ref)
		}
	}
	return weight
}

// learntBytes is how much of what the session has learnt goes into a prompt.
func (c *conversation) learntBytes() (n int) {
	for _, text := range slices.Concat(c.session.Lessons, c.session.FollowUps, c.session.EpisodeRefs) {
		n += len(text)
	}
	return n
}

// learn keeps what a finished task has left for those that follow.
func (c *conversation) learn(r sdk.Result) {
	var said sdk.Reflection
	if json.Unmarshal(r.Reflection, &said) == nil { // an agent may say anything
		c.session.Lessons = keepNewest(c.session.Lessons, said.Lessons)
		c.session.FollowUps = keepNewest(c.session.FollowUps, said.FollowUps)
	}
	c.session.EpisodeRefs = keepNewest(c.session.EpisodeRefs, r.EpisodeRefs)
}

// keepNewest adds what is new to a list, and keeps the newest [sdk.MaxSessionLessons] of it. What comes again counts as new.
func keepNewest(list, more []string) []string {
	list = slices.Clone(list)
	for _, text := range more[max(0, len(more)-sdk.MaxSessionLessons):] {
		text = sdk.Cut(oneLine(text), maxLesson)
		if text == "" {
			continue
		}
		list = append(slices.DeleteFunc(list, func(other string) bool { return other == text }), text)
	}
	return list[max(0, len(list)-sdk.MaxSessionLessons):]
}

// due reports whether the session is to go on as another run, which the server may suggest as well.
func (c *conversation) due(suggested bool) bool {
	most := maxSessionTasks
	if c.in.TasksPerRun > 0 {
		most = min(most, c.in.TasksPerRun)
	}
	return c.session.Status == sdk.SessionOpen && c.sent+c.tasks > 0 &&
		(suggested || c.tasks >= most || c.sent >= goOnSent || c.written >= goOnWritten)
}

// carried is what the next run of the session starts with.
func (c *conversation) carried(pending []sdk.Event, acknowledged int) SessionInput {
	out := &SessionCarried{Session: c.session, Keys: c.keys, Seq: c.seq, Events: pending, Acknowledged: acknowledged}
	for _, w := range c.queue {
		out.Queue = append(out.Queue, w.SendTaskInput)
	}
	next := c.in
	next.Carried = out
	return next
}

// idleFor is how long it is until the session has been idle for too long; not more than 0 is that it has.
func (c *conversation) idleFor(now time.Time) time.Duration {
	return c.session.LastActivityAt.Add(milliseconds(c.in.Config.IdleTimeoutMs)).Sub(now)
}
