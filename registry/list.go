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
