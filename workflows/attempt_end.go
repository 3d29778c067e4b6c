package workflows

import (
	"encoding/json"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// readEnd turns what Temporal says of an attempt into its end and its last report. expired says that the task's whole time is
// used up, asked that its cancellation was requested.
func readEnd(report activities.AttemptReport, err error, expired, asked bool) (attemptEnd, activities.AttemptReport) {
	if err == nil {
		return readReport(report), report
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		report = detailsOf(e.Details)
		return readFailure(e, report), report
	}
	if e, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		report = detailsOf(e.LastHeartbeatDetails)
		return readTimeout(e.TimeoutType(), expired, report.StartedAt != nil), report
	}
	if e, ok := errors.AsType[*temporal.CanceledError](err); ok {
		report = detailsOf(e.Details)
		if asked {
			return attemptEnd{outcome: sdk.OutcomeCancelled}, report
		}
		return failed(sdk.OutcomeInterrupted, sdk.CodeInterrupted, "the worker gave the attempt back"), report
	}
	if _, ok := errors.AsType[*temporal.PanicError](err); ok {
		return retryable(failed(sdk.OutcomeFailed, sdk.CodeAgentPanicked, "the agent panicked")), report
	}
	if _, ok := errors.AsType[*temporal.ActivityError](err); ok {
		return failed(sdk.OutcomeLost, sdk.CodeWorkerLost, "the engine ended the attempt"), report
	}
	return failed(sdk.OutcomeFailed, sdk.CodeInvalidOutput, "the attempt's answer can not be read"), activities.AttemptReport{}
}

func readReport(report activities.AttemptReport) attemptEnd {
	switch {
	case report.InputRequired != nil:
		return readQuestion(*report.InputRequired)
	case report.Result == nil:
		return failed(sdk.OutcomeFailed, sdk.CodeInvalidOutput, "the agent answered with neither a result nor a question")
	case len(report.Result.Output) > sdk.MaxOutput:
		return failed(sdk.OutcomeFailed, sdk.CodePayloadTooLarge, "the output is larger than 1 MiB")
	default:
		return attemptEnd{outcome: sdk.OutcomeCompleted}
	}
}

func readQuestion(q sdk.InputRequired) attemptEnd {
	if q.Prompt == "" || len(q.Prompt) > sdk.MaxPrompt || len(q.Schema) > sdk.MaxSchema {
		return failed(sdk.OutcomeFailed, sdk.CodeInvalidOutput, "the agent's question is empty or too large")
	}
	if CheckSchema(q.Schema) != nil {
		return failed(sdk.OutcomeFailed, sdk.CodeInvalidOutput, "the schema of the agent's question can not be used")
	}
	return attemptEnd{outcome: sdk.OutcomeInputRequired}
}

func readFailure(e *temporal.ApplicationError, report activities.AttemptReport) attemptEnd {
	fault := sdk.TaskError{Code: sdk.Code(e.Type()), Message: e.Message(), Details: report.Details}.Trim()
	end := attemptEnd{outcome: sdk.OutcomeFailed, failure: &fault, retryable: !e.NonRetryable(), retryAfter: e.NextRetryDelay()}
	switch {
	case fault.Code == sdk.CodeInterrupted:
		end.outcome = sdk.OutcomeInterrupted
	case fault.Code.Reserved():
		fault.Code = sdk.CodeAgentFailed
	}
	return end
}

func readTimeout(kind enumspb.TimeoutType, expired, started bool) attemptEnd {
	outcome := sdk.OutcomeTimedOut
	if kind == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START || (kind == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE && !started) {
		outcome = sdk.OutcomeNotTaken
	}
	switch {
	case expired || kind == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		return failed(outcome, sdk.CodeTotalTimeout, "the task's time was used up")
	case kind == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return failed(outcome, sdk.CodeQueueTimeout, "nobody took the task in time")
	case kind == enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return failed(sdk.OutcomeLost, sdk.CodeWorkerLost, "the worker was not heard of any more")
	case !started:
		return failed(sdk.OutcomeInterrupted, sdk.CodeInterrupted, "the worker had no slot for the attempt in time")
	default:
		return retryable(failed(outcome, sdk.CodeAttemptTimeout, "the attempt took longer than allowed"))
	}
}

func failed(outcome sdk.Outcome, code sdk.Code, message string) attemptEnd {
	return attemptEnd{outcome: outcome, failure: &sdk.TaskError{Code: code, Message: message}}
}

func retryable(end attemptEnd) attemptEnd {
	end.retryable = true
	return end
}

// detailsOf reads a report out of details that somebody else may have written: what does not fit is no report.
func detailsOf(read func(...any) error) activities.AttemptReport {
	var report activities.AttemptReport
	if err := read(&report); err != nil {
		return activities.AttemptReport{}
	}
	return report
}

// trimReport holds a report of the given attempt inside the bounds, whoever wrote it.
func trimReport(r activities.AttemptReport, stage, attempt int) activities.AttemptReport {
	if !sdk.ValidID(r.AgentID) {
		r.AgentID = ""
	}
	if r.Progress != nil {
		p := r.Progress.Trim()
		p.Stage, p.Attempt = stage, attempt
		r.Progress = &p
	}
	r.Resume = within(r.Resume, sdk.MaxResume)
	if r.Result != nil {
		r.Result.Model = sdk.Cut(r.Result.Model, sdk.MaxModel)
		r.Result.Reflection = within(r.Result.Reflection, sdk.MaxReflection)
		r.Result.QualityGate = within(r.Result.QualityGate, sdk.MaxReflection)
		r.Result.EpisodeRefs = r.Result.EpisodeRefs[:min(len(r.Result.EpisodeRefs), maxEpisodeRefs)]
		for i, ref := range r.Result.EpisodeRefs {
			r.Result.EpisodeRefs[i] = sdk.Cut(ref, sdk.MaxModel)
		}
	}
	return r
}

// within answers raw, or nothing when it is too large, or null.
func within(raw json.RawMessage, limit int) json.RawMessage {
	if len(raw) > limit || string(raw) == "null" {
		return nil
	}
	return raw
}
