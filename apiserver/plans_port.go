package apiserver

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Plans is what the server needs of the engine about plans. Every error is an [sdk.Error]; the message of one with code internal goes to the
// log only. Projects and ids are well-formed when they get there, and requests are valid.
type Plans interface {
	// CreatePlan starts a plan, with the rules of [Tasks.CreateTask] for the digest.
	CreatePlan(ctx context.Context, in workflows.PlanInput, digest string) (plan sdk.Plan, replayed bool, err error)
	// GetPlan answers a plan as it stands.
	GetPlan(ctx context.Context, project, id string) (sdk.Plan, error)
	// WaitPlan answers a plan as soon as it has ended, or as it stands after the wait.
	WaitPlan(ctx context.Context, project, id string, wait time.Duration) (sdk.Plan, error)
	// GlanceAtPlan answers of a plan at least its status, when it was created and when it has ended, as cheaply as it can.
	GlanceAtPlan(ctx context.Context, project, id string) (sdk.Plan, error)
	// ListPlans answers a page of the project's plans; a cursor that came from another filter is invalid_input.
	ListPlans(ctx context.Context, project string, filter sdk.PlanFilter, cursor string) (sdk.PlanPage, error)
	// CancelPlan asks for the end of a plan and of everything below it; accepted is false where it had ended, which is answered as it is.
	CancelPlan(ctx context.Context, project, id, reason string) (plan sdk.Plan, accepted bool, err error)
}
