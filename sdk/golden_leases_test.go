package sdk_test

import (
	"encoding/json"

	"github.com/rolecall-dev/rolecall/sdk"
)

// leaseTypes are the wire types of working over HTTP.
func leaseTypes() map[string]any {
	a, metrics := wholeAssignment(), wholeResult().Metrics
	result := wholeResult()
	return map[string]any{
		"claim_request": sdk.ClaimRequest{AgentID: "ada", WaitMs: 20_000}, "bare_claim_request": sdk.ClaimRequest{AgentID: "ada"},
		"lease": sdk.Lease{
			Token: "rl_x", ExpiresAt: noon(30), HeartbeatMs: 30_000, Attempt: a.Attempt, MaxAttempts: a.MaxAttempts, Stage: a.Stage, Model: a.Model,
			Resume: a.Resume, Answers: a.Answers, Deadline: a.Deadline, Task: a.Task,
		},
		"bare_lease": sdk.Lease{},
		"lease_progress": sdk.LeaseProgress{
			Percentage: new(42.5), Phase: "writing", Message: "auth.go", Delta: "func", Category: "tool", Tool: "edit",
			Resume: json.RawMessage(`{"page":3}`), Metrics: &metrics,
		},
		"lease_status":      sdk.LeaseStatus{CancelRequested: true, Reason: "enough", ExpiresAt: noon(30)},
		"bare_lease_status": sdk.LeaseStatus{},
		"lease_result": sdk.LeaseResult{
			Output: result.Output, Metrics: &metrics, Model: result.Model, QualityGatePassed: result.QualityGatePassed, QualityGate: result.QualityGate,
			Reflection: result.Reflection, EpisodeRefs: result.EpisodeRefs,
		},
		"lease_failure": sdk.LeaseFailure{
			Error:  sdk.LeaseError{Code: "no_ink", Message: "no ink", Details: json.RawMessage(`{"exitCode":1}`), Retryable: new(true), RetryAfterMs: 5000},
			Resume: json.RawMessage(`{"page":3}`), Metrics: &metrics,
		},
		"bare_lease_failure":  sdk.LeaseFailure{},
		"lease_question":      sdk.LeaseQuestion{Prompt: "Which?", Schema: json.RawMessage(`{"type":"string"}`), Resume: json.RawMessage(`{"page":3}`), Metrics: &metrics},
		"bare_lease_question": sdk.LeaseQuestion{},
		"lease_end":           sdk.LeaseEnd{Outcome: sdk.OutcomeCompleted},
	}
}
