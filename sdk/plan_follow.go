package sdk

import (
	"context"
	"iter"
)

// PlanEvents answers the events of a plan and of its tasks, from plan.created to the plan's last one, as they come; then it ends.
// [ResumeAfter] begins after an event that was read before. It is opened again as [Client.Subscribe] is, and ends on the same errors;
// [OnInterruption] is told of each cut. A plan that ended before there was a log has none.
func (c *Client) PlanEvents(ctx context.Context, id string, opts ...FollowOption) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		if err := checkPlanID(id); err != nil {
			yield(nil, err)
			return
		}
		f := following[Event]{c.follow(EventFilter{}, opts, "v1", "plans", id, "events"), readPlanEvent}
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

// readPlanEvent is readEvent for a stream that ends with its plan, and goes on when one of its tasks has ended.
func readPlanEvent(fr frame) (e *Event, last bool, err error) {
	e, _, err = readEvent(fr)
	return e, e != nil && e.Type.endsPlan(), err
}

// endsPlan reports whether an event of this type is a plan's last word.
func (t EventType) endsPlan() bool {
	return t == EventPlanCompleted || t == EventPlanFailed || t == EventPlanCancelled
}
