package sdk

import (
	"encoding/json"
	"time"
)

// StepStatus is where a step of a plan stands.
type StepStatus string

// The step statuses. The last four are terminal, unless a gate has the step begin anew.
const (
	StepPending   StepStatus = "pending" // waits for what it needs
	StepReady     StepStatus = "ready"   // waits for one of the plan's places
	StepRunning   StepStatus = "running"
	StepCompleted StepStatus = "completed"
	StepFailed    StepStatus = "failed"
	StepCancelled StepStatus = "cancelled"
	StepSkipped   StepStatus = "skipped"
)

// Terminal reports whether a step in this status has ended.
func (s StepStatus) Terminal() bool {
	return s == StepCompleted || s == StepFailed || s == StepCancelled || s == StepSkipped
}

// FailurePolicy is what a plan does when one of its steps fails or is cancelled.
type FailurePolicy string

// What a plan does then. In both cases it fails in the end.
const (
	FailureStop     FailurePolicy = "stop"     // begin nothing any more; what runs is waited for
	FailureContinue FailurePolicy = "continue" // go on with every step that does not need the failed one
)

// The bounds of plans. Sizes are bytes unless they say otherwise.
const (
	MaxPlanGoal        = 64 << 10
	MaxPlanInputs      = 512 << 10 // of all inputs, as JSON
	MaxStepID          = 63
	MaxStepNeeds       = 50
	MaxStepWhen        = 4 << 10
	DefaultMaxSteps    = 50
	MaxPlanSteps       = 500
	DefaultMaxParallel = 8
	MaxMaxParallel     = 50
	DefaultMaxReworks  = 2
	MaxMaxReworks      = 10
	MaxPlanRuns        = 500       // tasks of all steps, every possible rework counted
	MaxStepOutput      = 256 << 10 // that a plan holds of one step
	MaxPlanOutputs     = 8 << 20   // that it holds of all its steps
	MaxPlannings       = 3         // times that the coordinator is asked for steps
)

// PlanRequest is a piece of work of several tasks. Title is required, and Steps or Goal; every other zero value means its default.
type PlanRequest struct {
	Title       string                     `json:"title" minLength:"1" maxLength:"200" doc:"One line for people." example:"Write a parser, reviewed and tested"`
	Goal        string                     `json:"goal,omitempty" doc:"What is to be reached, at most 64 KiB. Without steps the role coordinator is asked for them."`
	Steps       []PlanStep                 `json:"steps,omitempty" maxItems:"500" doc:"The tasks, in any order: needs says which comes after which."`
	Inputs      map[string]json.RawMessage `json:"inputs,omitempty" doc:"What expressions read as inputs.<name>; at most 512 KiB."`
	Outputs     map[string]json.RawMessage `json:"outputs,omitempty" doc:"What the plan answers: any JSON whose strings may hold ${{ expressions }}."`
	MaxParallel int                        `json:"maxParallel,omitempty" minimum:"1" maximum:"50" default:"8" doc:"How many steps run at once."`
	OnFailure   FailurePolicy              `json:"onFailure,omitempty" enum:"stop,continue" doc:"When a step fails: begin nothing any more (stop, the default), or go on with what does not need it."`
	MaxSteps    int                        `json:"maxSteps,omitempty" minimum:"1" maximum:"500" default:"50" doc:"How many steps there may be, also of those that a coordinator answers."`
	Priority    Priority                   `json:"priority,omitempty" enum:"low,medium,normal,high,critical,urgent" doc:"Of every step that names none. Default medium."`
	Budget      json.RawMessage            `json:"budget,omitempty" doc:"Reserved. This version refuses it."`
}

// PlanStep is a step as it is asked for: a task, and when it is its turn.
type PlanStep struct {
	ID          string          `json:"id" doc:"A letter, then at most 62 of A-Z, a-z, 0-9, _ and -; one of its kind in the plan." example:"review"`
	Type        TaskType        `json:"type" doc:"What is to be done, as a dotted lower-case name." example:"code.review"`
	Role        Role            `json:"role,omitempty" doc:"Who does it. Default: the type's own role; needed for a type outside the table."`
	Title       string          `json:"title" minLength:"1" maxLength:"200" doc:"One line for people."`
	Description string          `json:"description,omitempty" doc:"The whole of what is wanted, at most 64 KiB."`
	Needs       []string        `json:"needs,omitempty" maxItems:"50" doc:"The steps that have to end before this one."`
	When        string          `json:"when,omitempty" maxLength:"4096" doc:"A CEL condition; where it is false the step is skipped."`
	Input       json.RawMessage `json:"input,omitempty" doc:"Any JSON for the agent; its strings may hold ${{ expressions }}."`
	Gate        *Gate           `json:"gate,omitempty" doc:"What happens when the step's own result says that a quality gate was not passed."`
	Priority    Priority        `json:"priority,omitempty" enum:"low,medium,normal,high,critical,urgent" doc:"Default: the plan's."`
	Retry       *Retry          `json:"retry,omitempty"`
	Timeouts    *Timeouts       `json:"timeouts,omitempty"`
	Fallback    []Stage         `json:"fallback,omitempty" maxItems:"5"`
}

// Gate sends work back: when the step that has it completes with qualityGatePassed false, the step Rework begins anew with what the result
// says, and so does every step that needs it. When that has happened MaxReworks times, the step with the gate fails.
type Gate struct {
	Rework     string `json:"rework" doc:"The step that is sent back: one that this step needs, directly or through others."`
	MaxReworks *int   `json:"maxReworks,omitempty" minimum:"0" maximum:"10" default:"2" doc:"How often. 0: the step fails at once."`
}

// Plan is a plan as everybody sees it. It does not change any more once its status is terminal. Its status is never input_required: the
// task of the step that asks has it.
type Plan struct {
	ID              string                     `json:"id"`
	Title           string                     `json:"title"`
	Goal            string                     `json:"goal,omitempty"`
	Status          Status                     `json:"status"`
	Priority        Priority                   `json:"priority"`
	MaxParallel     int                        `json:"maxParallel"`
	OnFailure       FailurePolicy              `json:"onFailure" enum:"stop,continue"`
	Steps           []Step                     `json:"steps" doc:"In the order in which they were given. Empty while a coordinator is asked for them."`
	PlanningTaskIDs []string                   `json:"planningTaskIds,omitempty" doc:"The tasks that asked the coordinator for steps."`
	Outputs         map[string]json.RawMessage `json:"outputs" doc:"At the end: the plan's outputs. Of a plan that failed or was cancelled, those whose steps have completed."`
	Error           *TaskError                 `json:"error,omitempty"`
	CreatedAt       time.Time                  `json:"createdAt"`
	StartedAt       *time.Time                 `json:"startedAt,omitempty" doc:"When its first task was asked for."`
	CompletedAt     *time.Time                 `json:"completedAt,omitempty"`
	Stale           bool                       `json:"stale,omitempty" doc:"Part of the answer could not be refreshed in time."`
	Links           Links                      `json:"links"`
}

// Step is a step of a plan as everybody sees it.
type Step struct {
	ID             string          `json:"id"`
	Type           TaskType        `json:"type"`
	Role           Role            `json:"role"`
	Title          string          `json:"title"`
	Needs          []string        `json:"needs"`
	Status         StepStatus      `json:"status" enum:"pending,ready,running,completed,failed,cancelled,skipped"`
	TaskID         string          `json:"taskId,omitempty" doc:"The newest task of the step."`
	AgentID        string          `json:"agentId,omitempty" doc:"Who did it; set when it has ended."`
	Reworks        int             `json:"reworks" doc:"How often it has begun anew."`
	SkippedBecause string          `json:"skippedBecause,omitempty"`
	Error          *TaskError      `json:"error,omitempty" doc:"Why it failed."`
	Degraded       bool            `json:"degraded,omitempty" doc:"A fallback answered."`
	Output         json.RawMessage `json:"output,omitempty" doc:"Left out of lists."`
	OutputOmitted  bool            `json:"outputOmitted,omitempty" doc:"The outputs of the steps are larger than 1 MiB together; the step's task has this one."`
	StartedAt      *time.Time      `json:"startedAt,omitempty" doc:"When its newest task was asked for."`
	CompletedAt    *time.Time      `json:"completedAt,omitempty"`
}

// PlanFilter chooses plans; what is left out chooses all.
type PlanFilter struct {
	Status Status // [StatusOpen]: every one that is not terminal
	Limit  int    // plans of one page, 1 to [MaxPage]; 0 is [DefaultPage]
}

// PlanPage is a page of plans, open ones first, the newest of them first. Items leave out outputs, and steps' outputs.
type PlanPage struct {
	Items      []Plan `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}
