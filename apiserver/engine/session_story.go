package engine

import (
	"context"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// runOfSession is the run of a session that was ended from outside.
func runOfSession(info *workflowpb.WorkflowExecutionInfo) (closedRun, bool) {
	project, id, ok := workflows.ParseSessionWorkflowID(info.GetExecution().GetWorkflowId())
	return closedRun{project: project, id: id, runID: info.GetExecution().GetRunId(), session: true}, ok
}

// publisherOfSession is the run of the session whose last events a publisher did not bring into the log.
func publisherOfSession(info *workflowpb.WorkflowExecutionInfo) (closedRun, bool) {
	project, id, ok := workflows.ParseSessionEventsWorkflowID(info.GetExecution().GetWorkflowId())
	return closedRun{project: project, id: id, session: true}, ok
}

// metSession has the story of a closed session looked at that somebody reads, as [Engine.metStory] does.
func (e *Engine) metSession(r sessionRun) {
	if e.cfg.Events == nil || !endedOutside(r.status) && time.Since(r.closed) < storyRest {
		return
	}
	if _, over := e.stories.over.get(r.runID); over {
		return
	}
	select {
	case e.stories.read <- closedRun{project: r.project, id: r.id, runID: r.runID, session: true}:
	default:
	}
}

// endSession tells that a session has closed, unless the log has it, or has nothing of the session, or the run's own side will. later says
// that its own side still may.
func (e *Engine) endSession(c closedRun) (later bool, err error) {
	if _, over := e.stories.over.get(c.runID); over && c.runID != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(e.life, storyTimeout)
	defer cancel()
	seen, err := e.describeSession(ctx, c.project, c.id)
	if err != nil || seen.isOpen() || c.runID != "" && seen.runID != c.runID { // another run has taken its place
		return false, sessionGone(err)
	}
	if !endedOutside(seen.status) {
		if left, err := e.publishingSession(ctx, seen); left || err != nil {
			return true, sessionGone(err)
		}
	}
	in, err := e.firstSessionInput(ctx, seen)
	if err != nil {
		return false, fault(err)
	}
	n, err := e.cfg.Events.EndStory(ctx, c.project, eventlog.Story{Kind: eventlog.KindSession, ID: c.id}, func(last eventlog.LastEvent) []sdk.Event {
		if last.Seq == 0 || last.Type == sdk.EventSessionClosed {
			return nil
		}
		s := seen.base()
		return []sdk.Event{e.stories.pass(workflows.SessionEvent(in, last.Seq+1, *s.ClosedAt, sdk.EventSessionClosed, sdk.SessionEnded{
			SessionID: c.id, Reason: s.CloseReason, CompletedTasks: s.CompletedTasks, FailedTasks: s.FailedTasks,
		}))}
	})
	if err != nil {
		return false, fault(err)
	}
	if n > 0 {
		e.stories.ended.Inc()
		e.cfg.Logger.Info("ended the story of a session whose run did not, or which the log had lost the end of", "session", c.id, "project", c.project, "run", seen.runID)
	}
	e.stories.over.put(seen.runID, struct{}{}, storySize, time.Now())
	return false, nil
}

// publishingSession reports whether a session that closed by itself may still have that told by its own side.
func (e *Engine) publishingSession(ctx context.Context, seen sessionRun) (bool, error) {
	if time.Since(seen.closed) < storyRest {
		return true, nil
	}
	left, _, err := e.goesOn(ctx, workflows.SessionEventsWorkflowID(seen.project, seen.id))
	return left, err
}

// sessionGone is an error, unless it is that there is no such session any more.
func sessionGone(err error) error {
	if err == nil || fault(err).Code == sdk.CodeNotFound {
		return nil
	}
	return fault(err)
}
