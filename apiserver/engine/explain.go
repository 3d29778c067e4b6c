package engine

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	// freshPoll is how recently somebody must have asked a queue for work to count: a poll lasts up to a minute.
	freshPoll = 90 * time.Second
	// explainAfter is how long a task has waited before its queue is looked at: most are taken sooner.
	explainAfter = 500 * time.Millisecond
	// queueTimeout bounds a look at a queue; without one the task is answered all the same.
	queueTimeout = 2 * time.Second
	// queueTTL is how long a look at a queue serves.
	queueTTL   = time.Second
	queueBytes = 4 << 20
)

// queueSeen is what a look at a task queue says.
type queueSeen struct {
	polled   bool            // somebody asked it for work lately who is given any
	passedBy bool            // somebody asked it lately who is given none, being of another version
	waiting  map[int32]int64 // by priority key; about, and up to 5 s old
}

// ahead is about how many others wait before one of this priority, or beside it.
func (q queueSeen) ahead(priority int32) int64 {
	n := int64(-1) // itself
	for key, waiting := range q.waiting {
		if key <= priority {
			n += waiting
		}
	}
	return max(n, 0)
}

// explain says of a task that waits in a queue what it waits for there. Where the queue can not be looked at, t stays as it is.
func (e *Engine) explain(ctx context.Context, r run, t *sdk.Task) {
	if t.Status != sdk.StatusQueued {
		return
	}
	switch {
	case t.WaitingFor == nil && r.pending == nil && time.Since(r.started) >= explainAfter:
		q, err := e.queue(ctx, workflows.ControlQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		if err == nil && !q.polled {
			t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForControl, Since: r.started, Detail: "no control worker runs tasks"}
			if q.passedBy {
				t.WaitingFor.Detail = "no control worker is there of the version that gets new tasks"
			}
		}
	case t.WaitingFor != nil && t.WaitingFor.Reason == sdk.WaitingForAgent && time.Since(r.pending.scheduled) >= explainAfter:
		role, agentID := r.addressee()
		name := workflows.RoleQueue(r.project, role)
		if agentID != "" {
			name = workflows.AgentQueue(r.project, role, agentID)
		}
		if q, err := e.queue(ctx, name, enumspb.TASK_QUEUE_TYPE_ACTIVITY); err == nil {
			t.WaitingFor.Reason, t.WaitingFor.Detail = q.reason(role, agentID, int32(workflows.PriorityKey(t.Priority))) //nolint:gosec // 1 to 5
		}
	}
}

// reason is why a task of this priority waits in the queue of a role, or of an agent.
func (q queueSeen) reason(role sdk.Role, agentID string, priority int32) (reason, detail string) {
	others := ""
	ahead := q.ahead(priority)
	if ahead > 0 {
		others = fmt.Sprintf("behind up to %d others of role %s", ahead, role)
	}
	switch {
	case !q.polled && agentID != "":
		reason, detail = sdk.WaitingAgentAway, fmt.Sprintf("agent %s of role %s does not ask for tasks addressed to it", agentID, role)
	case !q.polled:
		reason, detail = sdk.WaitingNoAgent, fmt.Sprintf("nobody asks for work of role %s", role)
	case ahead > 0:
		return sdk.WaitingBehind, others
	default:
		return sdk.WaitingForAgent, fmt.Sprintf("no agent of role %s has taken it yet", role)
	}
	if others != "" {
		detail += ", and it is " + others
	}
	return reason, detail
}

// addressee is whose queue the pending attempt stands in: a role's, or that of one agent of it.
func (r run) addressee() (sdk.Role, string) {
	t := r.memo.Task
	if s := r.pending.stage; s > 0 && s <= len(t.Fallback) {
		return t.Fallback[s-1].Role, t.Fallback[s-1].AgentID
	}
	return t.Role, t.AgentID
}

// queue looks at a task queue; whoever asks within queueTTL shares the look.
func (e *Engine) queue(ctx context.Context, name string, kind enumspb.TaskQueueType) (queueSeen, error) {
	if q, ok := e.queues.get(name); ok {
		return q, nil
	}
	seen, err, _ := e.lookingAt.Do(name, func() (any, error) {
		if q, ok := e.queues.get(name); ok {
			return q, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
		defer cancel()
		resp, err := e.temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: e.cfg.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: name}, TaskQueueType: kind, ReportStats: true,
		})
		if err != nil {
			return queueSeen{}, err
		}
		q := queueSeen{waiting: map[int32]int64{}}
		for _, p := range resp.GetPollers() {
			if time.Since(p.GetLastAccessTime().AsTime()) <= freshPoll {
				given := serves(p, resp.GetVersioningInfo())
				q.polled, q.passedBy = q.polled || given, q.passedBy || !given
			}
		}
		for key, stats := range resp.GetStatsByPriorityKey() {
			q.waiting[key] = stats.GetApproximateBacklogCount()
		}
		e.queues.put(name, q, 512+len(name), time.Now())
		return q, nil
	})
	if err != nil {
		return queueSeen{}, err
	}
	return seen.(queueSeen), nil
}

// serves reports whether one who asks a queue for work is given what is new there: that goes to the current version, or the one that
// it is moved to, and where there is none to those without a version.
func serves(p *taskqueuepb.PollerInfo, v *taskqueuepb.TaskQueueVersioningInfo) bool {
	is := func(version *deploymentpb.WorkerDeploymentVersion) bool {
		o := p.GetDeploymentOptions()
		if o.GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED {
			return version == nil
		}
		return version.GetDeploymentName() == o.GetDeploymentName() && version.GetBuildId() == o.GetBuildId()
	}
	return is(v.GetCurrentDeploymentVersion()) || v.GetRampingVersionPercentage() > 0 && is(v.GetRampingDeploymentVersion())
}
