package workflows

import (
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TaskWorkflow is the workflow type that runs a task.
const TaskWorkflow = "Task"

// SessionWorkflow is the workflow type that runs a session.
const SessionWorkflow = "Session"

// PlanWorkflow is the workflow type that runs a plan.
const PlanWorkflow = "Plan"

// PublishEventsWorkflow is internal: the run that publishes the last events of a task that ended while the event log was away.
const PublishEventsWorkflow = "PublishEvents"

// ControlQueue is the task queue of every workflow and of the activities of the control worker.
const ControlQueue = "rolecall"

// The messages of a Task run, of a Session run and of a Plan run. Nothing outside this file spells their names.
var (
	// AttemptStarted is sent by a worker whose handler still runs after about 200 ms.
	AttemptStarted = Signal[AttemptStartedInput]{"attempt-started"}
	// TaskProgressed is sent by a worker, throttled; the newest progress is in its heartbeat.
	TaskProgressed = Signal[TaskProgressedInput]{"task-progressed"}
	// CancelRequested carries the reason of a cancellation and is sent just before it.
	CancelRequested = Signal[CancelRequestedInput]{"cancel-requested"}
	// ProvideInput answers the open question of a task; its validator refuses what does not fit.
	ProvideInput = Update[ProvideInputInput, ProvideInputOutput]{"provide-input"}
	// DelegateTask starts a child of the task, or enters one of a task below it in its count.
	DelegateTask = Update[DelegateTaskInput, DelegateTaskOutput]{"delegate-task"}
	// SendTask gives a session a task; its validator refuses it where the session takes none.
	SendTask = Update[SendTaskInput, SendTaskOutput]{"send-task"}
	// CloseSession closes a session.
	CloseSession = Update[CloseSessionInput, CloseSessionOutput]{"close-session"}
	// DescribeSession answers the session as its run sees it, without links.
	DescribeSession = Query[sdk.Session]{"describe-session"}
	// ListQueue answers which tasks of a session wait for their turn.
	ListQueue = Query[ListQueueOutput]{"list-queue"}
	// DescribePlan answers the plan as its run sees it, without links.
	DescribePlan = Query[sdk.Plan]{"describe-plan"}
	// DescribeTask answers the task as its run sees it, without input, description and links.
	DescribeTask = Query[sdk.Task]{"describe-task"}
	// ListProgress answers the progress the run has recorded.
	ListProgress = Query[ListProgressOutput]{"list-progress"}
)

// The search attributes of every run. RolecallProject … are Keywords, RolecallPriority an Int, RolecallDegraded a Bool.
var (
	AttrProject  = temporal.NewSearchAttributeKeyKeyword("RolecallProject")
	AttrRole     = temporal.NewSearchAttributeKeyKeyword("RolecallRole")
	AttrTaskType = temporal.NewSearchAttributeKeyKeyword("RolecallTaskType")
	AttrStatus   = temporal.NewSearchAttributeKeyKeyword("RolecallStatus")
	AttrAgent    = temporal.NewSearchAttributeKeyKeyword("RolecallAgent")
	AttrParent   = temporal.NewSearchAttributeKeyKeyword("RolecallParent")
	AttrSession  = temporal.NewSearchAttributeKeyKeyword("RolecallSession")
	AttrPlan     = temporal.NewSearchAttributeKeyKeyword("RolecallPlan")
	AttrClient   = temporal.NewSearchAttributeKeyKeyword("RolecallClient")
	AttrPriority = temporal.NewSearchAttributeKeyInt64("RolecallPriority")
	AttrDegraded = temporal.NewSearchAttributeKeyBool("RolecallDegraded")
)

// SearchAttributes are the keys above, for whoever has to register them with a namespace.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttrProject, AttrRole, AttrTaskType, AttrStatus, AttrAgent, AttrParent, AttrSession, AttrPlan, AttrClient, AttrPriority, AttrDegraded,
	}
}

// The memo of a Task run.
const (
	// MemoTask is a [TaskMemo]: the task as it was created.
	MemoTask = "task"
	// MemoState is a [TaskState], written at transitions off the happy path and absent on it.
	MemoState = "state"
	// MemoDigest is the SHA-256 of the canonical request, in hexadecimal; set when the task was created with an idempotency key.
	MemoDigest = "digest"
)

const taskPrefix = "task:"

// TaskWorkflowID is the workflow id of a task.
func TaskWorkflowID(project, id string) string { return taskPrefix + project + ":" + id }

// ParseTaskWorkflowID is the inverse of [TaskWorkflowID]; ok is false for the id of something else.
func ParseTaskWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, taskPrefix)
	project, id, cut := strings.Cut(rest, ":")
	return project, id, found && cut && sdk.ValidProject(project) && sdk.ValidID(id)
}

// The memo of a Session run.
const (
	// MemoSession is an [sdk.Session]: the session as it was opened.
	MemoSession = "session"
	// MemoSessionState is a [SessionState], written at transitions and when the session goes on in another run; absent before the first.
	MemoSessionState = "sessionState"
)

// The memo of a Plan run, which has a [MemoDigest] too.
const (
	// MemoPlan is an [sdk.Plan]: the plan as it was created.
	MemoPlan = "plan"
	// MemoPlanState is a [PlanState], written at transitions; absent before the first.
	MemoPlanState = "planState"
)

const planPrefix = "plan:"

// PlanWorkflowID is the workflow id of a plan.
func PlanWorkflowID(project, id string) string { return planPrefix + project + ":" + id }

// ParsePlanWorkflowID is the inverse of [PlanWorkflowID]; ok is false for the id of something else.
func ParsePlanWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, planPrefix)
	project, id, cut := strings.Cut(rest, ":")
	return project, id, found && cut && sdk.ValidProject(project) && sdk.ValidID(id)
}

const sessionPrefix = "session:"

// SessionWorkflowID is the workflow id of a session.
func SessionWorkflowID(project, id string) string { return sessionPrefix + project + ":" + id }

// ParseSessionWorkflowID is the inverse of [SessionWorkflowID]; ok is false for the id of something else.
func ParseSessionWorkflowID(workflowID string) (project, id string, ok bool) {
	rest, found := strings.CutPrefix(workflowID, sessionPrefix)
	project, id, cut := strings.Cut(rest, ":")
	return project, id, found && cut && sdk.ValidProject(project) && sdk.ValidID(id)
}

// EventsWorkflowID is the workflow id of the run that publishes a task's terminal event where the task's own could not.
func EventsWorkflowID(project, id string) string { return "events:" + project + ":" + id }

// RoleQueue is the task queue that the agents of a role poll.
func RoleQueue(project string, role sdk.Role) string { return project + "." + string(role) }

// AgentQueue is the task queue of one addressable agent.
func AgentQueue(project string, role sdk.Role, agentID string) string {
	return RoleQueue(project, role) + "." + agentID
}

// PriorityKey is a priority as Temporal's task queues order it: 1 first. 5 is kept for batch work.
func PriorityKey(p sdk.Priority) int {
	switch p {
	case sdk.PriorityCritical:
		return 1
	case sdk.PriorityHigh:
		return 2
	case sdk.PriorityLow:
		return 4
	default:
		return 3
	}
}
