package engine

import (
	"testing"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// lookFor adds an open look for an agent.
func (o *oneRun) lookFor(t testing.TB, id string, nobody bool) {
	o.run.PendingActivities = append(o.run.PendingActivities, &workflowpb.PendingActivityInfo{
		ActivityId: id, ActivityType: &commonpb.ActivityType{Name: activities.FindAgentName}, State: enumspb.PENDING_ACTIVITY_STATE_STARTED,
		ScheduledTime: timestamppb.New(at(3)), HeartbeatDetails: payloads(t, activities.FindAgentReport{Nobody: nobody}),
	})
}

// TestATaskThatAnAgentIsLookedForWaits: a look beside an ask, and one that was given up and has not ended yet, say nothing of the task.
func TestATaskThatAnAgentIsLookedForWaits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		set             func(*testing.T, *oneRun)
		reason, agentID string
	}{
		"a look":            {func(t *testing.T, o *oneRun) { o.lookFor(t, "find-0.1", false) }, sdk.WaitingForControl, ""}, // nobody serves that queue
		"that finds none":   {func(t *testing.T, o *oneRun) { o.lookFor(t, "find-0.1", true) }, sdk.WaitingNoCapable, ""},
		"one beside an ask": {func(t *testing.T, o *oneRun) { o.lookFor(t, "another-0.1.2", true) }, sdk.WaitingAgentAway, "ada"},
		"the next look": {func(t *testing.T, o *oneRun) {
			o.lookFor(t, "another-0.1.2", false)
			o.lookFor(t, "find-0.1", true)
			o.lookFor(t, "another-0.1.3", false)
		}, sdk.WaitingNoCapable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOneRun(t, input(func(r *sdk.TaskRequest) { r.Capabilities = []string{"go"} }))
			o.queue = aQueue(-1, nil)
			if tc.agentID != "" {
				o.setAttempt(t, 0, 1, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, nil)
				o.run.PendingActivities[0].ActivityOptions = &activitypb.ActivityOptions{
					TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.AgentQueue("p", sdk.RoleCoder, tc.agentID)},
				}
			}
			tc.set(t, o)
			task, err := newTestEngine(t, o, Config{}).GetTask(t.Context(), "p", "a")
			if err != nil || task.WaitingFor == nil || task.WaitingFor.Reason != tc.reason || task.WaitingFor.AgentID != tc.agentID {
				t.Errorf("it waits for %+v, %v; want %s of %q", task.WaitingFor, err, tc.reason, tc.agentID)
			}
		})
	}
}
