package sdk_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestResolveDefaults states the contract's defaults in figures.
func TestResolveDefaults(t *testing.T) {
	t.Parallel()
	want := sdk.TaskRequest{
		Type: "code.write", Role: "coder", Title: "t", Priority: "medium",
		Retry:    &sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 1000, BackoffCoefficient: 2, MaxIntervalMs: 60000},
		Timeouts: &sdk.Timeouts{QueueMs: 0, AttemptMs: 3600000, TotalMs: 604800000, HeartbeatMs: 30000, InputMs: 86400000},
		Fallback: []sdk.Stage{},
	}
	got := sdk.TaskRequest{Type: "code.write", Title: "t"}.Resolve()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestResolveFallbackInherits(t *testing.T) {
	t.Parallel()
	got := sdk.TaskRequest{
		Type: "code.write", Title: "t",
		Retry:    &sdk.Retry{MaxAttempts: 5, InitialIntervalMs: 2000, BackoffCoefficient: 3, MaxIntervalMs: 9000},
		Timeouts: &sdk.Timeouts{QueueMs: 7000, AttemptMs: 8000, TotalMs: 9000, HeartbeatMs: 6000, InputMs: 5000},
		Fallback: []sdk.Stage{
			{},
			{Role: "reviewer", AgentID: "r1", Model: "small", Retry: &sdk.Retry{MaxAttempts: 1}, Timeouts: &sdk.StageTimeouts{AttemptMs: 1500}},
			{Retry: &sdk.Retry{MaxIntervalMs: 500}},
			{Retry: &sdk.Retry{InitialIntervalMs: 20000}},
		},
	}.Resolve().Fallback
	want := []sdk.Stage{
		{
			Role: "coder", Retry: &sdk.Retry{MaxAttempts: 5, InitialIntervalMs: 2000, BackoffCoefficient: 3, MaxIntervalMs: 9000},
			Timeouts: &sdk.StageTimeouts{QueueMs: 7000, AttemptMs: 8000, HeartbeatMs: 6000},
		},
		{
			Role: "reviewer", AgentID: "r1", Model: "small",
			Retry:    &sdk.Retry{MaxAttempts: 1, InitialIntervalMs: 2000, BackoffCoefficient: 3, MaxIntervalMs: 9000},
			Timeouts: &sdk.StageTimeouts{QueueMs: 7000, AttemptMs: 1500, HeartbeatMs: 6000},
		},
		{
			Role: "coder", Retry: &sdk.Retry{MaxAttempts: 5, InitialIntervalMs: 500, BackoffCoefficient: 3, MaxIntervalMs: 500},
			Timeouts: &sdk.StageTimeouts{QueueMs: 7000, AttemptMs: 8000, HeartbeatMs: 6000},
		},
		{
			Role: "coder", Retry: &sdk.Retry{MaxAttempts: 5, InitialIntervalMs: 20000, BackoffCoefficient: 3, MaxIntervalMs: 20000},
			Timeouts: &sdk.StageTimeouts{QueueMs: 7000, AttemptMs: 8000, HeartbeatMs: 6000},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestResolveTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]sdk.TaskRequest{
		"smallest": request(nil),
		"whole":    wholeRequest(),
		"no role":  {Type: "art.paint", Title: "t"},
		"short longest pause": request(func(r *sdk.TaskRequest) {
			r.Retry = &sdk.Retry{MaxIntervalMs: 200}
			r.Fallback = []sdk.Stage{{Retry: &sdk.Retry{MaxIntervalMs: 100}}}
		}),
	} {
		once := r.Resolve()
		if diff := cmp.Diff(once, once.Resolve()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestResolveSharesNothing changes every part of the resolved request and looks at the original.
func TestResolveSharesNothing(t *testing.T) {
	t.Parallel()
	r := wholeRequest()
	got := r.Resolve()
	got.Input[0], got.Budget[0], got.Capabilities[0], got.Metadata["ticket"] = '!', '!', "other", "other"
	got.Retry.MaxAttempts, got.Timeouts.QueueMs = 99, 99999
	got.Fallback[0].Role, got.Fallback[0].Retry.MaxAttempts, got.Fallback[0].Timeouts.QueueMs = "other", 99, 99999
	if diff := cmp.Diff(wholeRequest(), r); diff != "" {
		t.Error(diff)
	}
}

func TestPriorities(t *testing.T) {
	t.Parallel()
	for in, want := range map[sdk.Priority]sdk.Priority{
		"": "medium", "normal": "medium", "medium": "medium", "urgent": "critical", "critical": "critical", "low": "low", "high": "high",
	} {
		if got, ok := in.Canonical(); got != want || !ok {
			t.Errorf("Canonical(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []sdk.Priority{"asap", "High", " low"} {
		if got, ok := in.Canonical(); got != in || ok {
			t.Errorf("Canonical(%q) = %q, %v; want it back, and false", in, got, ok)
		}
	}
}

// TestTypes states the contract's table of types and their roles.
func TestTypes(t *testing.T) {
	t.Parallel()
	table := map[sdk.TaskType]sdk.Role{
		"code.write": "coder", "code.review": "reviewer", "code.refactor": "coder", "code.debug": "debugger", "code.test": "tester",
		"code.document": "documenter", "research.codebase": "researcher", "research.documentation": "researcher",
		"research.best_practices": "researcher", "plan.feature": "planner", "plan.architecture": "planner", "plan.migration": "planner",
		"devops.deploy": "devops", "devops.monitor": "devops", "devops.scale": "devops", "security.audit": "security", "security.fix": "security",
		"analyze": "coordinator", "validate": "coordinator", "reflect": "coordinator", "skills": "coordinator", "execute": "coder",
	}
	for kind, want := range table {
		if got, ok := kind.DefaultRole(); got != want || !ok || !kind.Valid() {
			t.Errorf("%s goes to %q, %v; want %q", kind, got, ok, want)
		}
	}
	if role, ok := sdk.TaskType("code.paint").DefaultRole(); ok {
		t.Errorf("code.paint goes to %q, want no default", role)
	}
	want := []sdk.Role{"coordinator", "coder", "reviewer", "tester", "documenter", "researcher", "planner", "debugger", "security", "devops"}
	var got []sdk.Role
	for _, r := range sdk.BuiltinRoles() {
		got = append(got, r.Role)
		if r.Description == "" || !r.Role.Valid() {
			t.Errorf("%q is not described or not valid", r.Role)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	for status, want := range map[sdk.Status]bool{
		"queued": false, "running": false, "input_required": false, "completed": true, "failed": true, "cancelled": true,
	} {
		if status.Terminal() != want {
			t.Errorf("%s: terminal is %v", status, !want)
		}
	}
}

// wholeRequest has every field set.
func wholeRequest() sdk.TaskRequest {
	return sdk.TaskRequest{
		Type: "code.write", Role: "coder", Title: "Implement user authentication", Description: "With sessions.",
		Input: json.RawMessage(`{"repo":"shop","files":["a.go"]}`), Priority: "high", AgentID: "coder-1", Capabilities: []string{"go"},
		Metadata: map[string]string{"ticket": "SHOP-1"}, ParentID: "p1", Detached: true, CorrelationID: "c-1", FairnessKey: "team-a",
		Budget:   json.RawMessage(`{"usd":1}`),
		Retry:    &sdk.Retry{MaxAttempts: 2, InitialIntervalMs: 500, BackoffCoefficient: 1.5, MaxIntervalMs: 5000},
		Timeouts: &sdk.Timeouts{QueueMs: 60000, AttemptMs: 120000, TotalMs: 600000, HeartbeatMs: 10000, InputMs: 30000},
		Fallback: []sdk.Stage{{
			Role: "debugger", AgentID: "d1", Model: "small",
			Retry:    &sdk.Retry{MaxAttempts: 1, InitialIntervalMs: 100, BackoffCoefficient: 1, MaxIntervalMs: 100},
			Timeouts: &sdk.StageTimeouts{QueueMs: 5000, AttemptMs: 50000, HeartbeatMs: 5000},
		}},
	}
}
