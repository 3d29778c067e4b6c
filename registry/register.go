package registry

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Register registers an agent, in the place of the one with its id. The request is valid and has an id.
func (r *Registry) Register(ctx context.Context, project, organization string, request sdk.AgentRequest) (sdk.Agent, error) {
	for range changeTries {
		rec, revision, err := r.find(ctx, project, request.ID)
		switch {
		case errors.Is(err, sdk.ErrNotFound):
			if rec, err = r.first(ctx, project, request.ID); err != nil {
				return sdk.Agent{}, err
			}
		case err != nil:
			return sdk.Agent{}, err
		case len(rec.Untold) > 0:
			if err := r.tell(ctx, project, rec); err != nil {
				return sdk.Agent{}, err
			}
		}
		if err := r.roomFor(ctx, project, rec, request); err != nil {
			return sdk.Agent{}, err
		}
		if err := r.renew(project, organization, rec, request); err != nil {
			return sdk.Agent{}, err
		}
		err = r.save(ctx, project, rec, revision)
		if errors.Is(err, sdk.ErrConflict) {
			continue
		}
		if err != nil {
			return sdk.Agent{}, err
		}
		r.settle(ctx, project, rec)
		return r.answer(ctx, project, rec)
	}
	return sdk.Agent{}, busy()
}

// first is the record of an agent that is not registered: its story may have gone on before.
func (r *Registry) first(ctx context.Context, project, id string) (*record, error) {
	if err := r.makeRoom(ctx, project); err != nil {
		return nil, err
	}
	last, err := r.events.LastOf(ctx, project, story(id))
	if err != nil {
		return nil, err
	}
	return &record{ID: id, Told: last.Seq}, nil
}

// renew makes a record that of a request.
func (r *Registry) renew(project, organization string, rec *record, q sdk.AgentRequest) error {
	now, before, seen := r.now(), rec.Status, rec.LastSeenAt
	rec.Name, rec.Role, rec.Capabilities, rec.Metadata = q.Name, q.Role, q.Capabilities, q.Metadata
	rec.Slots, rec.Addressable, rec.Organization = max(q.Slots, 1), q.Addressable, organization
	rec.IntervalMs, rec.RegisteredAt, rec.LastSeenAt = r.cfg.Interval.Milliseconds(), now, now
	err := rec.note(project, sdk.EventAgentRegistered, now, sdk.AgentRegistered{
		AgentID: rec.ID, Name: rec.Name, Role: rec.Role, Capabilities: append([]string{}, rec.Capabilities...), Slots: rec.Slots,
		Addressable: rec.Addressable, Metadata: rec.Metadata, Status: sdk.AgentIdle,
	})
	rec.Registered = rec.Told + len(rec.Untold)
	if err != nil || before == "" {
		rec.Status, rec.ChangedAt = sdk.AgentIdle, now
		return err
	}
	rec.LastSeenAt = seen // for what the event says
	err = rec.turn(project, sdk.AgentIdle, reasonRegistered, seen, now)
	rec.LastSeenAt = now
	return err
}

// live writes a heartbeat, without its tasks where there is no room for them. It reports whether there was room at all: else the agent's record
// has to say that it is there.
func (r *Registry) live(ctx context.Context, project, id string, b beat) (bool, error) {
	err := r.put(ctx, project, id, b)
	if eventlog.NoRoom(err) && len(b.Tasks) > 0 {
		b.Tasks = nil
		err = r.put(ctx, project, id, b)
	}
	if eventlog.NoRoom(err) {
		r.noRoom(ctx, err)
		return false, nil
	}
	return err == nil, err
}

func (r *Registry) put(ctx context.Context, project, id string, b beat) error {
	value, err := json.Marshal(b)
	if err != nil {
		return sdk.Errorf(sdk.CodeInternal, "a heartbeat: %v", err)
	}
	return r.alive.Put(ctx, aliveKey(project, id, beatWord), value)
}

// Deregister removes an agent.
func (r *Registry) Deregister(ctx context.Context, project, id string) error {
	for range changeTries {
		if _, err := r.change(ctx, project, id, func(rec *record) (bool, error) {
			changed := rec.Status != sdk.AgentOffline
			return changed, rec.turn(project, sdk.AgentOffline, reasonDeregistered, rec.LastSeenAt, r.now())
		}); err != nil {
			return err
		}
		rec, revision, err := r.find(ctx, project, id)
		if err != nil {
			return err
		}
		if len(rec.Untold) > 0 { // removed, the record could not tell it any more
			if err := r.tell(ctx, project, rec); err != nil {
				return err
			}
		}
		if rec.Status != sdk.AgentOffline {
			continue // it came back in between
		}
		if err := r.erase(ctx, project, id, revision); !errors.Is(err, sdk.ErrConflict) {
			return err
		}
	}
	return busy()
}
