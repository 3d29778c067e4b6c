package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// closeUpdate is the id of the update that closes a session: every asking is the same one.
	closeUpdate = "close"
	// followRest is before a session is asked again that goes on as another run just then.
	followRest = 50 * time.Millisecond
)

// SendTask gives a session a task, which waits for those that were sent before it. in.TaskID is one of [workflows.SessionTaskID]; with a
// digest the same again is answered as replayed, and refused as idempotency_mismatch where the digest is another. One that was sent is
// answered also when its session has closed since. The session refuses it as conflict when it has closed, or is about to, and as
// rate_limited when too many wait.
func (e *Engine) SendTask(ctx context.Context, project, session string, in workflows.SendTaskInput) (task sdk.Task, replayed bool, err error) {
	in.CreatedAt, in.Nonce = time.Now().UTC().Round(0), rand.Text()
	if err := workflows.CheckSend(in); err != nil {
		return sdk.Task{}, false, fault(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	if in.Digest != "" { // it may have had its turn long ago, and the session has forgotten it
		task, err := e.replay(ctx, project, in.TaskID, in.Digest)
		if err == nil || !errors.Is(err, sdk.ErrNotFound) {
			return task, err == nil, err
		}
	}
	out, err := tellSession(ctx, e, workflows.SendTask, project, session, in.TaskID, in)
	if err != nil {
		return sdk.Task{}, false, err
	}
	e.forgetSession(project, session)
	if out.Nonce == in.Nonce && out.Task.Status == "" { // a run before took it, and its answer was lost
		task, err = e.GetTask(ctx, project, in.TaskID)
		return task, false, err
	}
	if out.Nonce == in.Nonce {
		return e.sentNow(project, out.Task), false, nil
	}
	if err := SameRequest("task", out.Digest, in.Digest); err != nil { // another asking with this id was taken
		return sdk.Task{}, false, err
	}
	task, err = e.GetTask(ctx, project, in.TaskID)
	return task, err == nil, err
}

// sentNow is a task that a session has taken, kept for its readers until it has a run.
func (e *Engine) sentNow(project string, t sdk.Task) sdk.Task {
	t.Links = e.links(project, t.ID, "")
	t = withLists(t)
	e.sent.put(workflows.TaskWorkflowID(project, t.ID), t, taskBytes(t), time.Now())
	return t
}

// CloseSession closes a session: its tasks are ended, and it takes no other one. One that has closed is answered as it is.
func (e *Engine) CloseSession(ctx context.Context, project, id string) (sdk.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	out, err := tellSession(ctx, e, workflows.CloseSession, project, id, closeUpdate, workflows.CloseSessionInput{})
	e.forgetSession(project, id)
	if err != nil && !errors.Is(err, sdk.ErrConflict) {
		return sdk.Session{}, err
	}
	seen, failed := e.describeSession(ctx, project, id)
	if failed != nil {
		return sdk.Session{}, fault(failed)
	}
	if !seen.isOpen() { // the answer is that of the first asking
		s, failed := e.sessionOf(ctx, seen)
		if failed != nil {
			return sdk.Session{}, fault(failed)
		}
		return s, nil
	}
	if err != nil {
		return sdk.Session{}, err
	}
	out.Session.Links = e.sessionLinks(project, id, "")
	return workflows.WithSessionLists(out.Session), nil
}

// tellSession sends a session an update of the given id, which is taken once, and again where the session goes on as another run just
// then. The error is an [sdk.Error]: the session's own refusal, conflict when it has closed, not_found where there is none.
func tellSession[In, Out any](
	ctx context.Context, e *Engine, u workflows.Update[In, Out], project, session, updateID string, in In,
) (out Out, err error) {
	for {
		out, err = update(ctx, e.temporal, u, client.UpdateWorkflowOptions{
			WorkflowID: workflows.SessionWorkflowID(project, session), UpdateID: updateID,
		}, in)
		if err == nil {
			return out, nil
		}
		if refused, ok := refusal(err); ok {
			return out, refused
		}
		if !isNotFound(err) && !endedMeanwhile(err) {
			return out, fault(err)
		}
		seen, failed := e.describeSession(ctx, project, session)
		if failed != nil {
			return out, fault(failed)
		}
		if !seen.isOpen() {
			return out, workflows.SessionOver()
		}
		select {
		case <-ctx.Done():
			return out, fault(context.Cause(ctx))
		case <-time.After(followRest):
		}
	}
}
