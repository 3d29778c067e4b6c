package workflows

import (
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/activities"
)

const (
	// takeWithin is how long an agent that was found has to take the task before another one is chosen. One that is asked again, because
	// there is no other, has twice as long each time, up to takeWithinMost: a run's history must last for all of a task's time.
	takeWithin     = 30 * time.Second
	takeWithinMost = time.Hour
)

// seek makes an attempt that needs capabilities: it has an agent found and asks that one, and then another, until one takes the task or
// nobody has in the time that it may wait. The last one that the history has room for has all of that time.
func (r *taskRun) seek(ctx workflow.Context) AttemptOutcome {
	until, within := r.course.queuedUntil(workflow.Now(ctx)), takeWithin
	var passed []string
	outcome := AttemptOutcome{NotFound: true} // of who was asked last
	for asked := 1; ; asked++ {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return outcome
		}
		var found activities.FindAgentOutput
		find := activities.FindAgent(ctx, r.course.task.Stage, r.course.task.Attempt, left, r.course.wanted(passed))
		if r.race(ctx, find) == cancelled {
			return AttemptOutcome{Cancelled: true, Err: temporal.NewCanceledError()}
		}
		if find.Get(ctx, &found) != nil || found.AgentID == "" {
			return AttemptOutcome{NotFound: true}
		}
		if slices.Contains(passed, found.AgentID) { // there is no other
			passed, within = nil, min(2*within, takeWithinMost)
		}
		terms, last := r.course.termsFor(workflow.Now(ctx), found.AgentID), r.course.lastAsk(asked)
		terms.Queued = max(until.Sub(workflow.Now(ctx)), time.Millisecond)
		if !last {
			terms.Queued = min(terms.Queued, within)
		}
		outcome = r.make(ctx, terms)
		if last || outcome.Cancelled || !notTaken(outcome.Err) {
			return outcome
		}
		passed = append(passed, found.AgentID)
		r.course.askAgain(passed)
	}
}

// notTaken reports whether an attempt ended because its queue's time was over.
func notTaken(err error) bool {
	e, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && e.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START
}
