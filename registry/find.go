package registry

import (
	"context"
	"errors"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Find answers who can be addressed with a task of a role: an agent that registered as addressable, is not offline, has all of the
// capabilities and is none of except; idle ones before busy ones, and of those the one that has the fewest tasks. "" is nobody. What it
// knows is at most a second old, and whoever asks about a project within that time shares one look at it.
func (r *Registry) Find(ctx context.Context, project, role string, capabilities, except []string) (agentID string, err error) {
	seen, err := r.snapshot(ctx, project)
	if err != nil {
		return "", err
	}
	var best *record
	var load [2]int
	for i := range seen.records {
		rec := &seen.records[i]
		if !rec.fits(sdk.Role(role), capabilities) || slices.Contains(except, rec.ID) {
			continue
		}
		now := [2]int{0, rec.tasks(seen.beats[rec.ID]).Count}
		if rec.Status == sdk.AgentBusy {
			now[0] = 1
		}
		if d := slices.Compare(now[:], load[:]); best == nil || d < 0 || d == 0 && rec.ID < best.ID {
			best, load = rec, now
		}
	}
	if best == nil {
		return "", nil
	}
	return best.ID, nil
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
