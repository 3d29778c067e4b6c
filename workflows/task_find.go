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
	// there is no other, has twice as long each time, up to takeWithinMost, and no longer than until another one is there: a run's
	// history must last for all of a task's time.
	takeWithin     = 30 * time.Second
	takeWithinMost = time.Hour
)

// search is who was asked to take an attempt.
type search struct {
	round []string // who was asked since the last one was asked again
	asked []string // every ask
}

// ask notes that an agent is about to be asked, and answers how long it has, and whether it was asked before.
func (s *search) ask(agentID string) (within time.Duration, again bool) {
	if slices.Contains(s.round, agentID) { // there is no other
		s.round = nil
	}
	within = takeWithin
	for _, before := range s.asked {
		if before == agentID {
			within, again = min(2*within, takeWithinMost), true
		}
	}
	s.round, s.asked = append(s.round, agentID), append(s.asked, agentID)
	return within, again
}

// all are those who were asked, each once.
func (s *search) all() []string {
	all := slices.Clone(s.asked)
	slices.Sort(all)
	return slices.Compact(all)
}

// seek makes an attempt that needs capabilities: it has an agent found and asks that one, and then another, until one takes the task or
// nobody has in the time that it may wait. The last one that the history has room for has all of that time.
func (r *taskRun) seek(ctx workflow.Context) AttemptOutcome {
	until := r.course.queuedUntil(workflow.Now(ctx))
	var s search
	outcome, next := AttemptOutcome{NotFound: true}, "" // of who was asked last, and who is to be asked now
	for {
		left := until.Sub(workflow.Now(ctx))
		if left <= 0 {
			return outcome
		}
		if next == "" {
			found, nobody := r.find(ctx, left, r.course.wanted(s.round))
			if found == "" {
				return nobody
			}
			left, next = max(until.Sub(workflow.Now(ctx)), time.Millisecond), found
		}
		terms := r.course.termsFor(workflow.Now(ctx), next)
		within, again := s.ask(next)
		last := r.course.lastAsk(len(s.asked))
		if terms.Queued = left; !last {
			terms.Queued = min(left, within)
		}
		if last || !again || r.course.addressed() {
			outcome, next = r.make(ctx, terms), ""
		} else {
			outcome, next = r.offer(ctx, len(s.asked), terms, r.course.wantedInstead(next, s.all()))
		}
		if last || outcome.Cancelled || !notTaken(outcome.Err) {
			return outcome
		}
		r.course.askAgain(len(s.round) + len(s.asked))
	}
}

// find waits until there is an agent for the attempt. "" is that there was none in time, or that the run was asked to cancel before, as nobody
// says.
func (r *taskRun) find(ctx workflow.Context, atMost time.Duration, in activities.FindAgentInput) (agentID string, nobody AttemptOutcome) {
	find := activities.FindAgent(ctx, r.course.task.Stage, r.course.task.Attempt, atMost, in)
	if r.race(ctx, find) == cancelled {
		return "", AttemptOutcome{Cancelled: true, Err: temporal.NewCanceledError()}
	}
	var found activities.FindAgentOutput
	if find.Get(ctx, &found) != nil {
		found.AgentID = ""
	}
	return found.AgentID, AttemptOutcome{NotFound: true}
}

// offer asks an agent once more, which is the n-th ask, with a look for another one meanwhile. Where that finds somebody before the attempt has
// begun, it is taken back: instead is who is to be asked then. Whether the attempt's end or the run's cancellation comes first is noted
// from the beginning, so that it does not depend on what else there is to see.
func (r *taskRun) offer(ctx workflow.Context, n int, terms AttemptTerms, in activities.FindAgentInput) (outcome AttemptOutcome, instead string) {
	offered, takeBack := workflow.WithCancel(ctx)
	defer takeBack()
	open := activities.ExecuteTask(offered, attemptOptions(terms), r.course.Assignment())
	r.open = open
	asked := false
	over, settle := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		asked = first(ctx, open) == cancelled
		settle.SetValue(asked)
	})
	calm, _ := workflow.NewDisconnectedContext(ctx)
	if instead = r.instead(ctx, n, terms.Queued, in, over); instead != "" {
		takeBack() // of what nobody has taken there is nothing to be told
	}
	r.awaited = []workflow.Future{open}
	_ = over.Get(calm, nil) // it has no error
	r.awaited = nil
	outcome = r.ended(ctx, asked)
	if instead != "" && r.takenBack(outcome) {
		outcome = AttemptOutcome{Err: temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)}
	}
	return outcome, instead
}

// instead waits for another agent than the one that is asked, until the attempt has begun or is over; "" is nobody.
func (r *taskRun) instead(ctx workflow.Context, n int, atMost time.Duration, in activities.FindAgentInput, over workflow.Future) string {
	look, stop := workflow.WithCancel(ctx)
	defer stop()
	find := activities.FindAnother(look, r.course.task.Stage, r.course.task.Attempt, n, atMost, in)
	begun, settle := workflow.NewFuture(ctx)
	r.begun = settle
	calm, _ := workflow.NewDisconnectedContext(ctx)
	came := r.race(calm, r.open, find, begun, over)
	r.begun = nil
	if came != 1 {
		return ""
	}
	for r.hears() { // it may have begun, as this workflow task knows
		r.hear(ctx)
	}
	var found activities.FindAgentOutput
	if r.open.IsReady() || ctx.Err() != nil || r.course.assigned || find.Get(calm, &found) != nil || found.AgentID == in.Asked {
		return ""
	}
	return found.AgentID
}

// takenBack reports whether an attempt ended because it was taken back, before an agent had begun. One that had begun then was given back.
func (r *taskRun) takenBack(o AttemptOutcome) bool {
	e, ok := errors.AsType[*temporal.CanceledError](o.Err)
	return ok && !o.Cancelled && !r.course.assigned && detailsOf(e.Details).StartedAt == nil
}

// notTaken reports whether an attempt ended because its queue's time was over.
func notTaken(err error) bool {
	e, ok := errors.AsType[*temporal.TimeoutError](err)
	return ok && e.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START
}
