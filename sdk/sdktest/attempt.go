package sdktest

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// attempt is one attempt at a task, from when it is asked for until its handler has returned. The engine's lock guards it.
type attempt struct {
	engine        *engine
	run           *run
	stage, number int
	terms         workflows.AttemptTerms
	assignment    sdk.Assignment
	scheduled     time.Time
	timers        []*timer // all that may end it
	queued        *timer   // that of them which ends with the queue; may be nil

	agent    *Agent // nil while nobody has it
	taken    time.Time
	ctx      context.Context // the handler's
	stop     context.CancelCauseFunc
	report   *activities.AttemptReport // the newest
	reported int                       // how many there were
	working  bool                      // its handler has not returned
	lost     bool                      // its agent is not heard of any more
	over     bool                      // the task goes on without it
	waits    map[*waiter]struct{}      // what its handler waits for
	lease    *lease                    // of an agent over HTTP; nil for others
}

// due ends the attempt after a time.
func (a *attempt) due(d time.Duration, kind enumspb.TimeoutType) *timer {
	t := a.engine.after(d, plainTimer, func() {
		var details []any
		if a.report != nil {
			details = append(details, *a.report)
		}
		a.finish(workflows.AttemptOutcome{
			Err: temporal.NewTimeoutError(kind, nil, details...), NotFound: kind == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START && a.finds(),
		})
		a.tellToStop(sdk.ErrLeaseLost)
		a.engine.dispatch()
	})
	a.timers = append(a.timers, t)
	return t
}

// finish tells the task how the attempt ended, unless it ended before.
func (a *attempt) finish(o workflows.AttemptOutcome) {
	if a.over {
		return
	}
	a.over = true
	for _, t := range a.timers {
		a.engine.stop(t)
	}
	a.engine.queue = slices.DeleteFunc(a.engine.queue, func(other *attempt) bool { return other == a })
	o.Cancelled = a.run.cancelled
	a.run.pending = nil
	a.run.follow(a.run.course.AttemptEnded(a.engine.now, o))
}

// tellToStop ends the handler's context. Its waits end with it, so that it counts as working until it has returned.
func (a *attempt) tellToStop(cause error) {
	if a.stop == nil {
		return
	}
	a.stop(cause)
	for w := range a.waits {
		if w.heeds {
			a.engine.wakeUp(w)
		}
	}
}

// dispatch gives what waits in the queues to the agents that are free: the first agent that was registered is asked first, and takes
// what is most urgent, then what has waited longest.
func (e *engine) dispatch() {
	for _, agent := range e.agents {
		for a := agent.next(); a != nil; a = agent.next() {
			e.queue = slices.DeleteFunc(e.queue, func(other *attempt) bool { return other == a })
			e.start(a, agent)
		}
	}
	e.dispatchClaims()
}

// start gives an attempt to an agent.
func (e *engine) start(a *attempt, agent *Agent) {
	now := e.now
	a.agent, a.taken, a.working = agent, now, true
	a.report = &activities.AttemptReport{AgentID: agent.id, StartedAt: &now}
	a.ctx, a.stop = context.WithCancelCause(context.WithValue(e.life, attemptKey{}, a))
	e.stop(a.queued)
	a.due(a.terms.Running, enumspb.TIMEOUT_TYPE_START_TO_CLOSE)
	a.run.course.AttemptStarted(now, workflows.AttemptStartedInput{Stage: a.stage, Attempt: a.number, AgentID: agent.id, StartedAt: now})
	a.run.collect()
	agent.holds[a] = struct{}{}
	e.active++
	var given, noted sdk.Assignment // as the wire brings them: the handler may change its own
	if err := errors.Join(e.carry(a.assignment, &given), e.carry(a.assignment, &noted)); err != nil {
		e.tb.Errorf("sdktest: the assignment can not be carried: %v", err)
	}
	agent.record(noted)
	e.work.Go(func() { e.perform(a, given) })
}

// perform is the attempt in its agent's hands.
func (e *engine) perform(a *attempt, given sdk.Assignment) {
	report, err := workers.Perform(a.ctx, workers.Performance{
		AgentID: a.agent.id, Assignment: given, Handler: a.agent.handler, Now: (&Clock{e}).Now, Reported: a.hear, Logger: e.log,
	})
	a.stop(nil)
	outcome := e.outcome(report, err)
	e.mu.Lock()
	defer e.done()
	a.working = false
	if len(a.waits) == 0 {
		e.active--
	}
	delete(a.agent.holds, a)
	if !a.lost {
		a.finish(outcome)
	}
	e.dispatch()
}

// hear takes what a handler reports.
func (a *attempt) hear(report activities.AttemptReport) {
	e := a.engine
	e.mu.Lock()
	defer e.done()
	if a.over || a.lost {
		return
	}
	fresh := report.Progress != nil && (a.report.Progress == nil || *report.Progress != *a.report.Progress)
	a.report = &report
	if fresh {
		a.reported++
		a.run.course.TaskProgressed(a.engine.now, workflows.TaskProgressedInput{Stage: a.stage, Attempt: a.number, N: a.reported, Progress: *report.Progress})
		a.run.collect()
	}
}

// outcome is an answer as it comes out of the wire.
func (e *engine) outcome(report activities.AttemptReport, err error) workflows.AttemptOutcome {
	var o workflows.AttemptOutcome
	if err != nil {
		o.Err = e.failures.FailureToError(e.failures.ErrorToFailure(err))
		return o
	}
	o.Err = e.carry(report, &o.Report)
	return o
}

// carry brings a value through the wire.
func (e *engine) carry(value, into any) error {
	payload, err := e.data.ToPayload(value)
	if err != nil {
		return err
	}
	return e.data.FromPayload(payload, into)
}

// finds tells whether nobody is there who has what the attempt needs.
func (a *attempt) finds() bool {
	return a.agent == nil && len(a.assignment.Task.Capabilities) > 0 &&
		!slices.ContainsFunc(a.engine.agents, func(agent *Agent) bool { return agent.fits(a) })
}

// look is how a queue stands.
func (e *engine) look(queue string) kept.Queue {
	q := kept.Queue{Waiting: map[int]int{}}
	for _, agent := range e.agents {
		q.Polled = q.Polled || agent.polls(queue)
	}
	for _, c := range e.claims {
		q.Polled = q.Polled || c.polls(queue)
	}
	for _, a := range e.queue {
		if a.terms.Queue == queue {
			q.Waiting[a.terms.Priority]++
		}
	}
	return q
}
