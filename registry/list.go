package registry

import (
	"context"
	"slices"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// List answers every agent of a project, by id.
func (r *Registry) List(ctx context.Context, project string) ([]sdk.Agent, error) {
	records, err := r.agents.List(ctx, agentKey(project, "*"))
	if err != nil {
		return nil, err
	}
	beats, polls, err := r.lives(ctx, project)
	if err != nil {
		return nil, err
	}
	list := make([]sdk.Agent, 0, len(records))
	now := r.cfg.Now()
	for _, e := range records {
		if rec := read[record](e.Value); rec.ID != "" {
			list = append(list, rec.agent(beats[e.Key], polls[e.Key], now))
		}
	}
	slices.SortFunc(list, func(a, b sdk.Agent) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// lives are the heartbeats and the asking for work of a project's agents, * is every project, by the agents' keys.
func (r *Registry) lives(ctx context.Context, project string) (map[string]beat, map[string]poll, error) {
	all, err := r.alive.List(ctx, project+".*.*")
	if err != nil {
		return nil, nil, err
	}
	beats, polls := make(map[string]beat, len(all)), map[string]poll{}
	for _, e := range all {
		project, id, what := parseKey(e.Key)
		switch what {
		case beatWord:
			beats[agentKey(project, id)] = read[beat](e.Value)
		case pollWord:
			polls[agentKey(project, id)] = read[poll](e.Value)
		}
	}
	return beats, polls, nil
}

// Find answers who can be addressed with a task of a role: an agent that registered as addressable, is not offline, has all of the
// capabilities and is none of except; idle ones before busy ones, and of those the one that has the fewest tasks. "" is nobody.
func (r *Registry) Find(ctx context.Context, project, role string, capabilities, except []string) (agentID string, err error) {
	records, err := r.agents.List(ctx, agentKey(project, "*"))
	if err != nil {
		return "", err
	}
	beats, _, err := r.lives(ctx, project)
	if err != nil {
		return "", err
	}
	var best *record
	var load [2]int
	for _, e := range records {
		rec := read[record](e.Value)
		if string(rec.Role) != role || !rec.Addressable || rec.Status == sdk.AgentOffline || rec.ID == "" || !rec.capable(capabilities) || slices.Contains(except, rec.ID) {
			continue
		}
		now := [2]int{0, len(beats[e.Key].Tasks)}
		if rec.Status == sdk.AgentBusy {
			now[0] = 1
		}
		if d := slices.Compare(now[:], load[:]); best == nil || d < 0 || d == 0 && rec.ID < best.ID {
			best, load = &rec, now
		}
	}
	if best == nil {
		return "", nil
	}
	return best.ID, nil
}
