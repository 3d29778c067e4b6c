package engine

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

type historyEvent = historypb.HistoryEvent

// youngAttempt is how long after its start an attempt that ends well is not looked at again for what another server was told of it: its
// first progress is in its run already.
const youngAttempt = time.Second

// EndAttempt ends an attempt as its agent says. The same ending again is no error; another one, and one that comes too late, is
// [LeaseLost].
func (e *Engine) EndAttempt(ctx context.Context, h activities.Hold, end activities.Ending) (err error) {
	defer func() { e.leases.metrics.answered(h.Role, err) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*e.cfg.CallTimeout)
	defer cancel()
	end.Digest = activities.AttemptID(h.Stage, h.Attempt) + " " + end.Digest // a run may end several of its attempts alike
	s := e.leases.of(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		if s.digest == end.Digest {
			return nil
		}
		return LeaseLost()
	}
	young := s.fresh && end.Result != nil && time.Since(h.StartedAt) < youngAttempt
	if err := e.recall(ctx, h, s, !young); err != nil {
		return err
	}
	e.settleOwed(ctx, h, s)
	untouched := Untouched(end, h, s.heard(), time.Now())
	s.report = Merge(s.report, h, end.Word, time.Now())
	report := s.report
	report.Digest = end.Digest
	if untouched {
		report.StartedAt = nil
	}
	err = e.respond(ctx, h, end, report)
	if err == nil {
		e.leases.metrics.over(h.Role, end)
	}
	if isSpent(err) {
		same, unread := e.endedSo(ctx, h, end.Digest)
		if unread != nil {
			return fault(unread)
		}
		if !same {
			return LeaseLost()
		}
		err = nil
	}
	if err != nil {
		return fault(err)
	}
	s.ended, s.digest, s.report = true, end.Digest, activities.AttemptReport{}
	e.leases.keep(h, s)
	return nil
}

// Untouched reports whether an attempt is given back of which its agent has said nothing, before (heard) or now: an agent that is about to
// stop got it, and never began. Its report has no start then. A hold as old as its lease is long was kept by a word, maybe to another server.
func Untouched(end activities.Ending, h activities.Hold, heard bool, now time.Time) bool {
	given := end.Failure != nil && end.Failure.Code == sdk.CodeInterrupted
	silent := !heard && end.Word.Progress == nil && len(end.Word.Resume) == 0 && end.Word.Spent == nil
	return given && silent && now.Sub(h.StartedAt) < time.Duration(h.HeartbeatMs)*time.Millisecond
}

// respond tells Temporal how an attempt ended.
func (e *Engine) respond(ctx context.Context, h activities.Hold, end activities.Ending, report activities.AttemptReport) error {
	call, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	report, failure := AnswerOf(end, report)
	if failure != nil {
		return e.failAttempt(call, h.Token, h.AgentID, failure)
	}
	payloads, err := e.cfg.DataConverter.ToPayloads(report)
	if err != nil {
		return err
	}
	_, err = e.temporal.WorkflowService().RespondActivityTaskCompleted(call, &workflowservice.RespondActivityTaskCompletedRequest{
		Namespace: e.cfg.Namespace, TaskToken: h.Token, Identity: h.AgentID, Result: payloads,
	})
	return err
}

// AnswerOf is what Temporal is told of an attempt that ended so, when report is what was known of it: a report, or an error that carries
// it (see [activities.ExecuteTaskName]).
func AnswerOf(end activities.Ending, report activities.AttemptReport) (activities.AttemptReport, error) {
	switch {
	case end.Failure != nil:
		fault := end.Failure.Trim()
		report.Details = fault.Details
		return report, temporal.NewApplicationErrorWithOptions(fault.Message, string(fault.Code), temporal.ApplicationErrorOptions{
			NonRetryable: !end.Failure.Retryable, NextRetryDelay: end.Failure.RetryAfter, Details: []any{report},
		})
	case end.Result != nil:
		result := *end.Result
		if spent := report.Spent; spent != nil {
			result.Metrics = result.Metrics.Or(*spent)
		}
		report.Result, report.Resume, report.Spent = &result, nil, nil
	default:
		report.InputRequired = end.Question
	}
	return report, nil
}

// endingOf is the report with which an attempt ended.
func (e *Engine) endingOf(event *historyEvent) (report activities.AttemptReport, ok bool) {
	if done := event.GetActivityTaskCompletedEventAttributes(); done != nil {
		return report, e.cfg.DataConverter.FromPayloads(done.GetResult(), &report) == nil
	}
	if gone := event.GetActivityTaskFailedEventAttributes(); gone != nil {
		app, is := errors.AsType[*temporal.ApplicationError](e.failures.FailureToError(gone.GetFailure()))
		return report, is && app.Details(&report) == nil
	}
	return report, false
}

// executionOf is the run of an attempt.
func executionOf(h activities.Hold) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: workflows.TaskWorkflowID(h.Project, h.TaskID), RunId: h.RunID}
}
