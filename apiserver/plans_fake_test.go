package apiserver

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const okPlan = `{"title":"Write it","steps":[{"id":"write","type":"code.write","title":"Write it"},{"id":"review","type":"code.review","title":"Review it","needs":["write"]}]}`

// memoryPlans keeps plans in memory, with the engine's rules about ids and digests, so that the HTTP side can be tested alone.
type memoryPlans struct {
	mu      sync.Mutex
	plans   map[string]sdk.Plan
	digests map[string]string
	created []workflows.PlanInput
	filter  sdk.PlanFilter // of the last list
	reason  string         // of the last cancellation
	failure error
	waiting chan struct{} // one for each wait that began
}

func newMemoryPlans() *memoryPlans {
	return &memoryPlans{plans: map[string]sdk.Plan{}, digests: map[string]string{}, waiting: make(chan struct{}, 16)}
}

// plansOf are those of a test's server.
func plansOf(t testing.TB, s *Server) *memoryPlans {
	t.Helper()
	m, ok := s.cfg.Plans.(*memoryPlans)
	if !ok {
		t.Fatalf("the server's plans are %T", s.cfg.Plans)
	}
	return m
}

func (m *memoryPlans) put(project string, plan sdk.Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.plans[project+"/"+plan.ID] = plan
}

func (m *memoryPlans) CreatePlan(_ context.Context, in workflows.PlanInput, digest string) (sdk.Plan, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := in.Project + "/" + in.ID
	if m.failure != nil {
		return sdk.Plan{}, false, m.failure
	}
	if first, taken := m.plans[key]; taken {
		if m.digests[key] != digest {
			return sdk.Plan{}, false, sdk.Errorf(sdk.CodeIdempotencyMismatch, "another body")
		}
		return first, true, nil
	}
	plan := sdk.Plan{
		ID: in.ID, Title: in.Request.Title, Goal: in.Request.Goal, Status: sdk.StatusQueued, CreatedAt: time.Now(), Links: sdk.Links{Self: "/v1/plans/" + in.ID},
	}
	m.plans[key], m.digests[key], m.created = plan, digest, append(m.created, in)
	return plan, false, nil
}

func (m *memoryPlans) GetPlan(_ context.Context, project, id string) (sdk.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	plan, ok := m.plans[project+"/"+id]
	switch {
	case m.failure != nil:
		return sdk.Plan{}, m.failure
	case !ok:
		return sdk.Plan{}, sdk.Errorf(sdk.CodeNotFound, "no such plan")
	}
	return plan, nil
}

func (m *memoryPlans) WaitPlan(ctx context.Context, project, id string, wait time.Duration) (sdk.Plan, error) {
	m.waiting <- struct{}{}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return m.GetPlan(ctx, project, id)
}

func (m *memoryPlans) GlanceAtPlan(ctx context.Context, project, id string) (sdk.Plan, error) {
	return m.GetPlan(ctx, project, id)
}

// ListPlans answers the project's plans, and knows one cursor.
func (m *memoryPlans) ListPlans(_ context.Context, project string, filter sdk.PlanFilter, cursor string) (sdk.PlanPage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter = filter
	page := sdk.PlanPage{Items: []sdk.Plan{}}
	if cursor != "" && cursor != "more" {
		return page, invalid([]sdk.Fault{{Path: "query.cursor", Message: "is not one of this filter"}})
	}
	for key, plan := range m.plans {
		if key == project+"/"+plan.ID {
			page.Items = append(page.Items, plan)
		}
	}
	return page, m.failure
}

func (m *memoryPlans) CancelPlan(ctx context.Context, project, id, reason string) (sdk.Plan, bool, error) {
	plan, err := m.GetPlan(ctx, project, id)
	m.mu.Lock()
	m.reason = reason
	m.mu.Unlock()
	return plan, err == nil && !plan.Status.Terminal(), err
}
