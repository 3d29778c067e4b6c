package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Session runs one session to its end: what it is sent, one task at a time and in order, each in a run of its own. Its history is bounded:
// between two tasks it goes on as another run, after 500 of them, with 1000 that were sent, with 16 MB written, or when the server suggests
// it; and while one task runs it takes others up to 1500 and 32 MB, of which 200 and 1.2 MB may wait. Nobody notices: what waits, the
// keys of those and of the newest 200, and the number of the last event go with it.
func Session(ctx workflow.Context, in SessionInput) (sdk.Session, error) {
	run := newSessionRun(ctx, in)
	if err := run.setUp(ctx); err != nil {
		return sdk.Session{}, err
	}
	return run.execute(ctx)
}

// sessionRun is one run: how its session goes, and what it needs for that on Temporal.
type sessionRun struct {
	talk    *conversation
	cancels SignalChannel[CancelRequestedInput]
	outbox  *outbox
	asked   bool              // by the run's own cancellation, to close
	idle    workflow.Future   // the timer that was set last; nil: none was
	open    int               // runs of tasks that were cancelled before their turn and whose end is not there
	shown   sdk.SessionStatus // what the search attributes say
}

func newSessionRun(ctx workflow.Context, in SessionInput) *sessionRun {
	r := &sessionRun{talk: newConversation(in, workflow.GetInfo(ctx).WorkflowStartTime)}
	r.talk.begins(workflow.Now(ctx))
	r.outbox = &outbox{take: r.talk.takeEvents, story: story{
		project: in.Project, kind: activities.StorySession, id: in.ID,
		rest: func(int) string { return SessionEventsWorkflowID(in.Project, in.ID) }, // its few events are one part
	}}
	r.shown = r.talk.session.Status
	if in.Carried != nil {
		r.outbox.acknowledged = in.Carried.Acknowledged
	}
	return r
}

// setUp registers every handler before the first await, so that no message can arrive unhandled.
func (r *sessionRun) setUp(ctx workflow.Context) error {
	if err := r.talk.fault(); err != nil {
		return refusal(err)
	}
	r.cancels = CancelRequested.Channel(ctx)
	if err := r.handleMessages(ctx); err != nil {
		return err
	}
	r.describe(ctx)
	r.attend(ctx)
	r.outbox.start(ctx)
	return nil
}

// execute holds the session: the tasks that have their turn, and what is between them.
func (r *sessionRun) execute(ctx workflow.Context) (sdk.Session, error) {
	for {
		if r.over(ctx) {
			return r.close(ctx)
		}
		if r.talk.due(workflow.GetInfo(ctx).GetContinueAsNewSuggested()) {
			return r.goOn(ctx)
		}
		if in, digest, ok := r.talk.turn(workflow.Now(ctx)); ok {
			r.perform(ctx, in, digest)
			continue
		}
		r.rest(ctx)
	}
}

// over reports whether the session is to end. An operator's cancellation of the run is a request to close.
func (r *sessionRun) over(ctx workflow.Context) bool {
	if ctx.Err() != nil && !r.asked {
		r.asked = true
		r.closing(ctx, sdk.CloseRequested)
	}
	return r.talk.session.Status != sdk.SessionOpen
}

// rest waits until there is something to do. A timer that was set before serves until it is over: what was done meanwhile moves the end of
// the session, and then another one is set for the rest of the time.
func (r *sessionRun) rest(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	if r.idle == nil || r.idle.IsReady() {
		left := r.talk.idleFor(workflow.Now(ctx))
		if left <= 0 {
			r.closing(ctx, sdk.CloseIdle)
			return
		}
		r.idle = workflow.NewTimerWithOptions(calm, left, workflow.TimerOptions{Summary: "waiting for a task"})
	}
	_ = workflow.Await(calm, func() bool { // nothing ends calm
		return r.idle.IsReady() || len(r.talk.queue) > 0 || ctx.Err() != nil || r.talk.session.Status != sdk.SessionOpen
	})
}

// goOn ends this run for the next one: when no run of a task is open, whose end this one would take with it, and no message is left.
func (r *sessionRun) goOn(ctx workflow.Context) (sdk.Session, error) {
	r.settle(ctx)
	if r.over(ctx) { // it came meanwhile
		return r.close(ctx)
	}
	pending, acknowledged := r.outbox.leave()
	r.upsert(ctx)
	return sdk.Session{}, workflow.NewContinueAsNewErrorWithOptions(ctx, workflow.ContinueAsNewErrorOptions{
		InitialVersioningBehavior: workflow.ContinueAsNewVersioningBehaviorAutoUpgrade,
	}, SessionWorkflow, r.talk.carried(pending, acknowledged))
}

// settle waits until nothing is under way and every signal is taken. When it returns the run can be ended without another await.
func (r *sessionRun) settle(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	for {
		_ = workflow.Await(calm, func() bool { // nothing ends calm
			return r.open == 0 && len(r.talk.dropped) == 0 && !r.outbox.local && workflow.AllHandlersFinished(ctx)
		})
		if r.hear(); len(r.talk.dropped) == 0 {
			return
		}
	}
}

// close ends the session. What closes it is recorded before anything of it is told: which messages come into one workflow task is settled
// only then.
func (r *sessionRun) close(ctx workflow.Context) (sdk.Session, error) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	r.settle(ctx)
	now := workflow.Now(ctx)
	_ = workflow.NewTimer(calm, time.Millisecond).Get(calm, nil) // nothing ends calm
	r.talk.closed(now)
	r.upsert(ctx)
	r.settle(ctx)
	r.outbox.finish(ctx)
	r.hear()
	return r.talk.record(), nil
}
