package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/sdktest"
)

// An agent over HTTP works as one that the test put there: by its own calls, and by the worker of the SDK.
func TestAgentOverHTTP(t *testing.T) {
	t.Parallel()
	s := sdktest.New(t)
	c, ctx := s.Client(), t.Context()
	task, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Write", Retry: &sdk.Retry{InitialIntervalMs: 100}})
	if err != nil {
		t.Fatal(err)
	}
	claim := func() *sdk.Lease {
		t.Helper()
		lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000})
		if err != nil || lease == nil {
			t.Fatalf("claimed %v, %v", lease, err)
		}
		return lease
	}
	first := claim()
	if _, err := c.ReportLease(ctx, first.Token, sdk.LeaseProgress{Message: "half", Resume: json.RawMessage(`{"page":1}`)}); err != nil {
		t.Fatal(err)
	}
	s.Clock().Advance(20 * time.Second)
	if _, err := c.ReportLease(ctx, first.Token, sdk.LeaseProgress{}); err != nil { // which keeps it for 30 s more
		t.Fatal(err)
	}
	s.Clock().Advance(20 * time.Second)
	if now := s.Tasks()[0]; now.Status != sdk.StatusRunning || now.AgentID != "ada" || now.Progress.Message != "half" {
		t.Errorf("%s by %s, progress %+v", now.Status, now.AgentID, now.Progress)
	}
	s.Clock().Advance(11 * time.Second)
	if err := c.CompleteLease(ctx, first.Token, sdk.LeaseResult{}); !errors.Is(err, sdk.ErrLeaseLost) {
		t.Errorf("after it lapsed: %v", err)
	}
	second := claim()
	if second.Attempt != 2 || string(second.Resume) != `{"page":1}` {
		t.Errorf("attempt %d goes on from %s", second.Attempt, second.Resume)
	}
	if _, err := c.CancelTask(ctx, task.ID, "enough"); err != nil {
		t.Fatal(err)
	}
	if status, err := c.ReportLease(ctx, second.Token, sdk.LeaseProgress{}); err != nil || !status.CancelRequested || status.Reason != "enough" {
		t.Errorf("%+v, %v", status, err)
	}
	failure := sdk.LeaseFailure{Error: sdk.LeaseError{Code: "stopped", Message: "as told"}}
	for range 2 {
		if err := c.FailLease(ctx, second.Token, failure); err != nil {
			t.Error(err)
		}
	}
	if now := s.Tasks()[0]; now.Status != sdk.StatusCancelled || !*now.CancelConfirmed {
		t.Errorf("ended as %s, confirmed %v", now.Status, now.CancelConfirmed)
	}

	var log strings.Builder
	w, err := sdk.NewWorker(c, sdk.WorkerConfig{
		Roles: []sdk.Role{sdk.RoleTester}, AgentID: "bob", Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- w.StartProcessing(working, sdk.HandlerFunc(func(context.Context, *sdk.Assignment, sdk.Reporter) (*sdk.Result, error) {
			stop()
			return &sdk.Result{Output: json.RawMessage(`"done"`)}, nil
		}))
	}()
	registered(t, c, "bob")
	tested, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := c.WaitForTask(ctx, tested.ID); err != nil || done.Status != sdk.StatusCompleted || done.AgentID != "bob" {
		t.Errorf("%+v, %v", done, err)
	}
	if err := <-ended; err != nil || log.Len() > 0 {
		t.Errorf("%v, log: %s", err, &log)
	}
	if bob, err := c.Agent(ctx, "bob"); err != nil || bob.Status != sdk.AgentOffline || bob.Role != sdk.RoleTester {
		t.Errorf("in the registry: %+v, %v", bob, err)
	}
}

// registered waits until an agent is in the registry.
func registered(t *testing.T, c *sdk.Client, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := c.Agent(ctx, id); err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s is not in the registry", id)
		}
	}
}

// A lease that was claimed before the event log was opened is one after that, too.
func TestLeaseWhileTheLogIsOpened(t *testing.T) {
	t.Parallel()
	s := sdktest.New(t)
	c, ctx := s.Client(), t.Context()
	if _, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Write"}); err != nil {
		t.Fatal(err)
	}
	lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000})
	if err != nil || lease == nil {
		t.Fatal(lease, err)
	}
	if _, err := c.RegisterAgent(ctx, sdk.AgentRequest{ID: "ada", Name: "Ada", Role: sdk.RoleCoder}); err != nil {
		t.Fatal(err)
	}
	if err := c.CompleteLease(ctx, lease.Token, sdk.LeaseResult{Output: json.RawMessage(`1`)}); err != nil {
		t.Error(err)
	}
}

// An attempt that an agent gives back without a word on it is not one of the few that may be lost.
func TestLeaseGivenBackUntouched(t *testing.T) {
	t.Parallel()
	for name, spoke := range map[string]bool{"untouched": false, "after a word": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sdktest.New(t)
			c, ctx := s.Client(), t.Context()
			task, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Write"})
			if err != nil {
				t.Fatal(err)
			}
			for range 6 { // five may be
				lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000})
				if err != nil || lease == nil {
					t.Fatalf("claimed %v, %v", lease, err)
				}
				if spoke {
					if _, err := c.ReportLease(ctx, lease.Token, sdk.LeaseProgress{}); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.FailLease(ctx, lease.Token, sdk.LeaseFailure{Error: sdk.LeaseError{Code: sdk.CodeInterrupted, Message: "going"}}); err != nil {
					t.Fatal(err)
				}
				s.Clock().Advance(time.Minute) // beyond any backoff
			}
			if got, err := c.GetTask(ctx, task.ID); err != nil || (got.Status == sdk.StatusFailed) != spoke {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A task that needs capabilities goes over HTTP to an agent that can be addressed and has registered with them, and to no other.
func TestCapabilitiesOfAgentsOverHTTP(t *testing.T) {
	t.Parallel()
	s := sdktest.New(t)
	c, ctx := s.Client(), t.Context()
	for _, agent := range []sdk.AgentRequest{
		{ID: "able", Name: "Able", Role: sdk.RoleCoder, Capabilities: []string{"go", "sql"}, Addressable: true},
		{ID: "half", Name: "Half", Role: sdk.RoleCoder, Capabilities: []string{"go"}, Addressable: true},
		{ID: "shut", Name: "Shut", Role: sdk.RoleCoder, Capabilities: []string{"go", "sql"}},
	} {
		if _, err := c.RegisterAgent(ctx, agent); err != nil {
			t.Fatal(err)
		}
	}
	task, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "Write", Capabilities: []string{"sql"}})
	if err != nil {
		t.Fatal(err)
	}
	latest := time.Now().Add(30 * time.Second)
	claim := func(id string, waitMs int64) *sdk.Lease {
		t.Helper()
		lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: id, WaitMs: waitMs})
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	for _, id := range []string{"half", "shut", "stranger"} {
		if claim(id, 1) != nil {
			t.Errorf("%s has task %s", id, task.ID)
		}
	}
	for claim("able", 500) == nil { // the registry may have been too slow to say who it is
		if time.Now().After(latest) {
			t.Fatalf("nobody has task %s", task.ID)
		}
	}
}

// A lease from before the log was opened is one afterwards.
func TestALeaseOutlivesTheOpeningOfTheLog(t *testing.T) {
	t.Parallel()
	s := sdktest.New(t)
	c, ctx := s.Client(), t.Context()
	create(t, c)
	lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: "ada", WaitMs: 10_000})
	if err != nil || lease == nil {
		t.Fatalf("claimed %v, %v", lease, err)
	}
	log(t, c)
	if err := c.CompleteLease(ctx, lease.Token, sdk.LeaseResult{Output: json.RawMessage(`1`)}); err != nil {
		t.Error(err)
	}
	if task := s.Tasks()[0]; task.Status != sdk.StatusCompleted {
		t.Errorf("the task is %s", task.Status)
	}
}
