package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1 // the task or plan failed or was cancelled, or the service refused the request
	exitUsage       = 2 // the command line, the environment or the request is wrong
	exitUnreachable = 3 // the service, or what it needs, can not be reached
	exitTimedOut    = 4 // --wait-timeout passed
	exitInterrupted = 130
)

// exitError ends the command with a code; err, if any, is still to be printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef is a wrong command line or environment.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	e, ok := errors.AsType[*exitError](err)
	switch {
	case err == nil:
		return exitDone
	case ok:
		return e.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, sdk.ErrUnavailable):
		return exitUnreachable
	case errors.Is(err, sdk.ErrInvalidInput), errors.Is(err, sdk.ErrInvalidJSON):
		return exitUsage
	default:
		return exitFailed
	}
}

// complain prints an error: the message, then each fault on a line of its own; with --json one object on one line.
func (c *console) complain(err error) {
	code := codeOf(err)
	if e, ok := err.(*exitError); ok { //nolint:errorlint // only the outermost says nothing more than the code
		if err = e.err; err == nil {
			return
		}
	}
	if c.json {
		c.note("%s", errorJSON(err, code))
		return
	}
	c.note("%s", errorText(err))
}

// joined is an error and what failed after it; it is the error itself, which says more alone, where nothing did.
func joined(err, after error) error {
	if after == nil {
		return err
	}
	return errors.Join(err, after)
}

func errorText(err error) string {
	e, ok := err.(*sdk.Error) //nolint:errorlint // what wraps a refusal has more to say than the refusal alone
	if !ok {
		return "rolecall: " + printable(err.Error(), true)
	}
	text := "rolecall: " + printable(e.Message, false)
	if e.Code != sdk.CodeInvalidInput {
		text += fmt.Sprintf(" (%s)", e.Code)
	}
	for _, f := range e.Faults {
		text += "\n  " + printable(f.Path, false) + " " + printable(f.Message, false)
	}
	if advice := keyAdvice(e); advice != "" {
		text += "\n  " + advice
	}
	if e.Instance != "" && e.Code == sdk.CodeInternal {
		text += "\n  request " + printable(e.Instance, false)
	}
	return text
}

// keyAdvice says what to do about a refusal that has to do with the API key; "" is nothing.
func keyAdvice(e *sdk.Error) string {
	switch {
	case e.Code == sdk.CodeUnauthenticated:
		return "Set EVENTS_API_KEY to a key of this service. Who runs it makes one with: rolecall keys create"
	case e.Code == sdk.CodeForbidden && e.Status != 0:
		return "EVENTS_API_KEY holds who asks. A key with more scopes is made with: rolecall keys create --scope …"
	case len(e.Faults) == 1 && e.Faults[0].Path == "header.Rolecall-Project":
		return "Set PROJECT_ID to a project of the key in EVENTS_API_KEY, or leave it empty where the key has only one"
	default:
		return ""
	}
}

// errorJSON is the error with the words of a problem document.
func errorJSON(err error, exitCode int) []byte {
	out := struct {
		Code     sdk.Code    `json:"code"`
		Detail   string      `json:"detail"`
		Status   int         `json:"status,omitempty"`
		Instance string      `json:"instance,omitempty"`
		Errors   []sdk.Fault `json:"errors,omitempty"`
		ExitCode int         `json:"exitCode"`
	}{Code: "failed", Detail: err.Error(), ExitCode: exitCode}
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		out.Code, out.Status, out.Instance, out.Errors = e.Code, e.Status, e.Instance, e.Faults
		if e.Message != "" {
			out.Detail = e.Message
		}
	} else if out.ExitCode == exitUsage {
		out.Code = sdk.CodeInvalidInput
	}
	raw, failed := json.Marshal(out)
	if failed != nil {
		return []byte(`{"code":"failed"}`)
	}
	return raw
}
