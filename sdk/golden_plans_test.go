package sdk_test

import (
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

func wholePlanStep() sdk.PlanStep {
	r := wholeRequest()
	return sdk.PlanStep{
		ID: "review", Type: "code.review", Role: "reviewer", Title: "Review the parser", Description: "With care.", Needs: []string{"write"},
		When: `steps.write.output.files > 0`, Input: json.RawMessage(`{"code":"${{ steps.write.output }}"}`),
		Gate: &sdk.Gate{Rework: "write", MaxReworks: new(1)}, Priority: "high", Retry: r.Retry, Timeouts: r.Timeouts, Fallback: r.Fallback,
	}
}

func wholePlanRequest() sdk.PlanRequest {
	return sdk.PlanRequest{
		Title: "Write a parser, reviewed", Goal: "A parser for the format.", Steps: []sdk.PlanStep{wholePlanStep()},
		Inputs:      map[string]json.RawMessage{"language": json.RawMessage(`"Go"`)},
		Outputs:     map[string]json.RawMessage{"parser": json.RawMessage(`"${{ steps.review.output }}"`)},
		MaxParallel: 4, OnFailure: "continue", MaxSteps: 20, Priority: "high", Budget: json.RawMessage(`{"usd":1}`),
	}
}

func wholeStep() sdk.Step {
	return sdk.Step{
		ID: "review", Type: "code.review", Role: "reviewer", Title: "Review the parser", Needs: []string{"write"}, Status: "failed",
		TaskID: "pl1-p-0123456789abcdef", AgentID: "reviewer-1", Reworks: 1, SkippedBecause: "its condition is false", Error: new(wholeTaskError()),
		Degraded: true, Output: json.RawMessage(`{"summary":"no tests"}`), OutputOmitted: true, StartedAt: new(noon(2)), CompletedAt: new(noon(3)),
	}
}

func wholePlan() sdk.Plan {
	return sdk.Plan{
		ID: "pl1", Title: "Write a parser, reviewed", Goal: "A parser for the format.", Status: "failed", Priority: "high", MaxParallel: 4,
		OnFailure: "continue", Steps: []sdk.Step{wholeStep()}, PlanningTaskIDs: []string{"pl1-p-fedcba9876543210"},
		Outputs: map[string]json.RawMessage{"parser": json.RawMessage(`{"files":["a.go"]}`)}, Error: new(wholeTaskError()),
		CreatedAt: noon(0), StartedAt: new(noon(1)), CompletedAt: new(noon(4)), Stale: true,
		Links: sdk.Links{Self: "/v1/plans/pl1", Events: "/v1/plans/pl1/events", UI: "http://127.0.0.1:8233/pl1"},
	}
}

// planTypes are what the calls about plans carry and the data of their events, whole and bare.
func planTypes() map[string]any {
	links := &sdk.EventLinks{Plan: "/v1/plans/pl1"}
	return map[string]any{
		"plan_request": wholePlanRequest(), "plan_request_step": wholePlanStep(), "plan_gate": *wholePlanStep().Gate,
		"plan": wholePlan(), "plan_step": wholeStep(), "plan_page": sdk.PlanPage{Items: []sdk.Plan{wholePlan()}, NextCursor: "c"},

		"event_plan_created": sdk.PlanCreated{
			PlanID: "pl1", Title: "Write a parser, reviewed", Goal: "A parser for the format.", Steps: 1, MaxParallel: 4, OnFailure: "continue", Priority: "high",
		},
		"event_plan_started": sdk.PlanStarted{
			PlanID: "pl1", StartedAt: noon(1), StepsOmitted: true, Links: links,
			Steps: []sdk.PlanStartedStep{{ID: "review", Type: "code.review", Role: "reviewer", Title: "Review the parser", Needs: []string{"write"}}},
		},
		"event_plan_step": sdk.PlanStepped{
			PlanID: "pl1", Step: "write", From: "completed", To: "pending", TaskID: "pl1-p-0123456789abcdef", AgentID: "coder-1", Reworks: 1,
			ReworkFor: "review", SkippedBecause: "its condition is false", Error: new(wholeTaskError()),
		},
		"event_plan_ended": sdk.PlanEnded{
			PlanID: "pl1", Status: "failed", DurationMs: 4000, Completed: 1, Failed: 2, Cancelled: 3, Skipped: 4, PlanningTaskIDs: []string{"pl1-p-0123456789abcdef"},
			Outputs: map[string]json.RawMessage{"parser": json.RawMessage(`{"files":["a.go"]}`)}, OutputsOmitted: true, Error: new(wholeTaskError()), Links: links,
		},

		"bare_plan_request": sdk.PlanRequest{Title: "t", Goal: "g"}, "bare_plan_request_step": sdk.PlanStep{ID: "a", Type: "code.write", Title: "t"},
		"bare_plan_gate": sdk.Gate{Rework: "a"}, "bare_plan": sdk.Plan{Steps: []sdk.Step{}, Outputs: map[string]json.RawMessage{}},
		"bare_plan_step": sdk.Step{Needs: []string{}}, "bare_plan_page": sdk.PlanPage{Items: []sdk.Plan{}},
		"bare_event_plan_created": sdk.PlanCreated{}, "bare_event_plan_started": sdk.PlanStarted{}, "bare_event_plan_step": sdk.PlanStepped{},
		"bare_event_plan_ended": sdk.PlanEnded{},
	}
}
