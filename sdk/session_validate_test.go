package sdk_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// pathsOf are the paths of a refusal; nil for none.
func pathsOf(t *testing.T, err error) (paths []string) {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeInvalidInput {
		t.Fatalf("%T %v, want an *Error of code invalid_input", err, err)
	}
	for _, f := range e.Faults {
		if f.Message == "" {
			t.Errorf("the fault at %s has no message", f.Path)
		}
		paths = append(paths, f.Path)
	}
	return paths
}

// TestSessionBounds has every bound of a size at its last good and its first bad value.
func TestSessionBounds(t *testing.T) {
	t.Parallel()
	config := func(set func(*sdk.SessionConfig, int)) func(int) error {
		return func(n int) error {
			var c sdk.SessionConfig
			set(&c, n)
			return c.Validate()
		}
	}
	task := func(set func(*sdk.SessionTaskRequest, int)) func(int) error {
		return func(n int) error {
			r := sdk.SessionTaskRequest{Type: sdk.TypeExecute, Prompt: "do it", Context: &sdk.SessionContext{Memory: &sdk.Memory{}}}
			set(&r, n)
			return r.Validate()
		}
	}
	type T = sdk.SessionTaskRequest
	for _, tc := range []struct {
		path     string
		low, top int
		validate func(int) error
	}{
		{"$.orchestratorModel", 0, 256, config(func(c *sdk.SessionConfig, n int) { c.OrchestratorModel = text(n) })},
		{"$.executorModel", 0, 256, config(func(c *sdk.SessionConfig, n int) { c.ExecutorModel = text(n) })},
		{"$.clientId", 0, 128, config(func(c *sdk.SessionConfig, n int) { c.ClientID = text(n) })},
		{"$.idleTimeoutMs", 1000, 2592000000, config(func(c *sdk.SessionConfig, n int) { c.IdleTimeoutMs = int64(n) })},
		{"$.metadata", 0, 50, config(func(c *sdk.SessionConfig, n int) { c.Metadata = pairs(n) })},
		{"$.retry.maxAttempts", 0, 100, config(func(c *sdk.SessionConfig, n int) { c.Retry = &sdk.Retry{MaxAttempts: n} })},
		{"$.prompt", 3, 100000, task(func(r *T, n int) { r.Prompt = strings.Repeat("ä", n) })},
		{"$.maxPromptTokens", 0, 1000000, task(func(r *T, n int) { r.MaxPromptTokens = n })},
		{"$.context.episodes", 0, 50, task(func(r *T, n int) { r.Context.Episodes = slices.Repeat([]sdk.Episode{{ID: "e"}}, n) })},
		{"$.context.episodes[0].id", 1, 128, task(func(r *T, n int) { r.Context.Episodes = []sdk.Episode{{ID: text(n)}} })},
		{"$.context.episodes[0].summary", 0, 2048, task(func(r *T, n int) { r.Context.Episodes = []sdk.Episode{{ID: "e", Summary: text(n)}} })},
		{"$.context.episodes[0].outcome", 0, 256, task(func(r *T, n int) { r.Context.Episodes = []sdk.Episode{{ID: "e", Outcome: text(n)}} })},
		{"$.context.memory.goal", 0, 4096, task(func(r *T, n int) { r.Context.Memory.Goal = text(n) })},
		{"$.context.memory.discoveries", 0, 50, task(func(r *T, n int) { r.Context.Memory.Discoveries = list(n, 1) })},
		{"$.context.memory.discoveries[1]", 0, 2048, task(func(r *T, n int) { r.Context.Memory.Discoveries = []string{"", text(n)} })},
		{"$.context.memory.workingSet", 0, 50, task(func(r *T, n int) { r.Context.Memory.WorkingSet = list(n, 1) })},
		{"$.context.memory.workingSet[0]", 0, 2048, task(func(r *T, n int) { r.Context.Memory.WorkingSet = list(1, n) })},
		{"$.context.skillHints", 0, 50, task(func(r *T, n int) { r.Context.SkillHints = slices.Repeat([]sdk.SkillHint{{Name: "s"}}, n) })},
		{"$.context.skillHints[0].name", 1, 128, task(func(r *T, n int) { r.Context.SkillHints = []sdk.SkillHint{{Name: text(n)}} })},
		{"$.context.skillHints[0].successRate", 0, 1, task(func(r *T, n int) { r.Context.SkillHints = []sdk.SkillHint{{Name: "s", SuccessRate: float64(n)}} })},
		{"$.context.metadata", 0, 50, task(func(r *T, n int) { r.Context.Metadata = pairs(n) })},
		{"query.limit", 0, 200, func(n int) error { return sdk.SessionFilter{Limit: n}.Validate() }},
		{"query.clientId", 0, 128, func(n int) error { return sdk.SessionFilter{ClientID: text(n)}.Validate() }},
	} {
		for n, want := range map[int][]string{tc.low: nil, tc.top: nil, tc.top + 1: {tc.path}} {
			if diff := cmp.Diff(want, pathsOf(t, tc.validate(n))); diff != "" {
				t.Errorf("%s at %d: %s", tc.path, n, diff)
			}
		}
		if tc.low > 1 {
			if diff := cmp.Diff([]string{tc.path}, pathsOf(t, tc.validate(tc.low-1))); diff != "" {
				t.Errorf("%s at %d: %s", tc.path, tc.low-1, diff)
			}
		}
	}
}

// TestSessionFaultsComeAtOnce: a caller learns all that is wrong.
func TestSessionFaultsComeAtOnce(t *testing.T) {
	t.Parallel()
	config := sdk.SessionConfig{CostTier: "cheap", IdleTimeoutMs: 1, ClientID: "a b", Retry: &sdk.Retry{MaxAttempts: -1}, Metadata: map[string]string{"": "x"}}
	if diff := cmp.Diff([]string{"$.costTier", "$.retry.maxAttempts", "$.idleTimeoutMs", "$.clientId", `$.metadata[""]`}, pathsOf(t, config.Validate())); diff != "" {
		t.Error(diff)
	}
	task := sdk.SessionTaskRequest{
		Type: "art.paint", Prompt: " \n ", Priority: "asap",
		Context: &sdk.SessionContext{
			Episodes: []sdk.Episode{{}}, SkillHints: []sdk.SkillHint{{SuccessRate: math.NaN()}}, Metadata: map[string]string{text(65): "x"},
		},
	}
	want := []string{
		"$.role", "$.prompt", "$.context.episodes[0].id", "$.context.skillHints[0].name", "$.context.skillHints[0].successRate",
		`$.context.metadata["` + text(64) + `"]`, "$.priority",
	}
	if diff := cmp.Diff(want, pathsOf(t, task.Validate())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"query.clientId", "query.status", "query.limit"}, pathsOf(t, sdk.SessionFilter{ClientID: "/", Status: "idle", Limit: -1}.Validate())); diff != "" {
		t.Error(diff)
	}
	if got := pathsOf(t, sdk.SessionTaskRequest{}.Validate()); !slices.Equal(got, []string{"$.type", "$.prompt"}) {
		t.Errorf("an empty request: %v", got)
	}
	if got := pathsOf(t, sdk.SessionTaskRequest{Type: "art.paint", Role: "painter", Prompt: "a\xffbc"}.Validate()); !slices.Equal(got, []string{"$.prompt"}) {
		t.Errorf("a prompt that is no text: %v", got)
	}
}

// TestSessionDefaults states the contract's defaults in figures, and the models of each tier.
func TestSessionDefaults(t *testing.T) {
	t.Parallel()
	retry := &sdk.Retry{MaxAttempts: 3, InitialIntervalMs: 1000, BackoffCoefficient: 2, MaxIntervalMs: 60000}
	want := sdk.SessionConfig{
		CostTier: "free", OrchestratorModel: "ollama", ExecutorModel: "ollama", Retry: retry, Fallback: new(true), IdleTimeoutMs: 1800000,
	}
	got := sdk.SessionConfig{}.Resolve()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, got.Resolve()); diff != "" {
		t.Errorf("resolved twice: %s", diff)
	}
	for tier, want := range map[sdk.CostTier][2]string{
		"free": {"ollama", "ollama"}, "hybrid": {"ollama", "claude-sonnet-4"}, "premium": {"claude-sonnet-4", "claude-sonnet-4"},
	} {
		got := sdk.SessionConfig{CostTier: tier}.Resolve()
		if got.OrchestratorModel != want[0] || got.ExecutorModel != want[1] {
			t.Errorf("%s: %s and %s, want %v", tier, got.OrchestratorModel, got.ExecutorModel, want)
		}
	}
	own := sdk.SessionConfig{
		CostTier: "premium", ExecutorModel: "mine", Retry: &sdk.Retry{MaxAttempts: 1}, Fallback: new(false), IdleTimeoutMs: 5000, Metadata: map[string]string{"a": "1"},
	}.Resolve()
	if own.ExecutorModel != "mine" || own.OrchestratorModel != "claude-sonnet-4" || own.Retry.MaxAttempts != 1 || own.Retry.MaxIntervalMs != 60000 || *own.Fallback || own.IdleTimeoutMs != 5000 {
		t.Errorf("%+v", own)
	}
	for tier, want := range map[sdk.CostTier]sdk.CostTier{"premium": "hybrid", "hybrid": "free", "free": ""} {
		if lower, ok := tier.Below(); lower != want || ok != (want != "") {
			t.Errorf("below %s: %q, %v", tier, lower, ok)
		}
	}
}
