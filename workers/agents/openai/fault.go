package openai

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// leastKey is the length of a key that is a secret: Ollama takes any word for one.
const leastKey = 8

// fault is the failure of an attempt without a whole answer, by the error of its stream; nil is a stream that broke off without one.
func (a *Agent) fault(err error) *sdk.AgentError {
	no, refused := errors.AsType[*refusal](err)
	if broken, ok := errors.AsType[*ssestream.StreamError](err); ok {
		no, refused = readRefusal(0, broken.Event.Data), true
	}
	switch {
	case refused:
		if len(a.config.APIKey) >= leastKey { // some endpoints repeat it
			no.message = strings.ReplaceAll(no.message, a.config.APIKey, redact.Marker)
		}
		return no.agentError()
	case errors.Is(err, errEvent):
		return sdk.Final(sdk.CodePayloadTooLarge, fmt.Errorf("%w: more than %d bytes", errEvent, maxEvent))
	case err == nil:
		return sdk.Retryable(CodeModelError, errors.New("the answer broke off before its end"))
	}
	if unreached, ok := errors.AsType[*url.Error](err); ok {
		return sdk.Retryable(CodeModelError, fmt.Errorf("the endpoint does not answer: %w", unreached.Err))
	}
	return sdk.Retryable(CodeModelError, fmt.Errorf("the answer broke off before its end: %w", err))
}

// refusal is an endpoint's word that it does not answer, or not any further.
type refusal struct {
	status  int    // the HTTP status; inside a stream the one that the endpoint names, or 0
	code    string // the endpoint's own
	message string // the endpoint's own; "" when it says nothing that can be read
	final   bool   // the same request would be refused again
	after   time.Duration
}

// Error implements error.
func (r *refusal) Error() string {
	if r.status == 0 {
		return cmp.Or(r.message, "the endpoint ended the answer with an error that it does not explain")
	}
	return strconv.Itoa(r.status) + " " + cmp.Or(r.message, http.StatusText(r.status), "no reason given")
}

// agentError is the refusal as the failure of an attempt.
func (r *refusal) agentError() *sdk.AgentError {
	if r.final || again(r.status, r.code) {
		return sdk.Final(CodeModelError, r)
	}
	fail := sdk.Retryable(CodeModelError, r)
	fail.RetryAfter = r.after
	return fail
}

// again reports whether the same request would be refused again: it does not fit, nobody pays for it, or it is wrong.
func again(status int, code string) bool {
	switch code {
	case "context_length_exceeded", "exceed_context_size_error", "insufficient_quota":
		return true
	case "invalid_request_error", "model_not_found", "invalid_api_key":
		if status == 0 {
			return true
		}
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status >= 400 && status < 500
	}
}

// wireError is an error as endpoints write it: OpenAI under "error", older vLLM at the top, others as a text under "error" or "detail".
type wireError struct {
	Error   json.RawMessage `json:"error"`
	Detail  json.RawMessage `json:"detail"`
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Code    json.RawMessage `json:"code"`
}

// readRefusal reads the body of an answer with an error status, or with status 0 an event inside a stream. An answer that is no error by its
// status has the status 0, too, and an error all the same when the body says so.
func readRefusal(status int, body []byte) *refusal {
	if status/100 == 2 {
		status = 0
	}
	var outer, inner wireError
	_ = json.Unmarshal(body, &outer) // a field of another kind stays empty
	_ = json.Unmarshal(outer.Error, &inner)
	r := &refusal{status: status}
	r.message = cmp.Or(inner.Message, text(outer.Error), outer.Message, text(outer.Detail))
	for _, code := range []string{text(inner.Code), text(outer.Code), inner.Type, outer.Type} {
		if n, err := strconv.Atoi(code); err == nil {
			if r.status == 0 && n >= 400 && n < 600 {
				r.status = n
			}
			continue
		}
		if r.code == "" || again(0, code) {
			r.code = code
		}
	}
	return r
}

// text is a JSON string's text or a number's digits, and "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// retryAfter is how long an endpoint asks to wait; 0 when it does not say.
func retryAfter(h http.Header) time.Duration {
	for _, unit := range []struct {
		name string
		unit time.Duration
	}{{"Retry-After-Ms", time.Millisecond}, {"Retry-After", time.Second}} {
		value := h.Get(unit.name)
		if n, err := strconv.ParseFloat(value, 64); err == nil && n > 0 {
			return time.Duration(min(n*float64(unit.unit), float64(sdk.MaxTimeoutMs*time.Millisecond)))
		}
		if at, err := http.ParseTime(value); err == nil {
			return max(time.Until(at), 0)
		}
	}
	return 0
}
