package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The exit codes of sysexits.h: another attempt would only repeat them.
const (
	firstSysexit = 64
	lastSysexit  = 78
)

// maxLastLine bounds what a failure's message says of a log.
const maxLastLine = 512

// errUsurped is the end of an attempt that lost its watchdog.
var errUsurped = errors.New(
	"the program was ended by somebody else: a later attempt at the task took over, or its watchdog was killed")

// Exit is how a program ended, when it and all that it started are gone.
type Exit struct {
	Code    int    // -1 when a signal ended it
	Signal  string // the signal that ended it, or ""
	Stopped error  // why it was stopped from outside, or nil when it ended by itself
	Usurped bool   // somebody else ended its processes
	Stderr  string // the end of it, at most Config.MaxLog bytes
	Stdout  string // the end of what of it is worth keeping for a failure, or ""

	StderrCut bool // there was more of Stderr before
}

// Clean reports whether the program ended with exit code 0.
func (e Exit) Clean() bool { return e.Code == 0 && e.Signal == "" }

// Failure is that of a program that ended badly and did not say why: retryable, but for the exit codes 64 to 78 (sysexits).
func (e Exit) Failure() *sdk.AgentError {
	if e.Usurped {
		return e.Explain(sdk.Retryable("", errUsurped))
	}
	how := fmt.Sprintf("the program ended with exit code %d", e.Code)
	if e.Signal != "" {
		how = "the program was killed by a signal (" + e.Signal + ")"
	}
	if last := lastLine(e.Stderr); last != "" {
		how += ": " + last
	}
	fail := sdk.Retryable(sdk.CodeAgentFailed, errors.New(how))
	fail.Retryable = e.Code < firstSysexit || e.Code > lastSysexit
	return e.Explain(fail)
}

// Explain adds how the program ended to a failure that has no details of its own.
func (e Exit) Explain(f *sdk.AgentError) *sdk.AgentError {
	if f.Details == nil {
		f.Details = e.details()
	}
	f.TaskError = f.Trim()
	return f
}

// details are the exit code and the ends of stderr and stdout, shortened until they fit, stdout first.
func (e Exit) details() json.RawMessage {
	d := struct {
		ExitCode *int   `json:"exitCode,omitempty"`
		Signal   string `json:"signal,omitempty"`
		Stderr   string `json:"stderr,omitempty"`
		Stdout   string `json:"stdout,omitempty"`
	}{Signal: e.Signal, Stderr: e.Stderr, Stdout: e.Stdout}
	if e.Signal == "" {
		d.ExitCode = &e.Code
	}
	for {
		raw, err := json.Marshal(d)
		if err != nil {
			return nil
		}
		if len(raw) <= sdk.MaxErrorDetails {
			return raw
		}
		if len(d.Stdout) > 256 {
			d.Stdout = lastHalf(d.Stdout)
		} else {
			d.Stderr = lastHalf(d.Stderr)
		}
	}
}

// lastHalf drops the older half of s.
func lastHalf(s string) string { return strings.ToValidUTF8(s[(len(s)+1)/2:], "") }

// lastLine is the last line of s that says anything, at most maxLastLine bytes of it.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		s = s[i+1:]
	}
	if over := len(s) - maxLastLine; over > 0 {
		s = s[over:]
		s = s[max(0, strings.IndexFunc(s, unicode.IsSpace)):] // a whole word first: the end of a secret is no longer known for one
	}
	return strings.ToValidUTF8(s, "")
}
