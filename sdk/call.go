package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxAnswer bounds what is read of an answer: a task with the largest input, output and answers fits twice.
	maxAnswer = 8 << 20
	// callTimeout bounds one sending of a call, beyond what it asks the service to wait.
	callTimeout = 30 * time.Second
	// maxSends bounds how often a call that may be repeated is sent.
	maxSends = 4
)

// call is one request to the service.
type call struct {
	method     string
	url        string
	body       any           // nil for none
	key        string        // the Idempotency-Key; "" for none
	repeatable bool          // sending it twice is the same as once
	wait       time.Duration // how long the service was asked to wait
	secret     string        // what of the url no error may show; "" for nothing
}

// name is the url as errors show it.
func (cl call) name() string { return cl.hide(cl.url) }

// hide is s without the call's secret.
func (cl call) hide(s string) string {
	if cl.secret == "" {
		return s
	}
	return strings.NewReplacer(cl.secret, "…", url.PathEscape(cl.secret), "…").Replace(s)
}

// do sends the call, repeatedly when that is allowed and the service was not there, and reads the answer into out.
func (c *Client) do(ctx context.Context, cl call, out any) error {
	var body []byte
	if cl.body != nil {
		var err error
		if body, err = encode(cl.body); err != nil {
			return Errorf(CodeInvalidInput, "the request can not be written as JSON: %v", err)
		}
	}
	retry := backoff{initial: 100 * time.Millisecond, limit: 2 * time.Second}
	for sent := 1; ; sent++ {
		err := c.send(ctx, cl, body, out)
		if err == nil || !cl.repeatable || sent == maxSends || !transient(err) {
			return err
		}
		pause, patient := retry.next(err)
		if !patient {
			return err
		}
		if stopped := sleep(ctx, pause); stopped != nil {
			return fmt.Errorf("%s %s: %w (last: %w)", cl.method, cl.name(), stopped, err)
		}
	}
}

// answered is what the service answers to a call, as [Client.do] has it.
func answered[T any](ctx context.Context, c *Client, cl call) (*T, error) {
	var out T
	if err := c.do(ctx, cl, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// checkID refuses what cannot be the id of a task, a session, a plan or an agent.
func checkID(kind, id string) error {
	if !ValidID(id) {
		return Errorf(CodeInvalidInput, "the %s id must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and -", kind)
	}
	return nil
}

// cancellation is the body of a call that cancels something.
type cancellation struct {
	Reason string `json:"reason,omitempty"`
}

func (r cancellation) validate() error {
	var f faults
	f.text("$.reason", r.Reason, MaxReason)
	return f.err()
}

// send sends the call once.
func (c *Client) send(ctx context.Context, cl call, body []byte, out any) error {
	once, cancel := context.WithTimeout(ctx, cl.wait+callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(once, cl.method, cl.url, bytes.NewReader(body))
	if err != nil {
		return Errorf(CodeInvalidInput, "%s", cl.hide(err.Error()))
	}
	c.headers(req.Header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if cl.key != "" {
		req.Header.Set("Idempotency-Key", cl.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, cl, err)
	}
	defer func() { _ = resp.Body.Close() }() // the answer was read; there is nobody left to tell
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(cl, resp)
	}
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	return c.read(ctx, cl, resp.Body, out)
}

// read decodes an answer. Fields it does not know are left alone: a newer service may send more.
func (c *Client) read(ctx context.Context, cl call, body io.Reader, out any) error {
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, cl, err)
	}
	if len(raw) > maxAnswer {
		return Errorf(CodePayloadTooLarge, "the answer of %s is larger than %d bytes", cl.name(), maxAnswer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return &Error{Code: CodeInternal, Message: fmt.Sprintf("%s did not answer like rolecall; look at EVENTS_SERVICE_URL", cl.name()), Cause: err}
	}
	return nil
}

// unreachable is the error of a call that got no whole answer: the context's own when that ended, else unavailable.
func (c *Client) unreachable(ctx context.Context, cl call, err error) error {
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%s %s: %w", cl.method, cl.name(), ended)
	}
	if cl.secret != "" {
		err = cause(err) // net/http puts the url before it
	}
	return &Error{
		Code:    CodeUnavailable,
		Message: fmt.Sprintf("cannot reach %s (EVENTS_SERVICE_URL): %v; is the service running there?", c.base.Redacted(), cause(err)),
		Cause:   err,
	}
}

// refusal is an answer that is not a success as an error. A redirect is one, too: it is never followed.
func refusal(cl call, resp *http.Response) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return &Error{
			Code: CodeInternal, Status: resp.StatusCode,
			Message: fmt.Sprintf("redirected to %q, which is not followed; set EVENTS_SERVICE_URL to the service itself", cl.hide(resp.Header.Get("Location"))),
		}
	}
	return ErrorFromResponse(resp)
}

// encode is JSON as it goes out: without escaping < and >, which could push an input over the bound of a body.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
