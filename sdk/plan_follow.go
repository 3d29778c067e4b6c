package sdk

import (
	"cmp"
	"context"
	"iter"
)

// PlanEvents answers the events of a plan and of its tasks, from plan.created to the plan's last one, as they come; then it ends.
// [ResumeAfter] begins after an event that was read before. It is opened again as [Client.Subscribe] is, and ends on the same errors;
// [OnInterruption] is told of each cut. A plan that ended before there was a log has none.
//
// Where the log has an event in another place than it is told, as after an outage of the log, its [Event.Sequence] is the place after which to
// go on: who does so may be told it again. One iteration tells it once.
func (c *Client) PlanEvents(ctx context.Context, id string, opts ...FollowOption) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		if err := checkID("plan", id); err != nil {
			yield(nil, err)
			return
		}
		f := following[Event]{follow: c.follow(EventFilter{}, opts, "v1", "plans", id, "events")}
		f.read = func(fr frame) (*Event, bool, error) {
			if fr.id == "" && f.known { // it is told after something that the log has later: who goes on is told it again
				fr.id = FormatSequence(f.at)
			}
			return readPlanEvent(fr)
		}
		var told toldThere[eventKey]
		f.fresh = func(e *Event) bool { return told.isNew(f.follow, eventKey{e.Source, e.ID}) }
		f.over = func(ctx context.Context) (bool, error) {
			plan, err := c.GetPlan(ctx, id)
			return err == nil && plan.Status.Terminal(), err
		}
		f.output, f.now = nil, false // which only the streams of a task and of a session have
		if f.story = true; f.start() != nil {
			yield(nil, Errorf(CodeInvalidInput, "a plan is resumed after the sequence of an event: a whole number of at most 20 digits"))
			return
		}
		f.events(ctx)(yield)
	}
}

// eventKey is what is unique of an event.
type eventKey struct{ source, id string }

// readPlanEvent is readEvent for a stream that ends with its plan, and goes on when one of its tasks has ended. An event comes without its
// own position where that is not the place after which to go on.
func readPlanEvent(fr frame) (e *Event, last bool, err error) {
	if e, _, err = readEvent(fr); e == nil {
		return nil, false, err
	}
	e.Sequence = cmp.Or(e.Sequence, fr.id)
	return e, e.Type.endsPlan(), err
}

// endsPlan reports whether an event of this type is a plan's last word.
func (t EventType) endsPlan() bool {
	return t == EventPlanCompleted || t == EventPlanFailed || t == EventPlanCancelled
}
