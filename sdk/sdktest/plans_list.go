package sdktest

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/rolecall-dev/rolecall/sdk"
)

func (p *plan) place() place { return placeOf(p.number, p.ended) }

// ListPlans implements [apiserver.Plans].
func (e *engine) ListPlans(_ context.Context, project string, filter sdk.PlanFilter, cursor string) (sdk.PlanPage, error) {
	page := sdk.PlanPage{Items: []sdk.Plan{}}
	e.mu.Lock()
	defer e.seen()
	chosen, next, err := turn("plans/"+project+"/"+string(filter.Status), cursor, filter.Limit, func(from position) []*plan {
		return e.chosenPlans(project, filter, from)
	})
	for _, p := range chosen {
		item := p.record()
		item.Stale = p.ended == 0 // the service makes its lists of what a run has last written
		item.Outputs = map[string]json.RawMessage{}
		for i := range item.Steps {
			item.Steps[i].Output, item.Steps[i].OutputOmitted = nil, false
		}
		page.Items = append(page.Items, item)
	}
	page.NextCursor = next
	return page, err
}

// chosenPlans are those that a filter chooses, in the order of a list.
func (e *engine) chosenPlans(project string, filter sdk.PlanFilter, from position) []*plan {
	return inOrder(maps.Values(e.plans), from, func(p *plan) bool {
		if p.in.Project != project {
			return false
		}
		now := p.course.Plan().Status
		return filter.Status == "" || filter.Status == now || filter.Status == sdk.StatusOpen && !now.Terminal()
	})
}
