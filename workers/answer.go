package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
)

// maxReport bounds a whole answer as it is encoded. Temporal refuses payloads beyond 2 MB, and the run's own record has to hold the
// result again beside the chain of attempts and the answers.
const maxReport = 1400 << 10

// ending is how a handler ended, and what else bears on the answer.
type ending struct {
	result    *sdk.Result
	err       error
	took      time.Duration
	cause     error // why the handler's context had ended, if it had
	clean     *redact.Redactor
	cancelled bool // the task's cancellation was requested
}

// answer is what an attempt answers with: a report, or an error that carries it. A success is a success whatever came meanwhile;
// otherwise a cancellation goes before an interruption, and both before what the handler said when it was stopped.
func (e ending) answer(report activities.AttemptReport) (activities.AttemptReport, error) {
	if e.err == nil {
		return e.completed(report)
	}
	if e.cancelled {
		return report, temporal.NewCanceledError(report)
	}
	if question, ok := errors.AsType[*sdk.InputRequired](e.err); ok {
		return e.asked(question, report)
	}
	if errors.Is(e.cause, sdk.ErrInterruptedAttempt) || errors.Is(e.cause, sdk.ErrLeaseLost) {
		return report, interrupted(report)
	}
	fault := *sdk.AsAgentError(e.err)
	if fault.Code.Reserved() {
		fault.Code = sdk.CodeAgentFailed
	}
	fault.Message, fault.Details = e.clean.String(fault.Message), e.clean.JSON(fault.Details)
	return report, failure(&fault, report)
}

func (e ending) completed(report activities.AttemptReport) (activities.AttemptReport, error) {
	if e.result == nil {
		return report, refuse(sdk.CodeInvalidOutput, report, "the agent returned neither a result nor an error")
	}
	result := *e.result
	if len(result.Output) > 0 {
		if err := sdk.CheckJSON(result.Output, sdk.MaxOutput); err != nil {
			return report, refuseOutput(err, report)
		}
	}
	result.Status, result.Error = sdk.StatusCompleted, nil
	result.QualityGate, result.Reflection = orNothing(result.QualityGate), orNothing(result.Reflection)
	if result.Metrics.DurationMs <= 0 {
		result.Metrics.DurationMs = max(e.took.Milliseconds(), 1)
	}
	whole := report
	whole.Result, whole.Resume, whole.Spent = &result, nil, nil
	size, err := workflows.EncodedSize(whole)
	if err != nil {
		return report, refuse(sdk.CodeInvalidOutput, report, "the result cannot be written as JSON: %v", err)
	}
	if size > maxReport {
		return report, refuse(sdk.CodePayloadTooLarge, report, "the result takes %d bytes as JSON, more than the %d allowed", size, maxReport)
	}
	return whole, nil
}

// orNothing drops what describes a result and is too large or no JSON: it is not worth losing the result for.
func orNothing(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || sdk.CheckJSON(raw, sdk.MaxReflection) != nil {
		return nil
	}
	return raw
}

// asked answers with a question, without its secrets.
func (e ending) asked(q *sdk.InputRequired, report activities.AttemptReport) (activities.AttemptReport, error) {
	switch {
	case strings.TrimSpace(q.Prompt) == "" || !utf8.ValidString(q.Prompt):
		return report, refuse(sdk.CodeInvalidOutput, report, "the agent's question has no text that can be read")
	case len(q.Prompt) > sdk.MaxPrompt:
		return report, refuse(sdk.CodePayloadTooLarge, report, "the agent's question has %d bytes, more than the %d allowed", len(q.Prompt), sdk.MaxPrompt)
	}
	if err := workflows.CheckSchema(q.Schema); err != nil {
		return report, refuse(sdk.CodeInvalidOutput, report, "the agent's question has a schema that cannot be used: %s", e.clean.String(text(err)))
	}
	report.InputRequired = &sdk.InputRequired{Prompt: sdk.Cut(e.clean.String(q.Prompt), sdk.MaxPrompt), Schema: q.Schema}
	if clean := e.clean.JSON(q.Schema); workflows.CheckSchema(clean) == nil {
		report.InputRequired.Schema = clean
	} else {
		report.InputRequired.Schema = nil // any answer will do
	}
	return report, nil
}

// interrupted gives an attempt back: another worker goes on from what the report keeps.
func interrupted(report activities.AttemptReport) error {
	return failure(sdk.Retryable(sdk.CodeInterrupted, sdk.ErrInterruptedAttempt), report)
}

func refuseOutput(err error, report activities.AttemptReport) error {
	code := sdk.CodeInvalidOutput
	if errors.Is(err, sdk.ErrPayloadTooLarge) {
		code = sdk.CodePayloadTooLarge
	}
	return refuse(code, report, "the agent's output cannot be taken: %s", text(err))
}

// refuse fails an attempt for what another one would only repeat.
func refuse(code sdk.Code, report activities.AttemptReport, format string, args ...any) error {
	return failure(sdk.Final(code, fmt.Errorf(format, args...)), report)
}

// failure is an agent's error as Temporal carries it.
func failure(e *sdk.AgentError, report activities.AttemptReport) error {
	fault := e.Trim()
	if fault.Message == "" {
		fault.Message = "the agent failed without saying why"
	}
	report.Details = fault.Details
	return temporal.NewApplicationErrorWithOptions(fault.Message, string(fault.Code), temporal.ApplicationErrorOptions{
		NonRetryable:   !e.Retryable,
		NextRetryDelay: min(max(e.RetryAfter, 0), sdk.MaxTimeoutMs*time.Millisecond),
		Details:        []any{report},
	})
}

// text is an error without its code in front.
func text(err error) string {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
