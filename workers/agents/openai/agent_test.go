package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func number(n int64) *int64 { return &n }

func TestAnAnswer(t *testing.T) {
	t.Parallel()
	e := serve(t, stream(
		`{"id":"c","object":"chat.completion.chunk","model":"small-2026","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
		says("It is "), says("<fine>."), ends("stop"), took, done))
	d := newDesk()
	a := task()
	a.Model = "ollama/large"
	res, err := e.agent(t, func(c *Config) { c.APIKey = "sk-test" }).Handle(t.Context(), a, d)
	if err != nil {
		t.Fatal(err)
	}
	spent := sdk.Metrics{TokensUsed: number(75), InputTokens: number(70), OutputTokens: number(5)}
	want := &sdk.Result{Output: json.RawMessage(`{"text":"It is <fine>."}`), Model: "small-2026", Metrics: spent}
	if diff := cmp.Diff(want, res); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(spent, d.spent); diff != "" {
		t.Errorf("spent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"session|Thinking||", "message|Processing||It is ", "message|Processing||<fine>.", "message|Processing|It is <fine>.|",
	}, d.told); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sdk.OutputFrame{{Delta: "It is "}, {Delta: "<fine>."}}, d.frames); diff != "" {
		t.Errorf("live output (-want +got):\n%s", diff)
	}
	asked := e.requests()
	if len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
	got := asked[0]
	if got.Method != http.MethodPost || got.Path != "/v1/chat/completions" || got.Header.Get("Authorization") != "Bearer sk-test" {
		t.Errorf("asked %s %s with %v", got.Method, got.Path, got.Header)
	}
	if b := got.Body; b.Model != "large" || !b.Stream || !b.StreamOptions["include_usage"] || len(b.Messages) != 1 || b.Messages[0].Role != "user" || b.Messages[0].Content != prompt(a) {
		t.Errorf("asked %+v", b)
	}
}

// TestUsageThatIsToldAgainAndAgain: some endpoints count with every piece.
func TestUsageThatIsToldAgainAndAgain(t *testing.T) {
	t.Parallel()
	piece := func(in, out string) string {
		return `{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":` + in + `,"completion_tokens":` + out + `}}`
	}
	d := newDesk()
	res, err := serve(t, stream(piece("7", "1"), piece("7", "2"), ends("stop"), done)).agent(t).Handle(t.Context(), task(), d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sdk.Metrics{TokensUsed: number(9), InputTokens: number(7), OutputTokens: number(2)}, res.Metrics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(res.Metrics, d.spent); diff != "" {
		t.Errorf("spent (-want +got):\n%s", diff)
	}
}

// TestWhatAnEndpointNeedNotSay: no model, no usage, no [DONE], a reason of its own.
func TestWhatAnEndpointNeedNotSay(t *testing.T) {
	t.Parallel()
	e := serve(t, stream(`{"choices":[{"delta":{"content":"Yes."},"finish_reason":"eos"}]}`))
	res, err := e.agent(t).Handle(t.Context(), task(), newDesk())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&sdk.Result{Output: json.RawMessage(`{"text":"Yes."}`), Model: "small"}, res); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, sent := e.requests()[0].Header["Authorization"]; sent {
		t.Error("a key was sent, and there is none")
	}
}

// TestAStreamMayBeLongerThanOneEvent: what a model thinks is passed over, however much it is and whatever ends the lines.
func TestAStreamMayBeLongerThanOneEvent(t *testing.T) {
	t.Parallel()
	thinks := `{"choices":[{"index":0,"delta":{"reasoning":"` + strings.Repeat("hm ", 16<<10) + `"}}]}`
	for name, end := range map[string]string{"newlines": "\n\n", "with carriage returns": "\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range 2 * maxEvent / len(thinks) {
					_, _ = io.WriteString(w, "data: "+thinks+end) // the client may have gone
				}
				_, _ = io.WriteString(w, ": a comment"+end+"data: "+says("Yes.")+end+"data: "+ends("stop")+end)
			})
			res, err := e.agent(t).Handle(t.Context(), task(), newDesk())
			if err != nil || string(res.Output) != `{"text":"Yes."}` {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

// TestTextThatIsJSONStaysText: what an output looks like does not depend on what a model wrote.
func TestTextThatIsJSONStaysText(t *testing.T) {
	t.Parallel()
	res, err := serve(t, stream(says(`{"a":1}`), ends("stop"), done)).agent(t).Handle(t.Context(), task(), newDesk())
	if err != nil || string(res.Output) != `{"text":"{\"a\":1}"}` {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(a *Agent, cancel context.CancelCauseFunc) error{
		"cancelled": func(_ *Agent, cancel context.CancelCauseFunc) error {
			cancel(sdk.ErrCancelRequested)
			return sdk.ErrCancelRequested
		},
		"lost": func(_ *Agent, cancel context.CancelCauseFunc) error {
			cancel(sdk.ErrLeaseLost)
			return sdk.ErrLeaseLost
		},
		"closed": func(a *Agent, _ context.CancelCauseFunc) error {
			_ = a.Close() // it answers nil
			return sdk.ErrInterruptedAttempt
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			e := serve(t, func(w http.ResponseWriter, r *http.Request) {
				defer close(gone)
				w.Header().Set("Content-Type", "text/event-stream")
				send(w, says("I am"))
				<-r.Context().Done()
			})
			agent, d := e.agent(t), newDesk()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := agent.Handle(ctx, task(), d)
				ended <- err
			}()
			within(t, "the first piece", d.heard)
			want := stop(agent, cancel)
			if err := <-ended; !errors.Is(err, want) {
				t.Errorf("ended with %v, want %v", err, want)
			}
			within(t, "the end of the request", gone)
		})
	}
}

func within[T any](t *testing.T, what string, fact <-chan T) {
	t.Helper()
	select {
	case <-fact:
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
	}
}

// TestAnAnswerThatIsCompleteCounts: an endpoint that does not end its stream, or breaks it off, has said all there is.
func TestAnAnswerThatIsCompleteCounts(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]http.HandlerFunc{
		"hangs":      func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				send(w, says("Yes."))
				send(w, ends("stop"))
				after(w, r)
			}).agent(t)
			agent.late = 10 * time.Millisecond
			res, err := agent.Handle(t.Context(), task(), newDesk())
			if err != nil || string(res.Output) != `{"text":"Yes."}` {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

// TestTheEnvironmentIsNotRead: what a client of the library reads by itself would go past the config.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"} {
		t.Setenv(name, "from-the-environment")
	}
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: from-the-environment")
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/from-the-environment")
	e := serve(t, stream(says("Yes."), ends("stop"), done))
	if _, err := e.agent(t).Handle(t.Context(), task(), newDesk()); err != nil {
		t.Fatal(err)
	}
	for name, values := range e.requests()[0].Header {
		if strings.Contains(strings.Join(values, " "), "from-the-environment") {
			t.Errorf("%s: %q was sent", name, values)
		}
	}
}
