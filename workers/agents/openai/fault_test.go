package openai

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// failure is how an attempt fails.
type failure struct {
	answer http.HandlerFunc
	code   sdk.Code // default model_error
	says   string
	final  bool
	after  time.Duration
}

func (f failure) run(t *testing.T) {
	t.Helper()
	e := serve(t, f.answer)
	res, err := e.agent(t).Handle(t.Context(), task(), newDesk())
	got, ok := errors.AsType[*sdk.AgentError](err)
	if !ok {
		t.Fatalf("ended with %+v, %v", res, err)
	}
	if f.code == "" {
		f.code = CodeModelError
	}
	if got.Code != f.code || got.Message != f.says || got.Retryable == f.final || got.RetryAfter != f.after {
		t.Errorf("failed with %s, retryable %v, after %s: %q\nwant %s, %v, %s: %q",
			got.Code, got.Retryable, got.RetryAfter, got.Message, f.code, !f.final, f.after, f.says)
	}
	if n := len(e.requests()); n != 1 {
		t.Errorf("asked %d times: attempts are the task's", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const plain = "Content-Type: text/plain"
	for name, f := range map[string]failure{
		"no key":         {answer: refuses(401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`), says: "401 Incorrect API key provided", final: true},
		"not allowed":    {answer: refuses(403, `{"error":"not for you"}`), says: "403 not for you", final: true},
		"no such model":  {answer: refuses(404, `{"error":{"message":"model \"big\" not found","type":"not_found_error","param":null,"code":null}}`), says: `404 model "big" not found`, final: true},
		"wrong address":  {answer: refuses(404, "404 page not found\n", plain), says: "404 Not Found: is the endpoint's address right? Most end in /v1", final: true},
		"too long":       {answer: refuses(400, `{"error":{"message":"maximum context length is 8192","code":"context_length_exceeded"}}`), says: "400 maximum context length is 8192", final: true},
		"vLLM, too long": {answer: refuses(400, `{"object":"error","message":"maximum context length","type":"BadRequestError","param":null,"code":400}`), says: "400 maximum context length", final: true},
		"a list":         {answer: refuses(422, `{"detail":[{"msg":"extra fields"}]}`), says: "422 Unprocessable Entity", final: true},
		"too fast":       {answer: refuses(429, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, "Retry-After: 7"), says: "429 slow down", after: 7 * time.Second},
		"much too fast":  {answer: refuses(429, ``, "Retry-After-Ms: 1500", "Retry-After: 2"), says: "429 Too Many Requests", after: 1500 * time.Millisecond},
		"not paid":       {answer: refuses(429, `{"error":{"message":"check your plan","type":"insufficient_quota","code":"insufficient_quota"}}`), says: "429 check your plan", final: true},
		"broken":         {answer: refuses(500, `{"error":{"message":"out of order"}}`), says: "500 out of order"},
		"loading":        {answer: refuses(503, `<html>`, "Content-Type: text/html", "Retry-After: 3"), says: "503 Service Unavailable", after: 3 * time.Second},
		"of its own":     {answer: refuses(599, ``), says: "599 no reason given"},
		"a page":         {answer: refuses(200, `<html>`, "Content-Type: text/html; charset=utf-8"), says: "the endpoint answers with text/html and not with a stream: is its address right? Most end in /v1", final: true},
		"no stream":      {answer: refuses(200, `{"choices":[]}`), says: "the endpoint answers with application/json and not with a stream: is its address right? Most end in /v1", final: true},
		"200, an error":  {answer: refuses(200, `{"error":{"message":"upstream is away","code":502}}`), says: "502 upstream is away"},
		"200, too long":  {answer: refuses(200, `{"error":{"message":"does not fit","code":400}}`), says: "400 does not fit", final: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

func TestStreamsThatFail(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		send(w, says("Half"))
		panic(http.ErrAbortHandler)
	}
	for name, f := range map[string]failure{
		"cut":            {answer: cut, says: "the answer broke off before its end: unexpected EOF"},
		"without an end": {answer: stream(says("Half")), says: "the answer broke off before its end"},
		"empty":          {answer: stream(), says: "the answer broke off before its end"},
		"done too soon":  {answer: stream(says("Half"), done), says: "the answer broke off before its end"},
		"no answer":      {answer: stream(ends("stop"), done), says: "the model gave no answer"},
		"cut off":        {answer: stream(says("Half"), ends("length"), done), says: "the model's answer was cut off at its length limit"},
		"filtered":       {answer: stream(says("Half"), ends("content_filter"), done), says: "the endpoint's content filter cut the model's answer off", final: true},
		"a tool":         {answer: stream(ends("tool_calls"), done), says: "the model called a tool, and has none"},
		"ends in error":  {answer: stream(says("Half"), ends("error"), done), says: "the model's answer ended with an error that the endpoint does not explain"},
		"refused":        {answer: stream(`{"choices":[{"index":0,"delta":{"refusal":"I will not."}}]}`, ends("stop"), done), says: "the model refused: I will not.", final: true},
		"an error":       {answer: stream(says("Half"), `{"error":{"message":"out of memory","type":"server_error"}}`), says: "out of memory"},
		"a bare error":   {answer: stream(says("Half"), `{"error":{}}`), says: "the endpoint ended the answer with an error that it does not explain"},
		"502 inside":     {answer: stream(says("Half"), `{"error":{"message":"upstream is away","code":502}}`), says: "502 upstream is away"},
		"400 inside":     {answer: stream(`{"error":{"message":"does not fit","type":"BadRequestError","code":400}}`), says: "400 does not fit", final: true},
		"full inside":    {answer: stream(says("Half"), `{"error":{"message":"does not fit","type":"exceed_context_size_error"}}`), says: "does not fit", final: true},
		"no JSON":        {answer: stream("I am no JSON"), says: "the answer broke off before its end: invalid character 'I' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

// TestAnAnswerThatIsTooLarge: it is not held, and not read any further.
func TestAnAnswerThatIsTooLarge(t *testing.T) {
	t.Parallel()
	const tooLong = "payload_too_large: the answer is larger than the 1048576 bytes an output may hold; ask for a shorter one, or divide the task"
	piece := strings.Repeat("x", 1<<10)
	for name, f := range map[string]struct {
		event string
		says  string
	}{
		"in pieces":     {says(piece), tooLong},
		"in one piece":  {says(strings.Repeat("x", sdk.MaxOutput+1)), tooLong},
		"in one event":  {`{"id":"` + strings.Repeat("x", maxEvent), "a piece of the answer is too large: more than 4194304 bytes"},
		"in many lines": {strings.Repeat("x\ndata: ", maxEvent/7+1), "a piece of the answer is too large: more than 4194304 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			answer := func(w http.ResponseWriter, r *http.Request) {
				defer close(gone)
				w.Header().Set("Content-Type", "text/event-stream")
				for r.Context().Err() == nil { // it would go on for ever
					send(w, f.event)
				}
			}
			failure{answer: answer, code: sdk.CodePayloadTooLarge, says: f.says, final: true}.run(t)
			within(t, "end of the request", gone)
		})
	}
}

// TestAnOutputAtItsBound: what counts is the output as JSON.
func TestAnOutputAtItsBound(t *testing.T) {
	t.Parallel()
	room := sdk.MaxOutput - len(`{"text":""}`)
	if out, err := output(strings.Repeat("x", room)); err != nil || len(out) != sdk.MaxOutput || !json.Valid(out) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	for _, text := range []string{strings.Repeat("x", room+1), strings.Repeat("\n", room/2+1)} {
		if _, err := output(text); !errors.Is(err, sdk.ErrPayloadTooLarge) {
			t.Errorf("%d bytes of %.1q: %v", len(text), text, err)
		}
	}
}

func TestAnEndpointThatIsAway(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	agent := (&endpoint{url: "http://" + l.Addr().String() + "/v1"}).agent(t)
	_, err = agent.Handle(t.Context(), task(), newDesk())
	got, ok := errors.AsType[*sdk.AgentError](err)
	if !ok || !got.Retryable || got.Code != CodeModelError || !strings.HasPrefix(got.Message, "the endpoint does not answer: dial tcp "+l.Addr().String()) {
		t.Errorf("failed with %+v, %v", got, err)
	}
}

// TestTheKeyIsNotRepeated: an error ends up in the task.
func TestTheKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	const key = "correct-horse-battery"
	for _, answer := range []http.HandlerFunc{
		refuses(401, `{"error":{"message":"the key `+key+` is not known"}}`),
		stream(`{"error":{"message":"the key ` + key + ` is not known","code":401}}`),
	} {
		_, err := serve(t, answer).agent(t, func(c *Config) { c.APIKey = key }).Handle(t.Context(), task(), newDesk())
		if got, ok := errors.AsType[*sdk.AgentError](err); !ok || got.Message != "401 the key [redacted] is not known" {
			t.Errorf("failed with %v", err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-3": 0, "soon": 0, "NaN": 0, "1.5": 1500 * time.Millisecond, "120": 2 * time.Minute,
		"1e300": sdk.MaxTimeoutMs * time.Millisecond, "Inf": sdk.MaxTimeoutMs * time.Millisecond,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := retryAfter(http.Header{"Retry-After": {later}}); got <= 50*time.Minute || got > time.Hour {
		t.Errorf("%q is %s", later, got)
	}
}
