package engine

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	sweepBack  = 24 * time.Hour  // how far back the first sweep looks
	sweepAgain = 5 * time.Minute // how far back each later one looks again: visibility is behind
	sweepPage  = 200
	sweepPages = 50 // of each of the lists, in one sweep
)

// sweep ends the stories of all runs that were ended from outside since the last one that went well. The first looks a day back, and each
// later one as far as the run whose story it could not end yet, but no further than a day.
func (e *Engine) sweep() {
	began := time.Now()
	e.stories.silent = false
	since := quote(e.stories.since.Add(-sweepAgain).UTC().Format(time.RFC3339Nano))
	const outside = " AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime >= "
	tasks := "WorkflowType = " + quote(workflows.TaskWorkflow) + outside + since
	above := "WorkflowType IN (" + quote(workflows.SessionWorkflow) + ", " + quote(workflows.PlanWorkflow) + ")" + outside + since // of which there are fewer
	publishers := "WorkflowType = " + quote(workflows.PublishEventsWorkflow) + " AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed', 'Canceled') AND CloseTime >= " + since
	putOff, err := e.sweepList(above, began, runOf)
	if err == nil {
		putOff, err = e.sweepList(tasks, putOff, runOf)
	}
	if err == nil {
		putOff, err = e.sweepList(publishers, putOff, runOfPublisher)
	}
	switch {
	case e.life.Err() != nil:
	case err == nil:
		e.stories.since, e.stories.troubled = putOff, false
		if most := began.Add(-sweepBack); putOff.Before(most) {
			e.stories.since = most
		}
	case !e.stories.troubled:
		e.cfg.Logger.Warn("runs that were ended from outside could not all be looked after; trying again", "error", err)
		e.stories.troubled = true
	}
}

// sweepList ends the stories of the runs that a query finds. Its answer is now, or when the first of those ended whose story has to be ended
// later. That there are more than its pages hold is said; those are looked after when they are read. Its error is that Temporal or the log
// is away.
func (e *Engine) sweepList(query string, now time.Time, of func(*workflowpb.WorkflowExecutionInfo) (closedRun, bool)) (putOff time.Time, err error) {
	putOff = now
	var token []byte
	for range sweepPages {
		resp, err := e.sweepPage(query, token)
		if err != nil {
			return putOff, err
		}
		for _, info := range resp.GetExecutions() {
			c, ok := of(info)
			if !ok {
				continue
			}
			switch later, err := e.endStory(c); {
			case err == nil:
				if later {
					putOff = earlier(putOff, info)
				}
			case errors.Is(err, sdk.ErrRateLimited): // of its project, or its story, alone
				putOff = earlier(putOff, info)
			case e.life.Err() != nil || errors.Is(err, sdk.ErrUnavailable):
				return putOff, err
			default:
				e.cfg.Logger.Error("the story of a run can not be ended", "id", c.id, "project", c.project, "error", err)
				e.stories.over.put(c.runID, struct{}{}, storySize, time.Now())
			}
		}
		if token = resp.GetNextPageToken(); len(token) == 0 {
			return putOff, nil
		}
	}
	e.cfg.Logger.Warn("too many runs were ended from outside to look after all of them; the oldest are looked after when they are read", "most", sweepPages*sweepPage)
	return putOff, nil
}

// earlier is when a run was closed, where that is before t.
func earlier(t time.Time, info *workflowpb.WorkflowExecutionInfo) time.Time {
	if closed := info.GetCloseTime().AsTime(); closed.Before(t) {
		return closed
	}
	return t
}

func (e *Engine) sweepPage(query string, token []byte) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(e.life, e.cfg.CallTimeout)
	defer cancel()
	return e.temporal.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: e.cfg.Namespace, PageSize: sweepPage, NextPageToken: token, Query: query,
	})
}

// runOf is the run of a task, a session or a plan that was ended from outside.
func runOf(info *workflowpb.WorkflowExecutionInfo) (c closedRun, ok bool) {
	workflowID, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	if project, id, ok := workflows.ParseSessionWorkflowID(workflowID); ok {
		return closedRun{kind: eventlog.KindSession, project: project, id: id, runID: runID}, true
	}
	if project, id, ok := workflows.ParsePlanWorkflowID(workflowID); ok {
		return closedRun{kind: eventlog.KindPlan, project: project, id: id, runID: runID}, true
	}
	project, id, ok := workflows.ParseTaskWorkflowID(workflowID)
	return closedRun{project: project, id: id, runID: runID}, ok
}

// runOfPublisher is the run of the task, session or plan whose story a publisher did not finish.
func runOfPublisher(info *workflowpb.WorkflowExecutionInfo) (c closedRun, ok bool) {
	workflowID := info.GetExecution().GetWorkflowId()
	if project, id, ok := workflows.ParseSessionEventsWorkflowID(workflowID); ok {
		return closedRun{kind: eventlog.KindSession, project: project, id: id}, true
	}
	if project, id, part, ok := workflows.ParsePlanEventsPartID(workflowID); ok {
		return closedRun{kind: eventlog.KindPlan, project: project, id: id, part: part}, true
	}
	project, id, part, ok := workflows.ParseEventsWorkflowID(workflowID)
	return closedRun{project: project, id: id, part: part}, ok
}
