package registry

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/rolecall-dev/rolecall/sdk"
)

// makeRoom removes the agent that has been offline longest where a project has as many as it may; where none is offline it refuses.
func (r *Registry) makeRoom(ctx context.Context, project string) error {
	all, err := r.agents.List(ctx, agentKey(project, "*"))
	if err != nil || len(all) < sdk.MaxAgents {
		return err
	}
	var oldest *record
	var revision uint64
	for _, e := range all {
		rec := read[record](e.Value)
		if rec.Status == sdk.AgentOffline && len(rec.Untold) == 0 && (oldest == nil || rec.ChangedAt.Before(oldest.ChangedAt)) {
			oldest, revision = &rec, e.Revision
		}
	}
	if oldest == nil {
		return sdk.Errorf(sdk.CodeConflict, "the project has %d agents already; deregister one that is not needed", sdk.MaxAgents)
	}
	err = r.erase(ctx, project, oldest.ID, revision)
	if errors.Is(err, sdk.ErrConflict) {
		return busy()
	}
	return err
}

// roomFor refuses what would be written into a record where the project's records would take more than projectBytes with it. What the others
// take is known from at most a second ago.
func (r *Registry) roomFor(ctx context.Context, project string, rec *record, said any) error {
	value, err := json.Marshal(said)
	if err != nil {
		return sdk.Errorf(sdk.CodeInternal, "what an agent says: %v", err)
	}
	seen, err := r.snapshot(ctx, project)
	if err != nil {
		return err
	}
	total := len(value)
	for id, bytes := range seen.bytes {
		if id != rec.ID {
			total += bytes
		}
	}
	if total > projectBytes {
		return sdk.Errorf(sdk.CodeConflict, "the agents of the project take more than %d MiB together; deregister some that are not needed, or register less metadata",
			projectBytes>>20)
	}
	return nil
}

// roomForTasks is how many bytes of ids of tasks are kept of a heartbeat that names these. Few need no look at the project's other agents.
func (r *Registry) roomForTasks(ctx context.Context, project string, tasks []string) int {
	bytes := 0
	for _, id := range tasks {
		bytes += idBytes(id)
	}
	if bytes <= leastTaskBytes {
		return leastTaskBytes
	}
	seen, err := r.snapshot(ctx, project)
	if err != nil {
		return leastTaskBytes
	}
	return taskBytes(len(seen.records))
}

// noRoom tells the log, once in a while, that heartbeats go into records.
func (r *Registry) noRoom(ctx context.Context, err error) {
	now := r.now()
	r.mu.Lock()
	again := now.Sub(r.crampedAt) >= crampedRest
	if again {
		r.crampedAt = now
	}
	r.mu.Unlock()
	if again {
		r.log.WarnContext(ctx, "there is no room for heartbeats of agents; they go into the agents' records, which costs more", "error", err)
	}
}

// erase removes a record of a revision, and then what is known of the agent's life.
func (r *Registry) erase(ctx context.Context, project, id string, revision uint64) error {
	if err := r.agents.Remove(ctx, agentKey(project, id), revision); err != nil {
		return err
	}
	r.shared.drop(project)
	r.asked.forget(caller{project, id})
	if err := r.alive.Erase(context.WithoutCancel(ctx), aliveKey(project, id, "*")); err != nil {
		r.log.DebugContext(ctx, "the heartbeat of an agent that is gone stays for a while", "project", project, "agent", id, "error", err)
	}
	return nil
}
