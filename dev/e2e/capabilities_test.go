package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// registered is a registry of agents that are addressable and there, in the order of their coming.
type registered struct {
	mu  sync.Mutex
	ids []string
	can map[string][]string
}

func (r *registered) add(id string, can ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids, r.can[id] = append(r.ids, id), can
}

// Find implements [activities.Agents].
func (r *registered) Find(ctx context.Context, project, role string, capabilities []string, except []string) (string, error) {
	r.mu.Lock()
	ids := slices.Clone(r.ids)
	r.mu.Unlock()
	for _, id := range ids {
		if able, err := r.Fits(ctx, project, role, id, capabilities); err != nil || able && !slices.Contains(except, id) {
			return id, err
		}
	}
	return "", nil
}

// Fits implements [activities.Agents].
func (r *registered) Fits(_ context.Context, _, role, agentID string, capabilities []string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	able := role == string(sdk.RoleCoder) && slices.Contains(r.ids, agentID)
	for _, c := range capabilities {
		able = able && slices.Contains(r.can[agentID], c)
	}
	return able, nil
}

// Free implements [activities.Agents]: everybody is, whatever is asked of them.
func (r *registered) Free(ctx context.Context, project, role string, capabilities []string, ids []string) (free []string, err error) {
	for _, id := range ids {
		if able, err := r.Fits(ctx, project, role, id, capabilities); err != nil {
			return nil, err
		} else if able {
			free = append(free, id)
		}
	}
	return free, nil
}

// TestATaskFindsAnAgentThatHasWhatItNeeds: it waits while there is nobody, and leaves one that does not take it for another one.
func TestATaskFindsAnAgentThatHasWhatItNeeds(t *testing.T) {
	t.Parallel()
	stack := dev.ForTest(t, dev.Options{NoControl: true})
	agents := &registered{can: map[string][]string{}}
	controlWithoutCache(t, stack, nil, agents)
	s := newScene(t, stack)
	target := &stackTarget{scene: s}
	answers := sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
		return &sdk.Result{Output: json.RawMessage(`true`)}, nil
	})
	target.Agent(sdk.RoleCoder, "plain", answers) // asks the role's queue, and has none of it
	agents.add("plain", "go")
	needs := func(can ...string) *sdk.Task {
		return s.delegate(nil, func(r *sdk.TaskRequest) { r.Capabilities, r.Timeouts.QueueMs = can, 600_000 })
	}
	task := needs("go", "sql")
	s.waitsFor(task.ID, sdk.WaitingNoCapable, "go, sql")
	vain := s.delegate(nil, func(r *sdk.TaskRequest) { r.Capabilities, r.Timeouts.QueueMs = []string{"lisp"}, 1500 })
	if got := s.ended(vain.ID); got.Status != sdk.StatusFailed || got.Result.Error.Code != sdk.CodeNoAgent {
		t.Errorf("it is %s: %+v", got.Status, got.Result)
	}
	wantChain(t, s.ended(vain.ID), "0.1 not_taken")

	agents.add("ghost", "go", "sql") // and never asks for work
	s.waitsFor(task.ID, sdk.WaitingAgentAway, "agent ghost of role coder")
	stopped := needs("go", "sql")
	s.waitsFor(stopped.ID, sdk.WaitingAgentAway, "agent ghost of role coder")
	s.cancel(stopped.ID)
	s.wantCancelled(stopped.ID, true)
	target.Agent(sdk.RoleCoder, "able", answers)
	agents.add("able", "sql", "go", "rust")
	// Who is asked for the first time has 30 s, and after that no longer than until another one is there.
	s.eventually("the one who does not take it left", patience+30*time.Second, func() error {
		now, err := s.client.GetTask(s.t.Context(), task.ID)
		if err == nil && !now.Status.Terminal() {
			err = fmt.Errorf("it is %s: %+v", now.Status, now.WaitingFor)
		}
		return err
	})
	got := s.ended(task.ID)
	wantChain(t, got, "0.1 completed")
	if got.AgentID != "able" || got.MaxAttempts != sdk.DefaultMaxAttempts {
		t.Errorf("%s has done it, in attempt %d of %d", got.AgentID, got.Attempt, got.MaxAttempts)
	}
	if got := s.ended(needs("rust").ID); got.AgentID != "able" {
		t.Errorf("%s has done the next one", got.AgentID)
	}
	if got := s.ended(needs("go").ID); got.AgentID != "plain" {
		t.Errorf("%s has done what the first one can", got.AgentID)
	}
}
