package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Find answers who can be addressed with a task of a role: an agent that registered as addressable, is not offline, has all of the
// capabilities and is none of except. Of those it is one with the most free slots, whichever of several. "" is nobody. What it knows is at
// most a second old, and whoever asks about a project within that time shares one look at it; who is answered has a free slot less until
// the agent's next heartbeat, for 30 s at most.
func (r *Registry) Find(ctx context.Context, project, role string, capabilities, except []string) (agentID string, err error) {
	seen, err := r.snapshot(ctx, project)
	if err != nil {
		return "", err
	}
	now := r.now()
	r.handed.mu.Lock()
	defer r.handed.mu.Unlock()
	most, equals := 0, 0
	for i := range seen.records {
		rec := &seen.records[i]
		if !rec.fits(sdk.Role(role), capabilities) || slices.Contains(except, rec.ID) {
			continue
		}
		switch free := r.free(project, rec, seen.beats[rec.ID], now); {
		case equals == 0 || free > most:
			agentID, most, equals = rec.ID, free, 1
		case free == most:
			if equals++; rand.IntN(equals) == 0 {
				agentID = rec.ID
			}
		}
	}
	if agentID != "" {
		r.handed.note(agentKey(project, agentID), now)
	}
	return agentID, nil
}

// Free answers those of ids that Find could answer and that have a free slot.
func (r *Registry) Free(ctx context.Context, project, role string, capabilities, ids []string) (free []string, err error) {
	seen, err := r.snapshot(ctx, project)
	if err != nil {
		return nil, err
	}
	now := r.now()
	r.handed.mu.Lock()
	defer r.handed.mu.Unlock()
	for i := range seen.records {
		rec := &seen.records[i]
		if slices.Contains(ids, rec.ID) && rec.fits(sdk.Role(role), capabilities) && r.free(project, rec, seen.beats[rec.ID], now) > 0 {
			free = append(free, rec.ID)
		}
	}
	return free, nil
}

// free is how many slots an agent has that are free, as far as is known; less than none where more was sent to it. One that says it is busy
// has a task at least.
func (r *Registry) free(project string, rec *record, b beat, now time.Time) int {
	used := rec.tasks(b).Count
	if rec.Status == sdk.AgentBusy {
		used = max(used, 1)
	}
	return rec.Slots - used - r.handed.since(agentKey(project, rec.ID), b.At, now)
}

// Fits reports whether Find could answer this very agent.
func (r *Registry) Fits(ctx context.Context, project, role, agentID string, capabilities []string) (bool, error) {
	rec, _, err := r.find(ctx, project, agentID)
	if errors.Is(err, sdk.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return rec.fits(sdk.Role(role), capabilities), nil
}

// fits reports whether the agent is there, can be addressed with tasks of a role, and has all of the capabilities.
func (r *record) fits(role sdk.Role, capabilities []string) bool {
	return r.Addressable && r.Status != sdk.AgentOffline && r.serves(role) && r.capable(capabilities)
}

// serves is [sdk.Agent.Serves] of the record's agent.
func (r *record) serves(role sdk.Role) bool {
	return sdk.Agent{Role: r.Role, Metadata: r.Metadata}.Serves(role)
}
