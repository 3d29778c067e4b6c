package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// planning is how a plan that has only a goal gets its steps.
type planning struct {
	due      bool            // a task for the coordinator is to be started
	faults   []sdk.Fault     // of its last answer
	previous json.RawMessage // that answer
}

// planningInput is what a coordinator is given.
type planningInput struct {
	Goal            string                     `json:"goal"`
	Inputs          map[string]json.RawMessage `json:"inputs"`
	InputsOmitted   []string                   `json:"inputsOmitted,omitempty"`
	Outputs         map[string]json.RawMessage `json:"outputs,omitempty"`
	MaxSteps        int                        `json:"maxSteps"`
	Roles           []sdk.RoleInfo             `json:"roles"`
	Types           []plannableType            `json:"types"`
	Faults          []sdk.Fault                `json:"faults,omitempty"`
	Previous        json.RawMessage            `json:"previous,omitempty"`
	PreviousOmitted bool                       `json:"previousOmitted,omitempty"`
}

// planningShare is how much of the input of a coordinator's task is kept for roles and types, however many there are.
const planningShare = 8 << 10

// plannableType is a task type with the role that it goes to.
type plannableType struct {
	Type sdk.TaskType `json:"type"`
	Role sdk.Role     `json:"role"`
}

// plannableTypes are the built-in types of steps.
func plannableTypes() []plannableType {
	types := []sdk.TaskType{
		sdk.TypeCodeWrite, sdk.TypeCodeReview, sdk.TypeCodeRefactor, sdk.TypeCodeDebug, sdk.TypeCodeTest, sdk.TypeCodeDocument,
		sdk.TypeResearchCodebase, sdk.TypeResearchDocumentation, sdk.TypeResearchBestPractices,
		sdk.TypePlanFeature, sdk.TypePlanArchitecture, sdk.TypePlanMigration,
		sdk.TypeDevOpsDeploy, sdk.TypeDevOpsMonitor, sdk.TypeDevOpsScale, sdk.TypeSecurityAudit, sdk.TypeSecurityFix,
	}
	list := make([]plannableType, len(types))
	for i, t := range types {
		role, _ := t.DefaultRole()
		list[i] = plannableType{t, role}
	}
	return list
}

// nextPlanning is the next task for the coordinator.
func (c *planCourse) nextPlanning(now time.Time) (in TaskInput, ok bool) {
	c.planning.due = false
	input, failure := inputOfPlanning(c.in.Request, c.planning)
	if failure != nil {
		c.failure = failure
		return TaskInput{}, false
	}
	in = c.newTask(now, PlanTaskID(c.in.ID, "", len(c.plan.PlanningTaskIDs)), sdk.TaskRequest{
		Type: sdk.TypePlanFeature, Role: sdk.RoleCoordinator, Title: firstCharacters("Plan: "+c.plan.Title, sdk.MaxTitle),
		Description: planningText(), Input: input, Priority: c.plan.Priority,
	})
	c.enlist(now, planningRun, in)
	c.plan.PlanningTaskIDs = append(c.plan.PlanningTaskIDs, in.ID)
	return in, true
}

// inputOfPlanning is the input of the next task for the coordinator of a plan. What makes it too large is left out: its own answer, then what
// the plan's inputs hold, so that their names are left. What the plan brings decides about that, and whether there is an input at all: the
// roles and types do not, so that a run that is replayed asks for the same tasks when there are more of them.
func inputOfPlanning(r sdk.PlanRequest, p planning) (json.RawMessage, *sdk.TaskError) {
	in := planningInput{
		Goal: r.Goal, Inputs: r.Inputs, Outputs: r.Outputs, MaxSteps: r.MaxSteps, Roles: sdk.BuiltinRoles(), Types: plannableTypes(),
		Faults: p.faults, Previous: p.previous,
	}
	roles, _ := EncodedSize(in.Roles) // texts can always be written
	types, _ := EncodedSize(in.Types)
	most := sdk.MaxInput - planningShare + roles + types
	for {
		if in.Inputs == nil {
			in.Inputs = map[string]json.RawMessage{}
		}
		raw, err := encode(in)
		if err != nil {
			return nil, &sdk.TaskError{Code: sdk.CodeInternal, Message: "the input of the planning can not be written as JSON"}
		}
		switch err = sdk.CheckJSON(raw, most); {
		case err == nil:
			return raw, nil
		case in.Previous != nil:
			in.Previous, in.PreviousOmitted = nil, true
		case len(in.Inputs) > 0:
			//workflowcheck:ignore
			in.InputsOmitted, in.Inputs = slices.Sorted(maps.Keys(in.Inputs)), nil
		default:
			return nil, noInput("what the coordinator would be given", err)
		}
	}
}

// unplannable says of a plan without steps that a coordinator can not even be asked for them once.
func unplannable(r sdk.PlanRequest) []sdk.Fault {
	if len(r.Steps) > 0 {
		return nil
	}
	if _, failure := inputOfPlanning(r.Resolve(), planning{}); failure != nil {
		return []sdk.Fault{{Path: "$", Message: failure.Message + ": make goal, outputs or the names of inputs smaller, or name the steps"}}
	}
	return nil
}

// planningEnded takes the end of a coordinator's task: its steps begin, or it is asked again, or the plan fails.
func (c *planCourse) planningEnded(now time.Time, end taskEnd) {
	if end.status != sdk.StepCompleted {
		c.failure = &sdk.TaskError{Code: end.failure.Code, Message: "planning: " + end.failure.Message, Details: end.failure.Details}
		return
	}
	if c.asked != nil {
		return
	}
	answer, faults := readPlanned(end.result.Output)
	if len(faults) == 0 {
		faults = c.adopt(answer)
	}
	if len(faults) == 0 {
		c.planned = slices.Clone(c.plan.Steps)
		c.planning = planning{}
		c.tellStarted(now)
		c.settle(now)
		return
	}
	if n := len(c.plan.PlanningTaskIDs); n >= sdk.MaxPlannings {
		c.failure = invalidPlan(n, faults)
		return
	}
	c.planning = planning{due: true, faults: faults, previous: end.result.Output}
}

// adopt makes the steps of a coordinator the plan's, or says what is wrong with them.
func (c *planCourse) adopt(answer plannedAnswer) []sdk.Fault {
	if len(answer.Steps) == 0 {
		return []sdk.Fault{{Path: "$.steps", Message: "there are none: answer at least one step"}}
	}
	r := c.in.Request
	r.Steps = answer.Steps
	if len(r.Outputs) == 0 {
		r.Outputs = answer.Outputs
	}
	r = r.Resolve()
	code, err := checkPlan(r)
	if err != nil {
		if e, ok := errors.AsType[*sdk.Error](err); ok && len(e.Faults) > 0 {
			return e.Faults
		}
		return []sdk.Fault{{Path: "$", Message: err.Error()}}
	}
	c.in.Request, c.code = r, code
	c.setSteps()
	return nil
}

// invalidPlan is the failure of a plan whose coordinator has answered nothing but faults.
func invalidPlan(times int, faults []sdk.Fault) *sdk.TaskError {
	said := make([]string, len(faults))
	for i, f := range faults {
		said[i] = f.Path + " " + f.Message
	}
	message := fmt.Sprintf("the coordinator has answered %d times with faults; those of the last time: %s", times, strings.Join(said, "; "))
	details, _ := encode(map[string]any{"faults": faults}) // texts can always be written
	return &sdk.TaskError{Code: sdk.CodeInvalidPlan, Message: message, Details: details}
}
