package engine

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// The shortest gap between two progress signals of an attempt, and the part of the task's time so far that it grows to.
	signalLeast   = time.Second
	signalPerTask = 60
	// progressGap is how much later a progress is than the one before at least: readers know by its time which of two is new.
	progressGap = time.Microsecond
	// How far back in a run's history a reason or an end is looked for.
	historyPage  = 100
	historyPages = 5
)

// LeaseLost is the answer to an agent whose attempt is not its own any more.
func LeaseLost() *sdk.Error {
	return sdk.Errorf(sdk.CodeLeaseLost, "the lease has lapsed, or the attempt has ended: stop; what comes of it is not wanted any more")
}

// ReportAttempt takes an agent's word on its attempt, which is also its heartbeat, and answers what it has to know. An attempt that is not
// the agent's any more is [LeaseLost].
func (e *Engine) ReportAttempt(ctx context.Context, h activities.Hold, w activities.Word) (status sdk.LeaseStatus, err error) {
	defer func() { e.leases.metrics.answered(h.Role, err) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*e.cfg.CallTimeout)
	defer cancel()
	s := e.leases.of(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return sdk.LeaseStatus{}, LeaseLost()
	}
	if err := e.recall(ctx, h, s, w.Resume == nil || w.Progress == nil || w.Without || w.Spent == nil); err != nil {
		return sdk.LeaseStatus{}, err
	}
	s.report = Merge(s.report, h, w, time.Now())
	sent := time.Now()
	beat, err := e.beat(ctx, h, s.report)
	switch {
	case isSpent(err):
		e.leases.known.forget(string(h.Token))
		return sdk.LeaseStatus{}, LeaseLost()
	case err != nil:
		s.fresh = false
		return sdk.LeaseStatus{}, fault(err)
	case beat.GetActivityPaused(), beat.GetActivityReset(): // an operator took it back: the agent is to stop, and its work is kept
		if err := e.failAttempt(ctx, h.Token, h.AgentID, interruption(s.report)); err != nil && !isSpent(err) {
			return sdk.LeaseStatus{}, fault(err)
		}
		s.ended = true
		return sdk.LeaseStatus{}, LeaseLost()
	}
	s.fresh, s.spoke = true, true
	e.leases.keep(h, s)
	s.expires = sent.Add(time.Duration(h.HeartbeatMs) * time.Millisecond)
	e.tellProgress(ctx, h, s, w.Progress != nil)
	status = sdk.LeaseStatus{CancelRequested: beat.GetCancelRequested(), ExpiresAt: s.expires.UTC().Round(0)}
	if status.CancelRequested {
		if !s.asked {
			s.reason, s.asked = e.cancelReason(ctx, h)
		}
		status.Reason = s.reason
	}
	return status, nil
}

// Merge is a report of an attempt with an agent's word taken over. What the word leaves out stays as it was.
func Merge(r activities.AttemptReport, h activities.Hold, w activities.Word, now time.Time) activities.AttemptReport {
	began := h.StartedAt
	r.AgentID, r.StartedAt, r.N = h.AgentID, &began, allSignals
	if w.Progress != nil {
		p := w.Progress.Trim()
		if last := r.Progress; w.Without && last != nil {
			p.Percentage = last.Percentage
		}
		p.At, p.Stage, p.Attempt = now.UTC().Round(0), h.Stage, h.Attempt
		p.Overall = p.Percentage
		if last := r.Progress; last != nil {
			p.Overall = max(p.Overall, last.Overall)
			if !p.At.After(last.At) {
				p.At = last.At.Add(progressGap)
			}
		}
		r.Progress = &p
	}
	if len(w.Resume) > 0 {
		r.Resume = w.Resume
	}
	if w.Spent != nil {
		spent := sdk.Metrics{}.Plus(*w.Spent)
		r.Spent = &spent
	}
	return r
}

// recall makes s what Temporal knows of the attempt, where it is needed and may not be known here.
func (e *Engine) recall(ctx context.Context, h activities.Hold, s *leaseState, needed bool) error {
	if !needed || s.fresh && !e.cfg.SharedLeases {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	resp, err := e.temporal.DescribeWorkflowExecution(call, workflows.TaskWorkflowID(h.Project, h.TaskID), h.RunID)
	if isNotFound(err) {
		return nil // the heartbeat or the answer will say so
	}
	if err != nil {
		return fault(err)
	}
	for _, p := range resp.GetPendingActivities() {
		a, ok := e.decodeAttempt(p)
		if !ok || a.stage != h.Stage || a.number != h.Attempt || a.report == nil || a.report.StartedAt == nil || !a.report.StartedAt.Equal(h.StartedAt) {
			continue
		}
		s.report = *a.report
	}
	s.fresh = true
	return nil
}

// tellProgress signals the newest progress to the run, not more often than its history bears: what came too soon is told with a later word.
// The newest is always in the heartbeat. It returns when the signal has arrived, so that none is under way when the attempt's end is told.
func (e *Engine) tellProgress(ctx context.Context, h activities.Hold, s *leaseState, fresh bool) {
	e.settleOwed(ctx, h, s)
	s.due = s.due || fresh
	now := time.Now()
	if !s.due || s.report.Progress == nil || s.owed != nil || now.Sub(s.told) < max(signalLeast, now.Sub(h.TaskBegan)/signalPerTask) {
		return
	}
	s.told, s.due = now, false
	s.owed = &workflows.TaskProgressedInput{
		Stage: h.Stage, Attempt: h.Attempt, N: signalNumber(now.Sub(h.StartedAt)), Progress: *s.report.Progress,
	}
	e.settleOwed(ctx, h, s)
}

// signalNumber numbers a progress signal by when it is sent: it rises, whichever server sends.
func signalNumber(since time.Duration) int {
	return int(min(max(since.Milliseconds(), 0)+1, allSignals))
}

// settleOwed sends the signal of which it is not known whether it has arrived. The run takes each number once.
func (e *Engine) settleOwed(ctx context.Context, h activities.Hold, s *leaseState) {
	if s.owed == nil {
		return
	}
	call, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	err := e.temporal.SignalWorkflow(call, workflows.TaskWorkflowID(h.Project, h.TaskID), h.RunID, workflows.TaskProgressed.Name, *s.owed)
	if err == nil || !isUnreachable(err) && !isOverloaded(err) {
		s.owed = nil
	}
}

// cancelReason is why a task is cancelled; "" when nobody said, and known is false when that could not be looked up.
func (e *Engine) cancelReason(ctx context.Context, h activities.Hold) (reason string, known bool) {
	err := e.backwards(ctx, h, func(event *historyEvent) bool {
		signal := event.GetWorkflowExecutionSignaledEventAttributes()
		if signal.GetSignalName() != workflows.CancelRequested.Name {
			return false
		}
		var in workflows.CancelRequestedInput
		if e.cfg.DataConverter.FromPayloads(signal.GetInput(), &in) == nil {
			reason = in.Reason
		}
		return true
	})
	return reason, err == nil
}

// backwards reads the run of an attempt from its end, at most a few hundred events, until found.
func (e *Engine) backwards(ctx context.Context, h activities.Hold, found func(*historyEvent) bool) error {
	var next []byte
	for range historyPages {
		call, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
		page, err := e.temporal.WorkflowService().GetWorkflowExecutionHistoryReverse(call, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
			Namespace: e.cfg.Namespace, Execution: executionOf(h), MaximumPageSize: historyPage, NextPageToken: next,
		})
		cancel()
		if err != nil {
			return err
		}
		for _, event := range page.GetHistory().GetEvents() {
			if found(event) || event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED {
				return nil
			}
		}
		if next = page.GetNextPageToken(); len(next) == 0 {
			return nil
		}
	}
	return nil
}
