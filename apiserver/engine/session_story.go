package engine

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// metSession has the story of a closed session looked at that somebody reads, as [Engine.metStory] does.
func (e *Engine) metSession(r sessionRun) {
	if endedOutside(r.status) || time.Since(r.closed) >= storyRest {
		e.met(closedRun{kind: eventlog.KindSession, project: r.project, id: r.id, runID: r.runID})
	}
}

// endSession tells that a session has closed, unless the log has it, or has nothing of the session, or the run's own side will. later says
// that its own side still may.
func (e *Engine) endSession(c closedRun) (later bool, err error) {
	return e.endRun(c, "session", endsSessionStory, func(ctx context.Context) (runEnd, error) {
		seen, err := e.describeSession(ctx, c.project, c.id)
		return runEnd{
			runHead: seen.runHead,
			publishing: func(ctx context.Context) (bool, error) {
				left, _, err := e.goesOn(ctx, workflows.SessionEventsWorkflowID(seen.project, seen.id))
				return left, err
			},
			events: func(ctx context.Context) (func(eventlog.LastEvent) []sdk.Event, error) {
				return e.sessionEnd(ctx, seen)
			},
		}, err
	})
}

func endsSessionStory(t sdk.EventType) bool { return t == sdk.EventSessionClosed }

// sessionEnd answers what is to follow the last event of a closed session's story.
func (e *Engine) sessionEnd(ctx context.Context, seen sessionRun) (func(eventlog.LastEvent) []sdk.Event, error) {
	in, err := e.firstSessionInput(ctx, seen)
	return func(last eventlog.LastEvent) []sdk.Event {
		if last.Seq == 0 || endsSessionStory(last.Type) {
			return nil
		}
		s := seen.base()
		return []sdk.Event{e.stories.pass(workflows.SessionEvent(in, last.Seq+1, *s.ClosedAt, sdk.EventSessionClosed, sdk.SessionEnded{
			SessionID: seen.id, Reason: s.CloseReason, CompletedTasks: s.CompletedTasks, FailedTasks: s.FailedTasks,
		}))}
	}, err
}
