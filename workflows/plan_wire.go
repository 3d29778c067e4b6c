package workflows

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// PlanInput starts a Plan run. The workflow resolves and validates the request once more: whoever holds a Temporal client may start one.
// The run's result is an [sdk.Plan]; a failed run is an ApplicationError whose type is the code and whose details hold that plan, a
// cancelled one a CanceledError with the same details. Links are left out of it.
type PlanInput struct {
	Project      string          `json:"project"`
	Organization string          `json:"organization,omitempty"`
	ID           string          `json:"id"`
	Request      sdk.PlanRequest `json:"request"`
	FairnessKey  string          `json:"fairnessKey,omitempty"` // who asked for the plan: by that its own run takes turns
	// CreatedAt is when the plan was created by the clock of whoever created it; zero is when its run started.
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// PlanState is the part of a plan that changes, as the memo carries it: without outputs, and without what the plan was created with, but
// for the steps that a coordinator answered.
type PlanState struct {
	Status          sdk.Status     `json:"status"`
	PlanningTaskIDs []string       `json:"planningTaskIds,omitempty"`
	Planned         []sdk.Step     `json:"planned,omitempty"` // the coordinator's steps as they began
	Steps           []StepState    `json:"steps,omitempty"`   // in the order of the plan's
	StartedAt       *time.Time     `json:"startedAt,omitempty"`
	CompletedAt     *time.Time     `json:"completedAt,omitempty"`
	Error           *sdk.TaskError `json:"error,omitempty"`
}

// StepState is the part of a step that changes. Messages of errors are cut.
type StepState struct {
	Status         sdk.StepStatus `json:"status"`
	TaskID         string         `json:"taskId,omitempty"`
	AgentID        string         `json:"agentId,omitempty"`
	Reworks        int            `json:"reworks,omitempty"`
	SkippedBecause string         `json:"skippedBecause,omitempty"`
	Error          *sdk.TaskError `json:"error,omitempty"`
	Degraded       bool           `json:"degraded,omitempty"`
	StartedAt      *time.Time     `json:"startedAt,omitempty"`
	CompletedAt    *time.Time     `json:"completedAt,omitempty"`
}
