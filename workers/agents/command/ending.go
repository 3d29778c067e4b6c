package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ending is all that is known when the program and what it started are gone.
type ending struct {
	Exit
	answer   answer
	text     []byte // stdout's log
	textOver bool   // there was more of it than an output may hold
}

// conclude answers what the attempt comes to, by the rules in the package's documentation.
func (e ending) conclude() (*sdk.Result, error) {
	a := e.answer
	switch {
	case e.Stopped != nil && a.result != nil:
		return a.result, nil
	case e.Stopped != nil && !(e.Clean() && a.input != nil):
		return nil, e.Stopped
	case e.Stopped == nil && a.failure != nil:
		return nil, e.Explain(a.failure)
	case e.Usurped, !e.Clean():
		return nil, e.Failure()
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
