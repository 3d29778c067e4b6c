package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// aQueue was last asked for work so long ago, and has a backlog by priority key.
func aQueue(asked time.Duration, waiting map[int32]int64) *workflowservice.DescribeTaskQueueResponse {
	q := &workflowservice.DescribeTaskQueueResponse{StatsByPriorityKey: map[int32]*taskqueuepb.TaskQueueStats{}}
	if asked >= 0 {
		q.Pollers = []*taskqueuepb.PollerInfo{{Identity: "w", LastAccessTime: timestamppb.New(time.Now().Add(-asked))}}
	}
	for key, n := range waiting {
		q.StatsByPriorityKey[key] = &taskqueuepb.TaskQueueStats{ApproximateBacklogCount: n}
	}
	return q
}

// versioned is a queue that hands new runs to one version and is asked by another; "" is none.
func versioned(q *workflowservice.DescribeTaskQueueResponse, to, asks string) *workflowservice.DescribeTaskQueueResponse {
	q.VersioningInfo = &taskqueuepb.TaskQueueVersioningInfo{}
	if to != "" {
		q.VersioningInfo.CurrentDeploymentVersion = &deploymentpb.WorkerDeploymentVersion{DeploymentName: "d", BuildId: to}
	}
	if asks != "" {
		q.Pollers[0].DeploymentOptions = &deploymentpb.WorkerDeploymentOptions{
			DeploymentName: "d", BuildId: asks, WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED,
		}
	}
	return q
}

func TestWhyAQueuedTaskWaits(t *testing.T) {
	t.Parallel()
	const nobody = -1
	for name, tc := range map[string]struct {
		set            func(*testing.T, *oneRun)
		in             workflows.TaskInput
		queue          *workflowservice.DescribeTaskQueueResponse
		reason, detail string
		queues         []string
	}{
		"nobody polls": {queue: aQueue(nobody, map[int32]int64{3: 1}), reason: "no_agent", detail: "nobody asks for work of role coder", queues: []string{"p.coder"}},
		"nobody polls any more": {queue: aQueue(2*time.Minute, map[int32]int64{3: 3}), reason: "no_agent",
			detail: "nobody asks for work of role coder, and it is behind up to 2 others of role coder", queues: []string{"p.coder"}},
		"behind others": {queue: aQueue(time.Second, map[int32]int64{1: 4, 3: 27, 4: 100}), reason: "behind_others",
			detail: "behind up to 30 others of role coder", queues: []string{"p.coder"}},
		"the only one":       {queue: aQueue(time.Second, map[int32]int64{3: 1, 4: 9}), reason: "waiting_for_agent", detail: "no agent of role coder has taken it yet", queues: []string{"p.coder"}},
		"not counted yet":    {queue: aQueue(time.Second, nil), reason: "waiting_for_agent", detail: "no agent of role coder has taken it yet", queues: []string{"p.coder"}},
		"no word of a queue": {reason: "waiting_for_agent", detail: "no agent of role coder has taken it yet", queues: []string{"p.coder"}},
		"an agent that is away": {in: input(func(r *sdk.TaskRequest) { r.AgentID = "bob" }), queue: aQueue(nobody, nil), reason: "agent_away",
			detail: "agent bob of role coder does not ask for tasks addressed to it", queues: []string{"p.coder.bob"}},
		"behind others of an agent": {in: input(func(r *sdk.TaskRequest) { r.AgentID = "bob" }), queue: aQueue(time.Second, map[int32]int64{3: 9}), reason: "behind_others",
			detail: "behind up to 8 others addressed to agent bob", queues: []string{"p.coder.bob"}},
		"next for an agent": {in: input(func(r *sdk.TaskRequest) { r.AgentID = "bob" }), queue: aQueue(time.Second, nil), reason: "waiting_for_agent",
			detail: "agent bob of role coder has not taken it yet", queues: []string{"p.coder.bob"}},
		"no word of an agent's queue": {in: input(func(r *sdk.TaskRequest) { r.AgentID = "bob" }), reason: "waiting_for_agent",
			detail: "agent bob of role coder has not taken it yet", queues: []string{"p.coder.bob"}},
		"its next attempt is overdue": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, WaitingFor: &sdk.WaitingFor{Reason: "backing_off", NextAttemptAt: ptr(at(3))}})
		}, queue: aQueue(nobody, nil), reason: "no_control_worker", detail: "no control worker runs tasks", queues: []string{"rolecall"}},
		"its next attempt is to come": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, WaitingFor: &sdk.WaitingFor{Reason: "backing_off", NextAttemptAt: ptr(time.Now().Add(time.Hour))}})
		}, queue: aQueue(nobody, nil), reason: "backing_off"},
		"its question has run out": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusInputRequired, InputRequest: &sdk.InputRequest{ID: "q", ExpiresAt: at(3)}, WaitingFor: &sdk.WaitingFor{Reason: "waiting_for_input"}})
		}, queue: aQueue(nobody, nil), reason: "no_control_worker", detail: "no control worker runs tasks", queues: []string{"rolecall"}},
		"its question is open": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusInputRequired, InputRequest: &sdk.InputRequest{ID: "q", ExpiresAt: time.Now().Add(time.Hour)}, WaitingFor: &sdk.WaitingFor{Reason: "waiting_for_input"}})
		}, queue: aQueue(nobody, nil), reason: "waiting_for_input"},
		"a memo that speaks of an attempt that is over": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, WaitingFor: &sdk.WaitingFor{Reason: sdk.WaitingForAgent}})
		}, queue: aQueue(nobody, nil), reason: "waiting_for_agent"},
		"a fallback": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Stage: 1, AgentID: "the one before"})
			o.setAttempt(t, 1, 1, scheduled, nil)
		}, queue: aQueue(nobody, nil), reason: "no_agent", detail: "nobody asks for work of role debugger", queues: []string{"p.debugger"}},
		"nobody runs workflows": {set: func(*testing.T, *oneRun) {}, queue: aQueue(nobody, nil), reason: "no_control_worker", detail: "no control worker runs tasks", queues: []string{"rolecall"}},
		"the version of new ones is gone": {set: func(*testing.T, *oneRun) {}, queue: versioned(aQueue(time.Second, nil), "b1", ""), reason: "no_control_worker",
			detail: "no control worker is there of the version that gets new tasks", queues: []string{"rolecall"}},
		"another version runs": {set: func(*testing.T, *oneRun) {}, queue: versioned(aQueue(time.Second, nil), "b1", "b2"), reason: "no_control_worker",
			detail: "no control worker is there of the version that gets new tasks", queues: []string{"rolecall"}},
		"no version gets new ones": {set: func(*testing.T, *oneRun) {}, queue: versioned(aQueue(time.Second, nil), "", "b2"), reason: "no_control_worker",
			detail: "no control worker is there of the version that gets new tasks", queues: []string{"rolecall"}},
		"the version of new ones runs": {set: func(*testing.T, *oneRun) {}, queue: versioned(aQueue(time.Second, nil), "b1", "b1"), queues: []string{"rolecall"}},
		"its workflow is about to run": {set: func(*testing.T, *oneRun) {}, queue: aQueue(time.Second, nil), queues: []string{"rolecall"}},
		"it was just asked for": {set: func(t *testing.T, o *oneRun) {
			o.setAttempt(t, 0, 1, scheduled, nil)
			o.run.PendingActivities[0].ScheduledTime = timestamppb.New(time.Now().Add(time.Hour))
		}, queue: aQueue(nobody, nil), reason: "waiting_for_agent", detail: "no agent of role coder has taken it yet"},
		"it runs": {set: func(t *testing.T, o *oneRun) { o.setAttempt(t, 0, 1, started, nil) }, queue: aQueue(nobody, nil)},
		"its agent has no slot": {set: func(t *testing.T, o *oneRun) {
			o.setAttempt(t, 0, 1, started, &activities.AttemptReport{AgentID: "ann"})
		}, queue: aQueue(nobody, nil), reason: "waiting_for_slot", detail: "its agent has taken it and has no free slot yet"},
		"backing off": {set: func(t *testing.T, o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, WaitingFor: &sdk.WaitingFor{Reason: "backing_off"}})
		}, queue: aQueue(nobody, nil), reason: "backing_off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.in.ID == "" {
				tc.in = input()
			}
			if tc.set == nil {
				tc.set = func(t *testing.T, o *oneRun) { o.setAttempt(t, 0, 1, scheduled, nil) }
			}
			o := newOneRun(t, tc.in)
			tc.set(t, o)
			o.queue = tc.queue
			e := newTestEngine(t, o, Config{DescribeTTL: time.Nanosecond})
			for range 2 { // the second time from a describe of its own, and the same look at the queue
				task, err := e.GetTask(t.Context(), "p", "a")
				if err != nil {
					t.Fatal(err)
				}
				var got sdk.WaitingFor
				if task.WaitingFor != nil {
					got = *task.WaitingFor
				}
				if got.Reason != tc.reason || got.Detail != tc.detail {
					t.Errorf("%s: %s", got.Reason, got.Detail)
				}
			}
			if diff := cmp.Diff(tc.queues, slices.Clone(o.queues)); diff != "" {
				t.Errorf("looked at: %s", diff)
			}
		})
	}
}

// TestOnlyReadersLookAtQueues: a cancellation does not wait for a queue to be looked at.
func TestOnlyReadersLookAtQueues(t *testing.T) {
	t.Parallel()
	o := newOneRun(t, input())
	o.setAttempt(t, 0, 1, scheduled, nil)
	o.queue = aQueue(-1, nil)
	e := newTestEngine(t, o, Config{})
	if _, accepted, err := e.CancelTask(t.Context(), "p", "a", ""); err != nil || !accepted {
		t.Fatal(accepted, err)
	}
	if len(o.queues) != 0 {
		t.Errorf("looked at %v", o.queues)
	}
	// What the cancellation read serves the next reader, who is told all the same.
	describes, _, _, _, _ := o.counts()
	task, err := e.GetTask(t.Context(), "p", "a")
	if err != nil || task.WaitingFor.Reason != sdk.WaitingNoAgent {
		t.Errorf("%+v %v", task.WaitingFor, err)
	}
	if now, _, _, _, _ := o.counts(); now != describes {
		t.Error("the run was read again")
	}
}

// TestRoleFollowsTheStage: a task that has fallen back is its new role's, in a read as in a list.
func TestRoleFollowsTheStage(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*oneRun){
		"waiting": func(o *oneRun) { o.setAttempt(t, 1, 1, scheduled, nil) },
		"running": func(o *oneRun) { o.setAttempt(t, 1, 1, started, nil) },
		"between attempts": func(o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Stage: 1, Degraded: true})
		},
		"terminated, without a record": func(o *oneRun) {
			o.setState(t, workflows.TaskState{Status: sdk.StatusQueued, Stage: 1, Degraded: true})
			o.end(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, nil)
		},
	} {
		o := newOneRun(t, input())
		set(o)
		task, err := newTestEngine(t, o, Config{}).GetTask(t.Context(), "p", "a")
		if err != nil || task.Role != sdk.RoleDebugger || !task.Degraded {
			t.Errorf("%s: role %s, degraded %v, %v", name, task.Role, task.Degraded, err)
		}
	}
}
