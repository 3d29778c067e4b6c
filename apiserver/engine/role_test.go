package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestLookAtRole(t *testing.T) {
	t.Parallel()
	run := newOneRun(t, workflows.TaskInput{Project: "shop", ID: "t", Request: sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "x"}})
	e := newEngine(run, Config{})
	defer e.Close()
	if got := e.LookAtRole(t.Context(), "bank", sdk.RoleCoder); !got.Unknown || got.Role != sdk.RoleCoder {
		t.Errorf("a queue of which there is no word: %+v", got)
	}
	now := time.Now().UTC().Round(0)
	poller := func(identity string, ago time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(now.Add(-ago))}
	}
	run.mu.Lock()
	run.queue = &workflowservice.DescribeTaskQueueResponse{
		Pollers: []*taskqueuepb.PollerInfo{poller("bob", 9*time.Second), poller("ann", time.Second), poller("bob", 2*time.Second), poller("gone", 2*time.Minute)},
		Stats:   &taskqueuepb.TaskQueueStats{ApproximateBacklogAge: durationpb.New(90 * time.Second)},
		StatsByPriorityKey: map[int32]*taskqueuepb.TaskQueueStats{
			1: {ApproximateBacklogCount: 2}, 3: {ApproximateBacklogCount: 5},
		},
	}
	run.mu.Unlock()
	want := sdk.RoleState{Role: sdk.RoleCoder, Waiting: 7, OldestMs: 90_000, Pollers: []sdk.Poller{
		{Identity: "ann", LastSeenAt: now.Add(-time.Second)}, {Identity: "bob", LastSeenAt: now.Add(-2 * time.Second)},
	}}
	if d := cmp.Diff(want, e.LookAtRole(t.Context(), "shop", sdk.RoleCoder)); d != "" {
		t.Error(d)
	}
	if got := run.queues[len(run.queues)-1]; got != "shop.coder" {
		t.Errorf("%s was looked at", got)
	}
}
