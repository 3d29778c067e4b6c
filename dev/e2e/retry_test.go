package e2e_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestRetryIsOfTheFirstRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	s.worker("ann", dev.Worker{Roles: []sdk.Role{sdk.RoleCoder, sdk.RoleDebugger}})
	first := s.delegate(script{"0.1": {"until:go", "fail:broken:final"}, "1.1": {"fail:broken:final"}}, func(r *sdk.TaskRequest) {
		r.Fallback = []sdk.Stage{{Role: sdk.RoleDebugger}}
		r.Description, r.Metadata = string(slices.Repeat([]byte("long "), 1000)), map[string]string{"a": "1"}
	})
	if _, err := s.client.RetryTask(t.Context(), first.ID); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("a retry while it runs: %v", err)
	}
	s.touch("go")
	failed := s.ended(first.ID)
	wantChain(t, failed, "0.1 failed", "1.1 failed")

	again, err := s.client.RetryTask(t.Context(), first.ID, sdk.IdempotencyKey("again"))
	s.do(err)
	if again.RetryOf != first.ID || again.ID == first.ID || again.Role != sdk.RoleCoder {
		t.Errorf("the new task is %s for %s, of %q", again.ID, again.Role, again.RetryOf)
	}
	same, err := s.client.RetryTask(t.Context(), first.ID, sdk.IdempotencyKey("again"))
	s.do(err)
	if same.ID != again.ID {
		t.Errorf("the same key made %s and %s", again.ID, same.ID)
	}
	if _, err := s.client.RequestCode(t.Context(), "another", sdk.IdempotencyKey("again")); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("the key for another task: %v", err)
	}
	second := s.ended(again.ID)
	wantChain(t, second, "0.1 failed", "1.1 failed")
	type request struct {
		Type               sdk.TaskType
		Title, Description string
		Input              string
		Metadata           map[string]string
		Retry              sdk.Retry
		Timeouts           sdk.Timeouts
		Fallback           []sdk.Stage
		Capabilities       []string
	}
	of := func(k *sdk.Task) request {
		return request{k.Type, k.Title, k.Description, string(k.Input), k.Metadata, k.Retry, k.Timeouts, k.Fallback, k.Capabilities}
	}
	if diff := cmp.Diff(of(failed), of(second)); diff != "" {
		t.Error(diff)
	}
	if len(second.Description) != 5000 || second.RetryOf != first.ID {
		t.Errorf("%d letters of %q", len(second.Description), second.RetryOf)
	}
}
