package registry

import (
	"context"
	"maps"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Heartbeat takes what an agent says of itself. The heartbeat is valid.
func (r *Registry) Heartbeat(ctx context.Context, project, id string, h sdk.AgentHeartbeat) (sdk.Agent, error) {
	rec, _, err := r.find(ctx, project, id)
	if err != nil {
		return sdk.Agent{}, err
	}
	last, err := r.alive.Get(ctx, aliveKey(project, id, beatWord))
	if err != nil {
		return sdk.Agent{}, err
	}
	b := rec.tasks(read[beat](last.Value))
	before := b.At
	b.At, b.Of = r.now(), rec.Registered
	if h.CurrentTasks != nil {
		b.take(h.CurrentTasks, r.roomForTasks(ctx, project, h.CurrentTasks))
	}
	if h.Status == sdk.AgentOffline {
		b.take(nil, 0)
	}
	if h.Metadata != nil && !maps.Equal(h.Metadata, rec.Metadata) {
		if err := r.roomFor(ctx, project, rec, h.Metadata); err != nil {
			return sdk.Agent{}, err
		}
	}
	written, err := r.live(ctx, project, id, b)
	if err != nil {
		return sdk.Agent{}, err
	}
	if status := wanted(h, rec, b); !written || status != rec.Status || h.Metadata != nil && !maps.Equal(h.Metadata, rec.Metadata) {
		rec, err = r.change(ctx, project, id, func(rec *record) (bool, error) {
			changed := !written || rec.Status != status
			if h.Metadata != nil && !maps.Equal(h.Metadata, rec.Metadata) {
				rec.Metadata, changed = h.Metadata, true
			}
			err := rec.turn(project, status, reasonReported, before, b.At)
			rec.LastSeenAt = b.At
			return changed, err
		})
		if err != nil {
			return sdk.Agent{}, err
		}
	}
	agent, err := r.answer(ctx, project, rec)
	if err == nil {
		r.announce(ctx, project, rec, agent)
	}
	return agent, err
}

// wanted is the status that a heartbeat asks for.
func wanted(h sdk.AgentHeartbeat, rec *record, b beat) sdk.AgentStatus {
	switch {
	case h.Status != "":
		return h.Status
	case h.CurrentTasks == nil && rec.Status != sdk.AgentOffline:
		return rec.Status
	case b.Count > 0:
		return sdk.AgentBusy
	default:
		return sdk.AgentIdle
	}
}

// announce tells those who follow the log now that an agent was heard of.
func (r *Registry) announce(ctx context.Context, project string, rec *record, a sdk.Agent) {
	e, err := rec.event(project, sdk.EventAgentHeartbeat, a.LastSeenAt, sdk.AgentSeen{
		AgentID: a.ID, Role: a.Role, Status: a.Status, CurrentTasks: a.CurrentTasks,
	})
	if err == nil {
		err = r.events.Announce(project, story(rec.ID), r.cfg.Before(e))
	}
	if err != nil {
		r.log.DebugContext(ctx, "a heartbeat was not announced", "project", project, "agent", rec.ID, "error", err)
	}
}
