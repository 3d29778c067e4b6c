package pi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
	"github.com/rolecall-dev/rolecall/workers/agents/internal/learned"
)

// CodeModelError is the failure of an attempt whose model could not be asked or did not answer to the end.
const CodeModelError sdk.Code = "model_error"

// Conclude implements command.Talk. pi exits with 0 whatever the model did, so that three facts are needed for a success: the
// run has ended, its last answer stopped by itself, and the exit code is 0.
func (s *stream) Conclude(e command.Exit) (*sdk.Result, error) {
	switch {
	case e.Stopped != nil:
		return nil, e.Stopped
	case e.Usurped, !e.Clean():
		return nil, s.badExit(e)
	case !s.ended:
		return nil, e.Explain(sdk.Retryable("", errors.New("pi ended before its run did: "+orNothing(s.lastLine(e.Stderr)))))
	case s.tooLong:
		return nil, e.Explain(tooLarge())
	case s.last == nil:
		return nil, e.Explain(sdk.Retryable(CodeModelError, errors.New("the model gave no answer")))
	case s.last.StopReason == stopReasonStop:
		return s.result()
	default:
		return nil, e.Explain(s.modelError())
	}
}

// badExit is the failure of a pi that ended badly. What keeps it from beginning, such as a key that is missing, it says in the first
// line of stderr; where that is not kept, the last one has to do.
func (s *stream) badExit(e command.Exit) *sdk.AgentError {
	fail := e.Failure()
	why := firstLine(e.Stderr)
	if e.StderrCut {
		why = s.lastLine(e.Stderr)
	}
	if !s.begun && !e.Usurped && e.Signal == "" && why != "" {
		fail.Message = fmt.Sprintf("pi did not begin, and ended with exit code %d: %s", e.Code, why)
		fail.TaskError = fail.Trim()
	}
	return fail
}

// firstLine is the first line of s that says anything.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.ToValidUTF8(strings.TrimSpace(line), "")
}

// result is that of a run that went well.
func (s *stream) result() (*sdk.Result, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(struct {
		Text string `json:"text"`
	}{s.last.text()}); err != nil {
		return nil, fmt.Errorf("write the answer as JSON: %w", err)
	}
	out := bytes.TrimSpace(b.Bytes())
	if len(out) > sdk.MaxOutput {
		return nil, tooLarge()
	}
	res := &sdk.Result{Output: out, Metrics: s.metrics}
	if len(s.last.Model) <= sdk.MaxModel {
		res.Model = s.last.Model
	}
	learned.Complete(res, s.learned.Result(0))
	return res, nil
}

func tooLarge() *sdk.AgentError {
	return sdk.Final(sdk.CodePayloadTooLarge, sdk.Errorf(sdk.CodePayloadTooLarge,
		"the answer is larger than the %d bytes an output may hold; ask for a file in place of a long answer", sdk.MaxOutput))
}

// modelError is the failure of a run whose last answer did not stop by itself.
func (s *stream) modelError() *sdk.AgentError {
	why := s.last.ErrorMessage
	if why == "" {
		why = s.gaveUp
	}
	switch {
	case s.last.StopReason == stopReasonLength:
		why = "the model's answer was cut off at its length limit"
	case why == "":
		why = fmt.Sprintf("the model's answer ended with %q", s.last.StopReason)
	}
	if refused(why) {
		return sdk.Final(CodeModelError, errors.New(why))
	}
	return sdk.Retryable(CodeModelError, errors.New(why))
}

// refused reports whether a model's error begins with an HTTP status that the same request would meet again.
func refused(why string) bool {
	status, _, _ := strings.Cut(why, " ")
	switch status {
	case "400", "401", "402", "403", "404", "405", "413", "415", "422":
		return true
	default:
		return false
	}
}

func orNothing(line string) string {
	if line == "" {
		return "it said nothing about it"
	}
	return line
}
