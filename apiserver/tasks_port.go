package apiserver

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Tasks is what the server needs of the engine. Every error is an [sdk.Error]; the message of one with code internal goes to the
// log only. Projects and ids are well-formed when they get there, and requests are valid.
type Tasks interface {
	// CreateTask starts a task. With a digest of the request, an id that is taken answers the first task as replayed, or
	// idempotency_mismatch when that came from another request.
	CreateTask(ctx context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error)
	// RetryTask starts a task from the request of the finished one in.RetryOf, with the same rules; one that has not ended is a conflict.
	RetryTask(ctx context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error)
	// GetTask answers a task as it stands.
	GetTask(ctx context.Context, project, id string) (sdk.Task, error)
	// LookTask answers a task as GetTask does, and never as it was read before the call.
	LookTask(ctx context.Context, project, id string) (sdk.Task, error)
	// ListTasks answers a page of the project's tasks; a cursor that came from another filter is invalid_input.
	ListTasks(ctx context.Context, project string, filter sdk.TaskFilter, cursor string) (sdk.TaskPage, error)
	// WaitTask answers as soon as the task has ended, and with its current state when wait has passed or ctx has ended.
	WaitTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error)
	// CancelTask asks a task to stop; accepted is false when it has ended before.
	CancelTask(ctx context.Context, project, id, reason string) (task sdk.Task, accepted bool, err error)
	// ProvideInput answers the task's open question.
	ProvideInput(ctx context.Context, project, id string, in workflows.ProvideInputInput) (sdk.Task, error)
	// ListProgress answers the progress so far, oldest first; stale says that only the newest is known.
	ListProgress(ctx context.Context, project, id string) (items []sdk.Progress, stale bool, err error)
	// LookAtRole answers what is seen of a role's queue: the role, how many tasks wait, for how long, and who asks for work. Where it can not
	// be looked at, that is Unknown.
	LookAtRole(ctx context.Context, project string, role sdk.Role) sdk.RoleState
	// OpenRoles answers roles beside the built-in ones that open tasks are for, as far as they are found while ctx lasts.
	OpenRoles(ctx context.Context, project string) []sdk.Role
	// Ready answers nil when tasks can be taken.
	Ready(ctx context.Context) error
}
