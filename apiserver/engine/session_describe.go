package engine

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// sessionRun is what a describe says of a session's run.
type sessionRun struct {
	runHead
	opened *sdk.Session // as its memo has it; nil for a run that was started without one
	state  *workflows.SessionState
	digest string
	child  string // the task that has its turn
}

func (e *Engine) describeSession(ctx context.Context, project, id string) (sessionRun, error) {
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.SessionWorkflowID(project, id), "")
	if isNotFound(err) {
		return sessionRun{}, NoSuchSession()
	}
	if err != nil {
		return sessionRun{}, err
	}
	return e.decodeSession(project, id, resp)
}

func (e *Engine) decodeSession(project, id string, resp *workflowservice.DescribeWorkflowExecutionResponse) (sessionRun, error) {
	info := resp.GetWorkflowExecutionInfo()
	if info.GetType().GetName() != workflows.SessionWorkflow {
		return sessionRun{}, NoSuchSession()
	}
	r := sessionRun{runHead: headOf(project, id, info)}
	if err := e.decodeSessionMemo(&r, info.GetMemo()); err != nil {
		return r, err
	}
	for _, child := range resp.GetPendingChildren() {
		if in, taskID, ok := workflows.ParseTaskWorkflowID(child.GetWorkflowId()); ok && in == project {
			r.child = taskID
			break
		}
	}
	return r, nil
}

func (e *Engine) decodeSessionMemo(r *sessionRun, memo *commonpb.Memo) (err error) {
	if r.opened, err = memoField[sdk.Session](e, memo, workflows.MemoSession); err != nil {
		return err
	}
	if r.state, err = memoField[workflows.SessionState](e, memo, workflows.MemoSessionState); err != nil {
		return err
	}
	digest, err := memoField[string](e, memo, workflows.MemoDigest)
	if digest != nil {
		r.digest = *digest
	}
	return err
}

// sessionOf is the session behind a describe: of an open one what its run says, of a closed one its record.
func (e *Engine) sessionOf(ctx context.Context, r sessionRun) (sdk.Session, error) {
	s := r.base()
	if r.isOpen() {
		if asked, err := ask(e.life, e, e.queriesOfSessions, workflows.DescribeSession, workflows.SessionWorkflowID(r.project, r.id)); err == nil {
			s = asked
		} else {
			s.Stale = true
		}
	} else {
		event, err := e.closeEvent(ctx, workflows.SessionWorkflowID(r.project, r.id), r.runID)
		if err != nil {
			return sdk.Session{}, err
		}
		if record, ok := e.sessionRecord(event); ok {
			s = record
		}
		e.metSession(r)
	}
	s.ID, s.Links = r.id, e.sessionLinks(r.project, r.id, r.runID)
	return workflows.WithSessionLists(s), nil
}

// sessionRecord is the session's record in its run's close event; false where there is none. event may be nil.
func (e *Engine) sessionRecord(event *historypb.HistoryEvent) (s sdk.Session, ok bool) {
	completed := event.GetWorkflowExecutionCompletedEventAttributes()
	if completed == nil {
		return s, false
	}
	err := e.cfg.DataConverter.FromPayloads(completed.GetResult(), &s)
	return s, err == nil && s.Status == sdk.SessionClosed
}

// base is the session as its memo has it. One whose run was ended from outside has failed.
func (r sessionRun) base() sdk.Session {
	s := sdk.Session{ID: r.id, Status: sdk.SessionOpen, CreatedAt: r.started, LastActivityAt: r.started}
	if r.opened != nil {
		s = *r.opened
	}
	if r.state != nil {
		s.Status, s.CompletedTasks, s.FailedTasks = r.state.Status, r.state.CompletedTasks, r.state.FailedTasks
		s.LastActivityAt, s.ClosedAt, s.CloseReason = r.state.LastActivityAt, r.state.ClosedAt, r.state.CloseReason
	}
	if r.isOpen() {
		s.CurrentTaskID = r.child
		if s.Status == sdk.SessionClosed { // about to
			s.Status, s.ClosedAt = sdk.SessionClosing, nil
		}
		return workflows.WithSessionLists(s)
	}
	if s.ClosedAt == nil {
		closed := r.closed
		s.ClosedAt = &closed
	}
	if s.Status != sdk.SessionClosed && r.status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		s.CloseReason = sdk.CloseFailed
	}
	s.Status, s.CurrentTaskID, s.QueuedTasks = sdk.SessionClosed, "", 0
	return workflows.WithSessionLists(s)
}
