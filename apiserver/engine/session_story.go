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

// metSession has the story of a closed session looked at that somebody reads, as [Engine.metStory] does.
func (e *Engine) metSession(r sessionRun) {
	if e.cfg.Events == nil || !endedOutside(r.status) {
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

// endSession tells that a session has closed whose run was ended from outside, unless the log has it, or has nothing of the session.
func (e *Engine) endSession(c closedRun) error {
	if _, over := e.stories.over.get(c.runID); over {
		return nil
	}
	ctx, cancel := context.WithTimeout(e.life, storyTimeout)
	defer cancel()
	seen, err := e.describeSession(ctx, c.project, c.id)
	if err != nil || seen.isOpen() || seen.runID != c.runID || !endedOutside(seen.status) { // another run has taken its place
		return sessionGone(err)
	}
	in, err := e.firstSessionInput(ctx, seen)
	if err != nil {
		return fault(err)
	}
	n, err := e.cfg.Events.EndStory(ctx, c.project, eventlog.Story{Kind: eventlog.KindSession, ID: c.id}, func(last eventlog.LastEvent) []sdk.Event {
		if last.Seq == 0 || last.Type == sdk.EventSessionClosed {
			return nil
		}
		s := seen.base()
		return []sdk.Event{e.stories.pass(workflows.SessionEvent(in, last.Seq+1, seen.closed, sdk.EventSessionClosed, sdk.SessionEnded{
			SessionID: c.id, Reason: s.CloseReason, CompletedTasks: s.CompletedTasks, FailedTasks: s.FailedTasks,
		}))}
	})
	if err != nil {
		return fault(err)
	}
	if n > 0 {
		e.stories.ended.Inc()
		e.cfg.Logger.Info("ended the story of a session whose run was ended from outside", "session", c.id, "project", c.project, "run", c.runID)
	}
	e.stories.over.put(c.runID, struct{}{}, storySize, time.Now())
	return nil
}

// sessionGone is an error, unless it is that there is no such session any more.
func sessionGone(err error) error {
	if err == nil || fault(err).Code == sdk.CodeNotFound {
		return nil
	}
	return fault(err)
}
