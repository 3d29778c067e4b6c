package sdk

import (
	"encoding/json"
	"time"
)

// PlanCreated is the data of plan.created. Where the server captures metadata only, title and goal are left out.
type PlanCreated struct {
	PlanID      string        `json:"planId"`
	Title       string        `json:"title,omitempty"`
	Goal        string        `json:"goal,omitempty"`
	Steps       int           `json:"steps" doc:"0 where a coordinator is asked for them."`
	MaxParallel int           `json:"maxParallel"`
	OnFailure   FailurePolicy `json:"onFailure"`
	Priority    Priority      `json:"priority"`
}

// PlanStarted is the data of plan.started: the steps are known, and begin. Where the server captures metadata only, their titles are left
// out.
type PlanStarted struct {
	PlanID       string            `json:"planId"`
	StartedAt    time.Time         `json:"startedAt"`
	Steps        []PlanStartedStep `json:"steps,omitempty"`
	StepsOmitted bool              `json:"stepsOmitted,omitempty" doc:"The steps are larger than 64 KiB; links.plan has them."`
	Links        *EventLinks       `json:"links,omitempty"`
}

// PlanStartedStep is a step in [PlanStarted].
type PlanStartedStep struct {
	ID    string   `json:"id"`
	Type  TaskType `json:"type"`
	Role  Role     `json:"role"`
	Title string   `json:"title,omitempty"`
	Needs []string `json:"needs,omitempty"`
}

// PlanStepped is the data of plan.step: a step went from one status to another.
type PlanStepped struct {
	PlanID         string     `json:"planId"`
	Step           string     `json:"step"`
	From           StepStatus `json:"from"`
	To             StepStatus `json:"to"`
	TaskID         string     `json:"taskId,omitempty"`
	AgentID        string     `json:"agentId,omitempty"`
	Reworks        int        `json:"reworks"`
	ReworkFor      string     `json:"reworkFor,omitempty" doc:"The step whose gate sent it back, where it begins anew."`
	SkippedBecause string     `json:"skippedBecause,omitempty"`
	Error          *TaskError `json:"error,omitempty"`
}

// PlanEnded is the data of plan.completed, plan.failed and plan.cancelled. Where the server captures metadata only, outputs, and message and
// details of the error, are left out.
type PlanEnded struct {
	PlanID          string                     `json:"planId"`
	Status          Status                     `json:"status"`
	DurationMs      int64                      `json:"durationMs" doc:"Since it was created."`
	Completed       int                        `json:"completed" doc:"Steps."`
	Failed          int                        `json:"failed"`
	Cancelled       int                        `json:"cancelled"`
	Skipped         int                        `json:"skipped"`
	PlanningTaskIDs []string                   `json:"planningTaskIds,omitempty" doc:"The tasks that asked the coordinator for steps."`
	Outputs         map[string]json.RawMessage `json:"outputs,omitempty"`
	OutputsOmitted  bool                       `json:"outputsOmitted,omitempty" doc:"The outputs are larger than 64 KiB, or the server captures metadata only; links.plan has them."`
	Error           *TaskError                 `json:"error,omitempty"`
	Links           *EventLinks                `json:"links,omitempty"`
}
