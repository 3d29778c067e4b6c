package sdktest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// claimant is a claim over HTTP that waits for a task.
type claimant struct {
	in  activities.Claim
	can []string      // what the agent had registered with when it claimed
	got chan *attempt // has room for the one; closed at the end of the test
}

// lease is the hold of an agent over HTTP on an attempt. It lapses by the server's clock.
type lease struct {
	hold   activities.Hold
	lapse  *timer
	spoke  bool // the agent was heard of since it got the attempt
	ended  bool
	digest string // of how it ended
}

func (c *claimant) polls(queue string) bool {
	return queue == workflows.RoleQueue(c.in.Project, c.in.Role) ||
		c.in.Addressed && queue == workflows.AgentQueue(c.in.Project, c.in.Role, c.in.AgentID)
}

// fits tells whether an attempt may go to the claim.
func (c *claimant) fits(t *attempt) bool {
	needs := t.assignment.Task.Capabilities
	if len(needs) == 0 {
		return c.polls(t.terms.Queue)
	}
	return c.in.Addressed && c.polls(t.terms.Queue) && !slices.ContainsFunc(needs, func(n string) bool { return !slices.Contains(c.can, n) })
}

// ClaimTask implements [apiserver.Leases]. How long a claim waits is measured by the machine's clock, as the agent does.
func (e *engine) ClaimTask(ctx context.Context, in activities.Claim) (*activities.Claimed, error) {
	c := &claimant{in: in, got: make(chan *attempt, 1)}
	if in.Addressed {
		c.can = e.events.agents.capabilities(ctx, in.Project, in.AgentID)
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, nil
	}
	e.claims = append(e.claims, c)
	e.dispatch()
	e.done()
	late := time.NewTimer(in.Wait)
	defer late.Stop()
	select {
	case a := <-c.got:
		return e.claimed(a), nil
	case <-late.C:
	case <-ctx.Done():
	}
	e.mu.Lock()
	e.claims = slices.DeleteFunc(e.claims, func(other *claimant) bool { return other == c })
	e.done()
	select {
	case a := <-c.got: // it came while the claim was about to go
		if a != nil && ctx.Err() != nil {
			e.ReturnAttempt(a.lease.hold)
			return nil, nil
		}
		return e.claimed(a), nil
	default:
		return nil, nil
	}
}

func (e *engine) claimed(a *attempt) *activities.Claimed {
	if a == nil {
		return nil
	}
	e.mu.Lock()
	defer e.seen()
	claimed := &activities.Claimed{Hold: a.lease.hold, ExpiresAt: a.taken.Add(a.terms.Heartbeat)}
	if err := e.carry(a.assignment, &claimed.Assignment); err != nil {
		e.tb.Errorf("sdktest: the assignment can not be carried: %v", err)
	}
	return claimed
}

// dispatchClaims gives what no agent of the test takes to the claims that wait. The lock is held.
func (e *engine) dispatchClaims() {
	for i := 0; i < len(e.claims); {
		c := e.claims[i]
		var best *attempt
		for _, waiting := range e.queue {
			if c.fits(waiting) && (best == nil || waiting.terms.Priority < best.terms.Priority) {
				best = waiting
			}
		}
		if best == nil {
			i++
			continue
		}
		e.claims = slices.Delete(e.claims, i, i+1)
		e.queue = slices.DeleteFunc(e.queue, func(other *attempt) bool { return other == best })
		e.hold(best, c)
		c.got <- best
	}
}

// hold gives an attempt to an agent over HTTP. The lock is held.
func (e *engine) hold(a *attempt, c *claimant) {
	now, token := e.now, strconv.Itoa(e.number())
	a.agent, a.taken = &Agent{engine: e, id: c.in.AgentID, role: c.in.Role, project: c.in.Project, stopped: true}, now
	a.report = &activities.AttemptReport{AgentID: c.in.AgentID, StartedAt: &now}
	a.lease = &lease{hold: activities.Hold{
		Project: c.in.Project, AgentID: c.in.AgentID, TaskID: a.run.in.ID, Stage: a.stage, Attempt: a.number, Token: []byte(token),
		StartedAt: now, TaskBegan: now, HeartbeatMs: a.terms.Heartbeat.Milliseconds(),
	}}
	e.leases[token] = a
	e.stop(a.queued)
	a.due(a.terms.Running, enumspb.TIMEOUT_TYPE_START_TO_CLOSE)
	a.lease.lapse = a.due(a.terms.Heartbeat, enumspb.TIMEOUT_TYPE_HEARTBEAT)
	a.run.course.AttemptStarted(now, workflows.AttemptStartedInput{Stage: a.stage, Attempt: a.number, AgentID: c.in.AgentID, StartedAt: now})
	a.run.collect()
}

// ReturnAttempt implements [apiserver.Leases].
func (e *engine) ReturnAttempt(h activities.Hold) {
	e.mu.Lock()
	defer e.done()
	if a := e.leases[string(h.Token)]; a != nil {
		a.finish(workflows.AttemptOutcome{Err: temporal.NewApplicationError(sdk.ErrInterruptedAttempt.Message, string(sdk.CodeInterrupted))})
		e.dispatch()
	}
}

// ReportAttempt implements [apiserver.Leases].
func (e *engine) ReportAttempt(_ context.Context, h activities.Hold, w activities.Word) (sdk.LeaseStatus, error) {
	e.mu.Lock()
	defer e.done()
	a := e.leases[string(h.Token)]
	if a == nil || a.over {
		return sdk.LeaseStatus{}, kept.LeaseLost()
	}
	e.hears(a, w)
	a.lease.spoke = true
	e.stop(a.lease.lapse)
	a.lease.lapse = a.due(a.terms.Heartbeat, enumspb.TIMEOUT_TYPE_HEARTBEAT)
	return sdk.LeaseStatus{CancelRequested: a.run.cancelled, Reason: a.run.reason, ExpiresAt: e.now.Add(a.terms.Heartbeat)}, nil
}

// hears takes an agent's word. The lock is held.
func (e *engine) hears(a *attempt, w activities.Word) {
	report := kept.Merge(*a.report, a.lease.hold, w, e.now)
	a.report = &report
	if w.Progress != nil {
		a.reported++
		a.run.course.TaskProgressed(e.now, workflows.TaskProgressedInput{Stage: a.stage, Attempt: a.number, N: a.reported, Progress: *report.Progress})
		a.run.collect()
	}
}

// EndAttempt implements [apiserver.Leases].
func (e *engine) EndAttempt(_ context.Context, h activities.Hold, end activities.Ending) error {
	e.mu.Lock()
	defer e.done()
	a := e.leases[string(h.Token)]
	switch {
	case a != nil && a.lease.ended && a.lease.digest == end.Digest:
		return nil
	case a == nil || a.over:
		return kept.LeaseLost()
	}
	untouched := kept.Untouched(end, a.lease.hold, a.lease.spoke, e.now)
	e.hears(a, end.Word)
	a.lease.ended, a.lease.digest = true, end.Digest
	report := *a.report
	if untouched {
		report.StartedAt = nil
	}
	report, failure := kept.AnswerOf(end, report)
	a.finish(e.outcome(report, failure))
	e.dispatch()
	return nil
}
