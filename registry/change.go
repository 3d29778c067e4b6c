package registry

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// changeTries is how often a change starts anew because another one changed the same record.
const changeTries = 8

// The reasons of a change of status.
const (
	reasonReported     = "reported"
	reasonMissed       = "heartbeats_missed"
	reasonRegistered   = "registered"
	reasonDeregistered = "deregistered"
)

// change changes an agent's record: how does, and answers whether there is anything to write. It is called anew where another one wrote in
// between. What the log is to be told of it is told before the call returns, or else soon.
func (r *Registry) change(ctx context.Context, project, id string, how func(*record) (bool, error)) (*record, error) {
	for range changeTries {
		rec, revision, err := r.find(ctx, project, id)
		if err != nil {
			return nil, err
		}
		tidied := len(rec.Untold) > 0
		if tidied { // else what is untold would grow while the log takes nothing
			if err := r.tell(ctx, project, rec); err != nil {
				return nil, err
			}
		}
		changed, err := how(rec)
		if err != nil || !changed && !tidied {
			return rec, err
		}
		err = r.save(ctx, project, rec, revision)
		if errors.Is(err, sdk.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.settle(ctx, project, rec)
		return rec, nil
	}
	return nil, busy()
}

func busy() error {
	e := sdk.Errorf(sdk.CodeUnavailable, "others change the same agent all the time; try again")
	e.RetryAfter = time.Second
	return e
}

// tell brings what is untold into the log, where each number is taken once, and notes it in the record, which is not saved.
func (r *Registry) tell(ctx context.Context, project string, rec *record) error {
	events := make([]sdk.Event, len(rec.Untold))
	for i, e := range rec.Untold {
		events[i] = r.cfg.Before(e)
	}
	err := r.events.AppendStory(ctx, project, eventlog.StoryPart{Story: story(rec.ID), Events: events, Acknowledged: rec.Told})
	if err != nil {
		return err
	}
	rec.Told += len(events)
	rec.Untold = nil
	return nil
}

// settle tells what is untold and clears it away. What fails is done by a later change, or by the next look at the record.
func (r *Registry) settle(ctx context.Context, project string, rec *record) {
	if len(rec.Untold) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx) // it is decided
	told := rec.Told + len(rec.Untold)
	if err := r.tell(ctx, project, rec); err != nil {
		r.log.WarnContext(ctx, "the event log was not told of an agent; it is told later", "project", project, "agent", rec.ID, "error", err)
		return
	}
	now, revision, err := r.find(ctx, project, rec.ID)
	if err != nil || len(now.Untold) == 0 || now.Untold[len(now.Untold)-1].Seq != told {
		return // it has gone, or has gone on
	}
	now.Told, now.Untold = told, nil
	if err := r.save(ctx, project, now, revision); err != nil && !errors.Is(err, sdk.ErrConflict) {
		r.log.WarnContext(ctx, "a record of an agent was not tidied up; that is done later", "project", project, "agent", rec.ID, "error", err)
	}
}

func story(id string) eventlog.Story { return eventlog.Story{Kind: eventlog.KindAgent, ID: id} }

// note adds an event to what is untold.
func (r *record) note(project string, t sdk.EventType, at time.Time, data any) error {
	e, err := r.event(project, t, at, data)
	if err != nil {
		return err
	}
	e.Seq = r.Told + len(r.Untold) + 1
	r.Untold = append(r.Untold, e)
	return nil
}

// event is an event of the agent.
func (r *record) event(project string, t sdk.EventType, at time.Time, data any) (sdk.Event, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return sdk.Event{}, sdk.Errorf(sdk.CodeInternal, "the data of %s: %v", t, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return sdk.Event{}, sdk.Errorf(sdk.CodeInternal, "an id for %s: %v", t, err)
	}
	return sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: id.String(), Source: "/projects/" + project + "/agents/" + r.ID, Type: t, Subject: "agent/" + r.ID,
		Time: at, DataContentType: "application/json", Organization: r.Organization, Project: project, Agent: r.ID, Data: raw,
	}, nil
}

// turn changes the status, and notes it.
func (r *record) turn(project string, to sdk.AgentStatus, reason string, seen, at time.Time) error {
	if r.Status == to {
		return nil
	}
	if seen.Before(r.LastSeenAt) {
		seen = r.LastSeenAt
	}
	from := r.Status
	r.Status, r.ChangedAt = to, at
	return r.note(project, sdk.EventAgentStatusChanged, at, sdk.AgentStatusChanged{
		AgentID: r.ID, Role: r.Role, From: from, To: to, Reason: reason, LastSeenAt: seen,
	})
}
