package engine

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// OpenSession starts the run of a session whose configuration is valid; what that leaves out is filled in. The digest is as in
// [Engine.CreateTask].
func (e *Engine) OpenSession(ctx context.Context, in workflows.SessionInput, digest string) (session sdk.Session, replayed bool, err error) {
	in.Config, in.CreatedAt = workflows.ResolveSession(in.Config, in.ModelOverrides), time.Now().UTC().Round(0)
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.CallTimeout)
	defer cancel()
	opened := workflows.NewSession(in, in.CreatedAt)
	run, err := e.temporal.ExecuteWorkflow(ctx, SessionStartOptions(in, opened, digest), workflows.SessionWorkflow, in)
	if _, taken := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); taken {
		session, err = e.replaySession(ctx, in.Project, in.ID, digest)
		return session, err == nil, err
	}
	if err != nil {
		return sdk.Session{}, false, fault(err)
	}
	opened.Links = e.sessionLinks(in.Project, in.ID, run.GetRunID())
	return opened, false, nil
}

// SessionStartOptions are how the run of a session is started: s is the session as it is opened, digest as in [Engine.OpenSession].
func SessionStartOptions(in workflows.SessionInput, s sdk.Session, digest string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.SessionWorkflowID(in.Project, in.ID),
		TaskQueue:                workflows.ControlQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		Memo:                     workflows.SessionStartMemo(s, digest),
		TypedSearchAttributes:    workflows.SessionStartAttributes(in.Project, s),
		StaticSummary:            workflows.SessionSummary(s),
		Priority:                 temporal.Priority{PriorityKey: workflows.PriorityKey(sdk.PriorityMedium), FairnessKey: in.FairnessKey},

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}

// replaySession answers the session that has the id already, when it came from the same request.
func (e *Engine) replaySession(ctx context.Context, project, id, digest string) (sdk.Session, error) {
	seen, err := e.describeSession(ctx, project, id)
	if err != nil {
		return sdk.Session{}, fault(err)
	}
	if err := SameRequest("session", seen.digest, digest); err != nil {
		return sdk.Session{}, err
	}
	s, err := e.sessionOf(ctx, seen)
	if err != nil {
		return sdk.Session{}, fault(err)
	}
	return s, nil
}

// GetSession answers a session as it stands: at most [Config.DescribeTTL] old while it is open, from its close event when it has closed.
// Where its run could not be asked in time, its counts and what it has learnt may be old, and it is stale.
func (e *Engine) GetSession(ctx context.Context, project, id string) (sdk.Session, error) {
	return e.readSession(ctx, project, id, e.sessions, "", e.sessionOf)
}

// GlanceAtSession answers whether a session is open, since when it is not, and what it was opened with, without asking its run anything: as
// [Engine.GetSession] but for counts and lists, which are those that its memo has, if any.
func (e *Engine) GlanceAtSession(ctx context.Context, project, id string) (sdk.Session, error) {
	return e.readSession(ctx, project, id, e.glimpses, glance, func(_ context.Context, r sessionRun) (sdk.Session, error) {
		if !r.isOpen() {
			e.metSession(r)
		}
		s := r.base()
		s.ID, s.Links = r.id, e.sessionLinks(r.project, r.id, r.runID)
		return s, nil
	})
}

// readSession answers a session from a cache, or from a describe of its run, as [readShared] does.
func (e *Engine) readSession(
	ctx context.Context, project, id string, known *cache[sdk.Session], flight string, of func(context.Context, sessionRun) (sdk.Session, error),
) (sdk.Session, error) {
	workflowID := workflows.SessionWorkflowID(project, id)
	return readShared(ctx, e, known, flight, workflowID, sessionBytes, func(s sdk.Session) bool { return s.Stale }, func(ctx context.Context) (sdk.Session, error) {
		seen, err := e.describeSession(ctx, project, id)
		if err != nil {
			return sdk.Session{}, err
		}
		return of(ctx, seen)
	})
}

// forgetSession makes the next reader look afresh.
func (e *Engine) forgetSession(project, id string) {
	workflowID := workflows.SessionWorkflowID(project, id)
	e.sessions.forget(workflowID)
	e.glimpses.forget(workflowID)
	e.flight.Forget(workflowID)
	e.flight.Forget(glance + workflowID)
}

func (e *Engine) sessionLinks(project, id, runID string) sdk.Links {
	return sdk.Links{Self: "/v1/sessions/" + id, UI: e.uiLink(workflows.SessionWorkflowID(project, id), runID)}
}

// sessionBytes is about what a session takes in memory.
func sessionBytes(s sdk.Session) int {
	n := 2048
	for k, v := range s.Metadata {
		n += 64 + len(k) + len(v)
	}
	for _, list := range [][]string{s.Lessons, s.FollowUps, s.EpisodeRefs} {
		for _, text := range list {
			n += 32 + len(text)
		}
	}
	return n
}
