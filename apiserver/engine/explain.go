package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	unknown  bool            // it could not be looked at
	polled   bool            // somebody asked it for work lately who is given any
	passedBy bool            // somebody asked it lately who is given none, being of another version
	waiting  map[int32]int64 // by priority key; about, and up to 5 s old
	oldest   time.Duration   // for how long the oldest waits
	pollers  []sdk.Poller    // who asked it lately, by identity
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

// stand is where a task stands: in the queue of its role, or agent, or before the control workers.
type stand struct {
	queue string // "" is nowhere
	kind  enumspb.TaskQueueType
	since time.Time // when somebody should have taken it

	role     sdk.Role // of an attempt that nobody has taken
	agentID  string   // that it is addressed to
	priority int32
}

// stand is where a task of this run stands; t is as [run.openTask] made it.
func (r run) stand(t sdk.Task) stand {
	if r.finding != nil && r.pending == nil {
		if t.WaitingFor == nil || t.WaitingFor.Reason != sdk.WaitingForAgent {
			return stand{}
		}
		return stand{queue: workflows.ControlQueue, kind: enumspb.TASK_QUEUE_TYPE_WORKFLOW, since: r.finding.since}
	}
	if r.pending != nil {
		if t.Status != sdk.StatusQueued || t.WaitingFor == nil || t.WaitingFor.Reason != sdk.WaitingForAgent {
			return stand{}
		}
		role, agentID := r.addressee()
		s := stand{queue: workflows.RoleQueue(r.project, role), kind: enumspb.TASK_QUEUE_TYPE_ACTIVITY, since: r.pending.scheduled, role: role, agentID: agentID}
		if agentID != "" {
			s.queue = workflows.AgentQueue(r.project, role, agentID)
		}
		s.priority = int32(workflows.PriorityKey(t.Priority)) //nolint:gosec // 1 to 5
		return s
	}
	control := stand{queue: workflows.ControlQueue, kind: enumspb.TASK_QUEUE_TYPE_WORKFLOW, since: r.started}
	switch {
	case t.Status == sdk.StatusInputRequired && t.InputRequest != nil:
		control.since = t.InputRequest.ExpiresAt
	case t.Status != sdk.StatusQueued:
		return stand{}
	case t.WaitingFor != nil && t.WaitingFor.NextAttemptAt != nil:
		control.since = *t.WaitingFor.NextAttemptAt
	case t.WaitingFor != nil:
		return stand{}
	}
	return control
}

// explain says of a task that waits what it waits for where it stands. Where the queue can not be looked at, t stays as it is.
func (e *Engine) explain(ctx context.Context, s stand, t sdk.Task) sdk.Task {
	if s.queue == "" || time.Since(s.since) < explainAfter {
		return t
	}
	q := e.queue(ctx, s.queue, s.kind)
	switch {
	case q.unknown:
	case s.kind == enumspb.TASK_QUEUE_TYPE_WORKFLOW && !q.polled:
		t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForControl, Since: s.since, Detail: "no control worker runs tasks"}
		if q.passedBy {
			t.WaitingFor.Detail = "no control worker is there of the version that gets new tasks"
		}
	case s.kind == enumspb.TASK_QUEUE_TYPE_ACTIVITY:
		w := *t.WaitingFor // t may be somebody else's too
		w.Reason, w.Detail = q.reason(s.role, s.agentID, s.priority)
		t.WaitingFor = &w
	}
	return t
}

// reason is why a task of this priority waits in the queue of a role, or of an agent.
func (q queueSeen) reason(role sdk.Role, agentID string, priority int32) (reason, detail string) {
	others := ""
	ahead := q.ahead(priority)
	switch {
	case ahead > 0 && agentID != "":
		others = fmt.Sprintf("behind up to %d others addressed to agent %s", ahead, agentID)
	case ahead > 0:
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
		return sdk.WaitingForAgent, notTaken(role, agentID)
	}
	if others != "" {
		detail += ", and it is " + others
	}
	return reason, detail
}

// notTaken says that an attempt still stands in its queue.
func notTaken(role sdk.Role, agentID string) string {
	if agentID != "" {
		return fmt.Sprintf("agent %s of role %s has not taken it yet", agentID, role)
	}
	return fmt.Sprintf("no agent of role %s has taken it yet", role)
}

// addressee is whose queue the pending attempt stands in: a role's, or that of one agent of it.
func (r run) addressee() (sdk.Role, string) {
	t := r.memo.Task
	role, agentID := t.Role, t.AgentID
	if s := r.pending.stage; s > 0 && s <= len(t.Fallback) {
		role, agentID = t.Fallback[s-1].Role, t.Fallback[s-1].AgentID
	}
	if found, ok := strings.CutPrefix(r.pending.queue, workflows.RoleQueue(r.project, role)+"."); ok && agentID == "" { // for its capabilities
		agentID = found
	}
	return role, agentID
}

// queue looks at a task queue; whoever asks within queueTTL shares the look, be it one that failed. It ends with the engine.
func (e *Engine) queue(ctx context.Context, name string, kind enumspb.TaskQueueType) queueSeen {
	if q, ok := e.queues.get(name); ok {
		return q
	}
	answer := e.lookingAt.DoChan(name, guarded(func() (any, error) {
		if q, ok := e.queues.get(name); ok {
			return q, nil
		}
		q := e.lookAt(name, kind)
		e.queues.put(name, q, 512+len(name)+128*len(q.pollers), time.Now())
		return q, nil
	}))
	select {
	case r := <-answer:
		if q, ok := r.Val.(queueSeen); ok && r.Err == nil {
			return q
		}
	case <-ctx.Done():
	}
	return queueSeen{unknown: true}
}

func (e *Engine) lookAt(name string, kind enumspb.TaskQueueType) queueSeen {
	ctx, cancel := context.WithTimeout(e.life, queueTimeout)
	defer cancel()
	resp, err := e.temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: e.cfg.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: name}, TaskQueueType: kind, ReportStats: true,
	})
	if err != nil {
		return queueSeen{unknown: true}
	}
	q := queueSeen{waiting: map[int32]int64{}}
	for _, p := range resp.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) <= freshPoll {
			given := serves(p, resp.GetVersioningInfo())
			q.polled, q.passedBy = q.polled || given, q.passedBy || !given
			q.note(p.GetIdentity(), p.GetLastAccessTime().AsTime())
		}
	}
	q.oldest = resp.GetStats().GetApproximateBacklogAge().AsDuration()
	slices.SortFunc(q.pollers, func(a, b sdk.Poller) int { return strings.Compare(a.Identity, b.Identity) })
	for key, stats := range resp.GetStatsByPriorityKey() {
		q.waiting[key] = stats.GetApproximateBacklogCount()
	}
	return q
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
	ramped := v.GetRampingVersionPercentage()
	return ramped < 100 && is(v.GetCurrentDeploymentVersion()) || ramped > 0 && is(v.GetRampingDeploymentVersion())
}
