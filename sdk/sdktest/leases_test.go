package sdktest_test

import (
	"context"
	"encoding/json"
	"errors"
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

	w, err := sdk.NewWorker(c, sdk.WorkerConfig{Roles: []sdk.Role{sdk.RoleTester}, AgentID: "bob"})
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
	tested, err := c.CreateTask(ctx, sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := c.WaitForTask(ctx, tested.ID); err != nil || done.Status != sdk.StatusCompleted || done.AgentID != "bob" {
		t.Errorf("%+v, %v", done, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
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
	for _, id := range []string{"half", "shut", "stranger", "able"} {
		lease, err := c.Claim(ctx, sdk.RoleCoder, sdk.ClaimRequest{AgentID: id, WaitMs: 1})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := lease != nil, id == "able"; got != want {
			t.Errorf("%s has task %s: %t", id, task.ID, got)
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
