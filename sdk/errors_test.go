package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestErrorsCompareByCode(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("reading: %w", sdk.Errorf(sdk.CodeNotFound, "task %s is not there", "t1"))
	if !errors.Is(err, sdk.ErrNotFound) {
		t.Error("a wrapped not_found is not ErrNotFound")
	}
	if errors.Is(err, sdk.ErrConflict) {
		t.Error("not_found is ErrConflict")
	}
	if errors.Is(sdk.ErrNotFound, io.EOF) {
		t.Error("not_found is another package's error")
	}
	below := &sdk.Error{Code: sdk.CodeUnavailable, Cause: io.ErrUnexpectedEOF}
	if !errors.Is(below, io.ErrUnexpectedEOF) || !errors.Is(below, sdk.ErrUnavailable) {
		t.Error("an error with a cause is not both")
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"not_found":               sdk.ErrNotFound,
		"conflict: it has ended":  sdk.Errorf(sdk.CodeConflict, "it has ended"),
		"agent_failed: no ink":    &sdk.TaskError{Code: "agent_failed", Message: "no ink"},
		"input required: Which?":  sdk.AskInput("Which?", nil),
		"out_of_ink: ink is gone": sdk.Final("out_of_ink", errors.New("ink is gone")),
		"invalid_input: not valid; $.a is required; $.b is empty": &sdk.Error{
			Code: "invalid_input", Message: "not valid",
			Faults: []sdk.Fault{{Path: "$.a", Message: "is required"}, {Path: "$.b", Message: "is empty"}},
		},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAgentErrors(t *testing.T) {
	t.Parallel()
	plain := sdk.AsAgentError(io.EOF)
	if !plain.Retryable || plain.Code != sdk.CodeAgentFailed || !errors.Is(plain, io.EOF) {
		t.Errorf("a plain error counts as %+v", plain)
	}
	final := sdk.Final("", context.DeadlineExceeded)
	if final.Retryable || final.Code != sdk.CodeAgentFailed || !errors.Is(final, context.DeadlineExceeded) {
		t.Errorf("Final made %+v", final)
	}
	own := sdk.Retryable("out_of_ink", io.EOF)
	own.RetryAfter = time.Minute
	if got := sdk.AsAgentError(fmt.Errorf("printing: %w", own)); got != own {
		t.Errorf("a wrapped agent error counts as %+v", got)
	}
}

func TestTaskErr(t *testing.T) {
	t.Parallel()
	reason := &sdk.TaskError{Code: "queue_timeout", Message: "nobody took it"}
	for name, tc := range map[string]struct {
		task sdk.Task
		want sdk.Code // "" for none
	}{
		"running":             {sdk.Task{Status: sdk.StatusRunning}, ""},
		"completed":           {sdk.Task{Status: sdk.StatusCompleted, Result: &sdk.Result{}}, ""},
		"failed":              {sdk.Task{Status: sdk.StatusFailed, Result: &sdk.Result{Error: reason}}, "queue_timeout"},
		"failed, no record":   {sdk.Task{Status: sdk.StatusFailed}, "agent_failed"},
		"cancelled":           {sdk.Task{Status: sdk.StatusCancelled, Result: &sdk.Result{Error: &sdk.TaskError{Code: "why"}}}, "why"},
		"cancelled, no error": {sdk.Task{Status: sdk.StatusCancelled}, "cancelled"},
	} {
		err := tc.task.Err()
		var got sdk.Code
		if e, ok := errors.AsType[*sdk.TaskError](err); ok {
			got = e.Code
		}
		if got != tc.want || (err == nil) != (tc.want == "") {
			t.Errorf("%s: %v, want code %q", name, err, tc.want)
		}
	}
}
