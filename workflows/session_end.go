package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// closing begins the end of the session: it takes no task any more, the one that has its turn is to be stopped, and those that wait are
// cancelled. The first reason counts; false is that there was one before.
func (c *conversation) closing(reason sdk.CloseReason) bool {
	if c.session.Status != sdk.SessionOpen {
		return false
	}
	c.session.Status, c.session.CloseReason = sdk.SessionClosing, reason
	why := "the session was closed"
	c.stopCurrent(why)
	for len(c.queue) > 0 {
		c.drop(0, why)
	}
	return true
}

// closed ends the session. Nothing that comes later changes it.
func (c *conversation) closed(now time.Time) {
	c.session.Status, c.session.ClosedAt = sdk.SessionClosed, &now
	c.tell(now, sdk.EventSessionClosed, sdk.SessionEnded{
		SessionID: c.in.ID, Reason: c.session.CloseReason, CompletedTasks: c.session.CompletedTasks, FailedTasks: c.session.FailedTasks,
	})
}

// tellStarted tells of the session at the time when it was opened, or when its run started if that clock was ahead, or said what no event can.
func (c *conversation) tellStarted() {
	s := c.session
	c.tell(s.CreatedAt, sdk.EventSessionStarted, sdk.SessionStarted{
		SessionID: s.ID, CostTier: s.CostTier, OrchestratorModel: s.OrchestratorModel, ExecutorModel: s.ExecutorModel,
		QualityGates: s.QualityGates, ClientID: s.ClientID, Metadata: s.Metadata,
	})
}

// tell adds an event of the session's own.
func (c *conversation) tell(at time.Time, t sdk.EventType, data any) {
	c.seq++
	c.events = append(c.events, SessionEvent(c.in, c.seq, at, t, data))
}

// takeEvents answers the events of the session since the last call.
func (c *conversation) takeEvents() []sdk.Event {
	events := c.events
	c.events = nil
	return events
}

// record is the session as it leaves the run.
func (c *conversation) record() sdk.Session { return c.session }

// state is the part of the session that changes, for the memo.
func (c *conversation) state() SessionState {
	s := c.session
	return SessionState{
		Status: s.Status, CompletedTasks: s.CompletedTasks, FailedTasks: s.FailedTasks, LastActivityAt: s.LastActivityAt,
		ClosedAt: s.ClosedAt, CloseReason: s.CloseReason,
	}
}
