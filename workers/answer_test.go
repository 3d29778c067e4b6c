package workers

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

func TestFailuresAsTemporalCarriesThem(t *testing.T) {
	t.Parallel()
	text := func(n int, s string) json.RawMessage { return json.RawMessage(`"` + strings.Repeat(s, n) + `"`) }
	nan := math.NaN()
	for name, tc := range map[string]struct {
		e     ending
		code  sdk.Code
		final bool
	}{
		"plain error":             {ending{err: errors.New("no")}, sdk.CodeAgentFailed, false},
		"final":                   {ending{err: sdk.Final("my_code", errors.New("no"))}, "my_code", true},
		"retryable":               {ending{err: sdk.Retryable("my_code", errors.New("no"))}, "my_code", false},
		"bad code":                {ending{err: sdk.Final("Not A Code", errors.New("no"))}, sdk.CodeAgentFailed, true},
		"interrupted":             {ending{err: errors.New("killed"), cause: sdk.ErrInterruptedAttempt}, sdk.CodeInterrupted, false},
		"lease lost":              {ending{err: errors.New("killed"), cause: sdk.ErrLeaseLost}, sdk.CodeInterrupted, false},
		"nothing returned":        {ending{}, sdk.CodeInvalidOutput, true},
		"output too large":        {ending{result: &sdk.Result{Output: text(sdk.MaxOutput, "x")}}, sdk.CodePayloadTooLarge, true},
		"result large as JSON":    {ending{result: &sdk.Result{EpisodeRefs: []string{strings.Repeat("x", maxReport)}}}, sdk.CodePayloadTooLarge, true},
		"output is no JSON":       {ending{result: &sdk.Result{Output: json.RawMessage(`{"a":`)}}, sdk.CodeInvalidOutput, true},
		"output is not UTF-8":     {ending{result: &sdk.Result{Output: json.RawMessage("\"\xff\"")}}, sdk.CodeInvalidOutput, true},
		"output nests too deep":   {ending{result: &sdk.Result{Output: json.RawMessage(strings.Repeat("[", 65) + strings.Repeat("]", 65))}}, sdk.CodeInvalidOutput, true},
		"cost is no number":       {ending{result: &sdk.Result{Metrics: sdk.Metrics{CostUSD: &nan}}}, sdk.CodeInvalidOutput, true},
		"question without text":   {ending{err: sdk.AskInput(" ", nil)}, sdk.CodeInvalidOutput, true},
		"question too long":       {ending{err: sdk.AskInput(strings.Repeat("x", sdk.MaxPrompt+1), nil)}, sdk.CodePayloadTooLarge, true},
		"question, broken schema": {ending{err: sdk.AskInput("which?", json.RawMessage(`{"type":7}`))}, sdk.CodeInvalidOutput, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.e.answer(activities.AttemptReport{AgentID: "agent-1", Resume: json.RawMessage(`7`)})
			e, ok := errors.AsType[*temporal.ApplicationError](err)
			if !ok || e.Type() != string(tc.code) || e.NonRetryable() != tc.final || e.Message() == "" {
				t.Fatalf("answered %#v, want %s, final %t", err, tc.code, tc.final)
			}
			if got := reportOf(t, err); got.AgentID != "agent-1" || string(got.Resume) != "7" || got.Result != nil || got.InputRequired != nil {
				t.Errorf("the failure carries %+v", got)
			}
		})
	}
}

func TestAnAgentErrorKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	said := sdk.Retryable("rate_limited_upstream", errors.New(strings.Repeat("é", sdk.MaxErrorMessage)))
	said.RetryAfter, said.Details = 7*time.Second, json.RawMessage(`{"limit":3}`)
	_, err := ending{err: said}.answer(activities.AttemptReport{})
	e, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || e.NextRetryDelay() != 7*time.Second || len(e.Message()) > sdk.MaxErrorMessage {
		t.Fatalf("answered %v", err)
	}
	if got := reportOf(t, err); string(got.Details) != `{"limit":3}` {
		t.Errorf("details %s", got.Details)
	}
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	mine := &sdk.Result{Output: json.RawMessage(`{"a":1}`), Reflection: json.RawMessage(`{`), Error: &sdk.TaskError{}}
	for name, e := range map[string]ending{
		"plain":                  {},
		"after a cancel request": {cancelled: true, cause: sdk.ErrCancelRequested},
		"after an interruption":  {cause: sdk.ErrInterruptedAttempt},
	} {
		e.result, e.took = mine, 1500*time.Millisecond
		got, err := e.answer(activities.AttemptReport{Resume: json.RawMessage(`7`), N: 4})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := got.Result
		if r.Status != sdk.StatusCompleted || r.Error != nil || r.Metrics.DurationMs != 1500 || r.Reflection != nil || got.N != 4 || got.Resume != nil {
			t.Errorf("%s: answered %+v with %+v", name, got, r)
		}
	}
	if mine.Status != "" || mine.Metrics.DurationMs != 0 {
		t.Errorf("the handler's own result was changed: %+v", mine)
	}
	if _, err := (ending{result: &sdk.Result{Output: json.RawMessage(`"` + strings.Repeat("x", sdk.MaxOutput-2) + `"`)}}).answer(activities.AttemptReport{}); err != nil {
		t.Errorf("an output of exactly 1 MiB: %v", err)
	}
}

func TestAskingAndCancelling(t *testing.T) {
	t.Parallel()
	question := sdk.AskInput("which?", json.RawMessage(`{"type":"string"}`))
	got, err := ending{err: question, cause: sdk.ErrInterruptedAttempt}.answer(activities.AttemptReport{Resume: json.RawMessage(`7`)})
	if err != nil || got.InputRequired == nil || got.InputRequired.Prompt != "which?" || string(got.Resume) != "7" {
		t.Errorf("a question asked while draining: %+v, %v", got, err)
	}
	for name, e := range map[string]error{"question": question, "error": sdk.Final("x", errors.New("no"))} {
		if _, err := (ending{err: e, cancelled: true}).answer(activities.AttemptReport{}); !temporal.IsCanceledError(err) {
			t.Errorf("%s after a cancel request: %v", name, err)
		}
	}
}

func TestAnswer_KeepsReservedCodesFromAgents(t *testing.T) {
	t.Parallel()
	for _, code := range []sdk.Code{sdk.CodeInterrupted, sdk.CodeWorkerLost, sdk.CodeTotalTimeout} {
		_, err := ending{err: sdk.Retryable(code, errors.New("says the agent"))}.answer(activities.AttemptReport{})
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		if !ok || app.Type() != string(sdk.CodeAgentFailed) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
