package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The exit codes of sysexits.h: another attempt would only repeat them.
const (
	firstSysexit = 64
	lastSysexit  = 78
)

// errUsurped is the end of an attempt that lost its watchdog.
var errUsurped = errors.New(
	"the program was ended by somebody else: a later attempt at the task took over, or its watchdog was killed")

// ending is all that is known when the program and what it started are gone.
type ending struct {
	answer   answer
	text     []byte // stdout's log
	textOver bool   // there was more of it than an output may hold
	exitCode int    // -1 when a signal ended it
	signal   string // the signal that ended it, or ""
	stopped  error  // why we stopped it, or nil when it ended by itself
	usurped  bool   // somebody else ended its processes
	stderr   string // the end of it
	log      string // the end of stdout's log
}

// conclude answers what the attempt comes to, by the rules in the package's documentation.
func (e ending) conclude() (*sdk.Result, error) {
	a := e.answer
	clean := e.exitCode == 0 && e.signal == ""
	switch {
	case e.stopped != nil && a.result != nil:
		return a.result, nil
	case e.stopped != nil && !(clean && a.input != nil):
		return nil, e.stopped
	case e.stopped == nil && a.failure != nil:
		return nil, e.failed(a.failure)
	case e.usurped:
		return nil, e.failed(sdk.Retryable("", errUsurped))
	case !clean:
		return nil, e.failed(e.exit())
	case a.unfit != nil:
		return nil, a.unfit
	case a.input != nil:
		return nil, a.input
	case a.result != nil:
		return a.result, nil
	default:
		return e.plain()
	}
}

// plain is the result of a program that gave none: its stdout.
func (e ending) plain() (*sdk.Result, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	text := struct {
		Text string `json:"text"`
	}{strings.ToValidUTF8(string(e.text), "\uFFFD")}
	if err := enc.Encode(text); err != nil {
		return nil, fmt.Errorf("write stdout as JSON: %w", err)
	}
	out := bytes.TrimSpace(b.Bytes())
	if e.textOver || len(out) > sdk.MaxOutput {
		return nil, sdk.Final(sdk.CodePayloadTooLarge, sdk.Errorf(sdk.CodePayloadTooLarge,
			"the program printed more than the %d bytes an output may hold; write it to a store and answer with a reference",
			sdk.MaxOutput))
	}
	return &sdk.Result{Output: out}, nil
}

// exit is the failure of a program that ended badly and did not say why.
func (e ending) exit() *sdk.AgentError {
	how := fmt.Sprintf("the program ended with exit code %d", e.exitCode)
	if e.signal != "" {
		how = "the program was killed by a signal (" + e.signal + ")"
	}
	if last := lastLine(e.stderr); last != "" {
		how += ": " + last
	}
	fail := sdk.Retryable(sdk.CodeAgentFailed, errors.New(how))
	fail.Retryable = e.exitCode < firstSysexit || e.exitCode > lastSysexit
	return fail
}

// failed adds how the program ended to a failure that has no details of its own.
func (e ending) failed(f *sdk.AgentError) *sdk.AgentError {
	if f.Details == nil {
		f.Details = e.details()
	}
	f.TaskError = f.Trim()
	return f
}

// details are the exit code and the ends of stderr and stdout, shortened until they fit, stdout first.
func (e ending) details() json.RawMessage {
	d := struct {
		ExitCode *int   `json:"exitCode,omitempty"`
		Signal   string `json:"signal,omitempty"`
		Stderr   string `json:"stderr,omitempty"`
		Stdout   string `json:"stdout,omitempty"`
	}{Signal: e.signal, Stderr: e.stderr, Stdout: e.log}
	if e.signal == "" {
		d.ExitCode = &e.exitCode
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

// lastLine is the last line of s that says anything, at most 512 bytes of it.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		s = s[i+1:]
	}
	return strings.ToValidUTF8(s[max(0, len(s)-512):], "")
}
