package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

const (
	avoidLog = 10 * time.Second // after a failure, by the run's clock
	holdFor  = 10 * time.Second // that a run which holds stays open at its end for a log that is away, by the run's clock

	// What goes into the log at once. A call's events stand in one payload, which Temporal bounds at 2 MB.
	outboxBytes  = 1 << 20
	outboxEvents = 500
)

// outbox brings a run's events into the log, in order, and holds the run up for nothing but a local activity of 150 ms: while the log is
// away an ordinary activity tries on, one at a time, and what is left at the end goes to a run of its own.
type outbox struct {
	story story
	take  func() []sdk.Event
	holds bool // another run tells on after this one's end: it stays open until the log has all of it, or for holdFor

	pending      []sdk.Event // that the log has not acknowledged
	acknowledged int         // the seq of the last one that it has
	avoid        time.Time   // until when no local activity is tried
	local        bool        // one is under way
	ordinary     bool        // an ordinary activity is under way
	closing      bool
}

// story is whose events an outbox publishes.
type story struct {
	project, kind, id string
	// rest is the id of the run that publishes a part of the last events, or, as part 0, the last of them.
	rest func(part int) string
}

// storyOf is a task's.
func storyOf(in TaskInput) story {
	return story{project: in.Project, kind: activities.StoryTask, id: in.ID, rest: func(part int) string {
		if part == 0 {
			return EventsWorkflowID(in.Project, in.ID)
		}
		return EventsPartID(in.Project, in.ID, part)
	}}
}

// start begins to publish; what there is is taken whenever the run waits.
func (o *outbox) start(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	workflow.Go(calm, func(ctx workflow.Context) {
		for {
			if err := workflow.Await(ctx, func() bool { return !o.closing && o.more() }); err != nil {
				return
			}
			if !o.tryLocally(ctx) && !o.closing {
				o.tryOn(ctx)
			}
		}
	})
}

// more takes what the run has to tell, and reports whether there is anything.
func (o *outbox) more() bool {
	o.pending = append(o.pending, o.take()...)
	return len(o.pending) > 0
}

// finish sees to it that everything reaches the log, now or later. When it returns the run can be closed.
func (o *outbox) finish(ctx workflow.Context) {
	calm, _ := workflow.NewDisconnectedContext(ctx)
	o.stop(calm)
	for o.more() {
		if o.ordinary || !o.tryLocally(calm) {
			if !o.hold(calm) {
				o.handOver(calm)
			}
			return
		}
	}
}

// stop ends the publishing beside the run. When it returns no local activity is under way.
func (o *outbox) stop(calm workflow.Context) {
	o.closing = true
	_ = workflow.Await(calm, func() bool { return !o.local }) // nothing ends calm
}

// hold publishes on for a while, where the run holds, and reports whether the log has everything. It does so by itself, whatever is under way
// beside it: that may rest for a minute after a log that was away for long. What comes twice is kept once.
func (o *outbox) hold(calm workflow.Context) bool {
	if !o.holds {
		return false
	}
	late := workflow.Now(calm).Add(holdFor)
	for o.more() {
		left, batch := late.Sub(workflow.Now(calm)), o.batch()
		if left <= 0 || activities.PublishEventsWithin(calm, o.part(batch), left).Get(calm, nil) != nil {
			return false
		}
		o.done(batch)
	}
	return true
}

// tryLocally publishes a batch in this workflow task; false says that it was not acknowledged.
func (o *outbox) tryLocally(ctx workflow.Context) bool {
	if workflow.Now(ctx).Before(o.avoid) {
		return false
	}
	batch := o.batch()
	o.local = true
	err := activities.PublishEventsLocally(ctx, o.part(batch)).Get(ctx, nil)
	o.local = false
	if err != nil {
		o.avoid = workflow.Now(ctx).Add(avoidLog)
		return false
	}
	o.done(batch)
	return true
}

// tryOn publishes a batch with an ordinary activity.
func (o *outbox) tryOn(ctx workflow.Context) {
	batch := o.batch()
	o.ordinary = true
	err := activities.PublishEvents(ctx, o.part(batch)).Get(ctx, nil)
	o.ordinary = false
	if err == nil && !o.closing { // or it was handed over meanwhile
		o.done(batch)
	}
}

// handOver gives everything that the log has not acknowledged to runs of their own, and waits for their start alone. The last part has
// the plain id: as long as a run of this id goes on, the story has no end. Where a part's own run does not start, as when another one has
// its id, that part is the last one: what follows would wait for it in vain. The server writes the end then, when somebody reads the task.
func (o *outbox) handOver(ctx workflow.Context) {
	o.more()
	for n := 1; len(o.pending) > 0; n++ {
		batch := o.batch()
		if len(batch) < len(o.pending) && startPublishing(ctx, o.story.rest(n), o.part(batch)) {
			o.pending = o.pending[len(batch):]
			continue
		}
		startPublishing(ctx, o.story.rest(0), o.part(batch))
		return
	}
}

// leave ends the publishing of a run that another one follows, and answers what that one has to go on with: what the log has not
// acknowledged, and up to where it has. No local activity must be under way.
func (o *outbox) leave() (pending []sdk.Event, acknowledged int) {
	o.closing = true
	o.more()
	return o.pending, o.acknowledged
}

// startPublishing reports whether a run that publishes has started.
func startPublishing(ctx workflow.Context, id string, in activities.PublishEventsInput) bool {
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary: "internal: publishes the last events of a run that has ended",
	}), PublishEventsWorkflow, in)
	err := child.GetChildWorkflowExecution().Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("the run that publishes the last events of another one was not started", "id", id, "error", err)
	}
	return err == nil
}

// part is a batch as the activities and the run that publishes take it.
func (o *outbox) part(batch []sdk.Event) activities.PublishEventsInput {
	return activities.PublishEventsInput{
		Project: o.story.project, Kind: o.story.kind, ID: o.story.id, Acknowledged: o.acknowledged, Events: slices.Clone(batch),
	}
}

// batch is what of the pending events goes at once.
func (o *outbox) batch() []sdk.Event {
	size := 0
	for n, e := range o.pending {
		size += len(e.Data) + eventWeight
		if n > 0 && (size > outboxBytes || n >= outboxEvents) {
			return o.pending[:n]
		}
	}
	return o.pending
}

func (o *outbox) done(batch []sdk.Event) {
	o.acknowledged = batch[len(batch)-1].Seq
	o.pending = append([]sdk.Event(nil), o.pending[len(batch):]...)
}

// PublishEvents is the run that publishes the last events of a task that ended while the log was away.
func PublishEvents(ctx workflow.Context, in activities.PublishEventsInput) error {
	return activities.PublishEvents(ctx, in).Get(ctx, nil)
}
