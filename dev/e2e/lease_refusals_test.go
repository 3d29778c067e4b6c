package e2e_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// A forged, truncated, replayed, expired and another project's lease: each is refused with its own code, and nothing else happens.
func TestLeasesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	ctx := t.Context()
	claim := func() *sdk.Lease {
		t.Helper()
		var lease *sdk.Lease
		s.eventually("claimed", patience, func() (err error) {
			if lease, err = s.client.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000}); err == nil && lease == nil {
				err = errors.New("no task yet")
			}
			return err
		})
		return lease
	}
	calls := func(c *sdk.Client, lease string) []error {
		_, progressed := c.ReportLease(ctx, lease, sdk.LeaseProgress{Message: "not mine"})
		return []error{
			progressed,
			c.CompleteLease(ctx, lease, sdk.LeaseResult{Output: json.RawMessage(`"forged"`)}),
			c.FailLease(ctx, lease, sdk.LeaseFailure{Error: sdk.LeaseError{Code: "forged", Message: "forged"}}),
			c.AskLease(ctx, lease, sdk.LeaseQuestion{Prompt: "forged"}),
		}
	}
	refused := func(what string, c *sdk.Client, lease string, with error) {
		t.Helper()
		for i, err := range calls(c, lease) {
			if !errors.Is(err, with) {
				t.Errorf("%s, call %d: %v, not %v", what, i, err, with)
			}
		}
	}
	task := s.delegate(script{}, func(r *sdk.TaskRequest) { r.Timeouts = nil }) // its lease is to last through all that follows
	lease := claim()
	other, err := sdk.NewClient(sdk.Config{URL: s.stack.URL(), ProjectID: s.project + "-other"})
	s.do(err)
	changed := []byte(lease.Token)
	changed[len(changed)/2] ^= 1
	refused("forged", s.client, "rl_"+strings.Repeat("A", 400), sdk.ErrNotFound)
	refused("changed", s.client, string(changed), sdk.ErrNotFound)
	refused("truncated", s.client, lease.Token[:len(lease.Token)-4], sdk.ErrNotFound)
	refused("without its prefix", s.client, strings.TrimPrefix(lease.Token, "rl_"), sdk.ErrNotFound)
	refused("another project's", other, lease.Token, sdk.ErrNotFound)
	if now := s.is("running", task.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusRunning }); now.AgentID != "ada" || now.Progress != nil {
		t.Errorf("after the refusals the task is %+v", now)
	}

	result := sdk.LeaseResult{Output: json.RawMessage(`{"a": 1, "b": 2}`)}
	s.do(s.client.CompleteLease(ctx, lease.Token, result))
	s.do(s.client.CompleteLease(ctx, lease.Token, result))
	refused("replayed", s.client, lease.Token, sdk.ErrLeaseLost)
	if done := s.ended(task.ID); done.Status != sdk.StatusCompleted || len(done.Attempts) != 1 || strings.Contains(string(done.Result.Output), "forged") {
		t.Errorf("the task ended as %s: %s", done.Status, chain(done))
	}

	expiring := s.delegate(script{})
	lapsed := claim()
	s.is("lost", expiring.ID, func(t *sdk.Task) bool { return len(t.Attempts) > 0 && t.Attempts[0].Outcome == sdk.OutcomeLost })
	refused("expired", s.client, lapsed.Token, sdk.ErrLeaseLost)
	again := claim()
	if again.Attempt != 2 || again.Task.ID != expiring.ID {
		t.Fatalf("claimed attempt %d of %s", again.Attempt, again.Task.ID)
	}
	refused("of the attempt before", s.client, lapsed.Token, sdk.ErrLeaseLost)
	s.do(s.client.FailLease(ctx, again.Token, sdk.LeaseFailure{Error: sdk.LeaseError{Code: "no_way", Message: "no way", Retryable: new(false)}}))
	if done := s.ended(expiring.ID); done.Status != sdk.StatusFailed || done.Result.Error.Code != "no_way" {
		t.Errorf("the task ended as %s: %+v", done.Status, done.Result)
	}
}
