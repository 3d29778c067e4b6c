package workflows

import "go.temporal.io/sdk/workflow"

// Registry is where a worker's workflows are registered.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers every workflow under its permanent name. A Task is pinned to the deployment version it began on: its length
// is bounded by totalMs. So is a Plan, whose tasks are bounded, and a Session, which asks for the current version when it goes on as another
// run. What publishes the last events of a run may have to wait for the log for days, and moves on.
func Register(r Registry) {
	r.RegisterWorkflowWithOptions(Plan, workflow.RegisterOptions{Name: PlanWorkflow, VersioningBehavior: workflow.VersioningBehaviorPinned})
	r.RegisterWorkflowWithOptions(PublishEvents, workflow.RegisterOptions{Name: PublishEventsWorkflow, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	r.RegisterWorkflowWithOptions(Session, workflow.RegisterOptions{Name: SessionWorkflow, VersioningBehavior: workflow.VersioningBehaviorPinned})
	r.RegisterWorkflowWithOptions(Task, workflow.RegisterOptions{Name: TaskWorkflow, VersioningBehavior: workflow.VersioningBehaviorPinned})
}
