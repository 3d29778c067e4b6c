package modelserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience is how long a test waits for an answer before it fails.
const patience = 10 * time.Second

func serve(t *testing.T, answers ...Answer) (*Server, string) {
	t.Helper()
	s, err := New(answers)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h.URL + "/v1/chat/completions"
}

func ask(ctx context.Context, t *testing.T, url, body string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

const (
	hello  = `{"model":"m","messages":[{"role":"user","content":"hello"}]}`
	stream = `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}]}`
)

// heard is a whole stream, put together.
type heard struct {
	Text, Tools, Finish string
	Pieces, Total       int
	Done                bool
}

func listen(r io.Reader) (h heard, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			h.Done = true
			continue
		}
		var c completion
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return h, err
		}
		h.Pieces++
		if c.Usage != nil {
			h.Total = c.Usage.Total
		}
		for _, ch := range c.Choices {
			h.Text += ch.Delta.Content
			for _, call := range ch.Delta.ToolCalls {
				h.Tools += call.ID + " " + call.Function.Name + call.Function.Arguments
			}
			if ch.FinishReason != nil {
				h.Finish = *ch.FinishReason
			}
		}
	}
	return h, lines.Err()
}

func TestAStreamFollowsTheScript(t *testing.T) {
	t.Parallel()
	s, url := serve(t,
		Answer{Text: "I will write.", Tools: []Tool{{"write", map[string]any{"path": "a"}}}, Input: 10, Cached: 4, Output: 5},
		Answer{Text: "Done."})
	for i, want := range []heard{
		{Text: "I will write.", Tools: `call_1_0 write{"path":"a"}`, Finish: "tool_calls", Pieces: 7, Total: 15, Done: true},
		{Text: "Done.", Finish: "stop", Pieces: 4, Done: true},
		{Text: "Done.", Finish: "stop", Pieces: 4, Done: true},
	} {
		got, err := listen(ask(t.Context(), t, url, stream).Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer %d (-want +got):\n%s", i+1, diff)
		}
	}
	asked := s.Requests()
	if len(asked) != 3 || asked[0].Messages[0].Text() != "hello" || asked[0].Model != "m" {
		t.Errorf("remembered %+v", asked)
	}
}

func TestModelsByName(t *testing.T) {
	t.Parallel()
	server, err := NewModels(Models{
		"shaky": {{Status: 500, Text: "out of order"}, {Status: 500, Text: "out of order"}, {Text: "At last."}},
		"down":  {{Status: 503, Text: "never"}},
		"":      {{Text: "I am another.", Finish: "length"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	for i, want := range []struct {
		model        string
		status       int
		text, finish string
	}{
		{"shaky", 500, "", ""}, {"down", 503, "", ""}, {"shaky", 500, "", ""}, {"shaky", 200, "At last.", "stop"}, {"down", 503, "", ""},
		{"else", 200, "I am another.", "length"}, {"", 200, "I am another.", "length"}, {"shaky", 200, "At last.", "stop"},
	} {
		res := ask(t.Context(), t, h.URL+"/v1/chat/completions", strings.Replace(stream, `"m"`, `"`+want.model+`"`, 1))
		got, err := listen(res.Body)
		if err != nil || res.StatusCode != want.status || got.Text != want.text || got.Finish != want.finish {
			t.Errorf("request %d to %q is answered %d %+v (%v), want %+v", i+1, want.model, res.StatusCode, got, err, want)
		}
	}
}

func TestAModelThatIsNotThere(t *testing.T) {
	t.Parallel()
	server, err := NewModels(Models{"small": {{Text: "Yes."}}})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	res := ask(t.Context(), t, h.URL+"/v1/chat/completions", stream)
	var body struct{ Error struct{ Message string } }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusNotFound || body.Error.Message != `model "m" not found` {
		t.Errorf("answered %d %+v (%v)", res.StatusCode, body, err)
	}
	if _, err := NewModels(Models{"small": {}}); err == nil || !strings.Contains(err.Error(), `the model "small": a script has`) {
		t.Errorf("an empty script: %v", err)
	}
	if _, err := NewModels(nil); err == nil {
		t.Error("no models are taken")
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	s, err := New(Script{{Text: "Yes."}})
	if err != nil {
		t.Fatal(err)
	}
	url, closeServer, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := listen(ask(t.Context(), t, url+"/chat/completions", stream).Body); err != nil || got.Text != "Yes." {
		t.Errorf("heard %+v, %v", got, err)
	}
	if err := closeServer(); err != nil {
		t.Error(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/chat/completions", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Errorf("closed, it answers %s", res.Status)
	}
}

func TestAnAnswerInOnePiece(t *testing.T) {
	t.Parallel()
	s, url := serve(t, Answer{Text: "Yes.", Tools: []Tool{{"read", nil}}, Input: 1, Output: 2})
	var c completion
	if err := json.NewDecoder(ask(t.Context(), t, url, hello).Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	m := c.Choices[0].Message
	if m.Content != "Yes." || m.ToolCalls[0].Function.Name != "read" || *c.Choices[0].FinishReason != "tool_calls" || c.Usage.Total != 3 {
		t.Errorf("answered %+v", c)
	}
	if got := s.Requests()[0].Messages[0].Text(); got != "hello" {
		t.Errorf("remembered %q", got)
	}
	ask(t.Context(), t, url, `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"read","arguments":"{\"path\":\"x\"}"}}]}]}`)
	if m := s.Requests()[1].Messages[0]; m.Text() != "" || !cmp.Equal(m.Calls(), []string{`read {"path":"x"}`}) {
		t.Errorf("remembered %q and %q", m.Text(), m.Calls())
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Answer{Status: http.StatusTooManyRequests, Text: "slow down", RetryAfter: 1500 * time.Millisecond}, Answer{Text: "Yes."})
	res := ask(t.Context(), t, url, stream)
	var body struct{ Error struct{ Message string } }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "2" || body.Error.Message != "slow down" {
		t.Errorf("answered %d %q %+v", res.StatusCode, res.Header.Get("Retry-After"), body)
	}
	for bad, want := range map[string]int{"{": 400, `{"messages":[]}`: 400, `{"model":"` + strings.Repeat("x", maxBody) + `"}`: 413} {
		if got := ask(t.Context(), t, url, bad).StatusCode; got != want {
			t.Errorf("%.20s is answered with %d, want %d", bad, got, want)
		}
	}
	if got := ask(t.Context(), t, strings.TrimSuffix(url, "/chat/completions"), hello).StatusCode; got != http.StatusNotFound {
		t.Errorf("another path is answered with %d", got)
	}
	if got := ask(t.Context(), t, url, hello).StatusCode; got != http.StatusOK {
		t.Errorf("after the error: %d", got)
	}
}

func TestAStreamThatIsCut(t *testing.T) {
	t.Parallel()
	_, url := serve(t, Answer{Text: "never said", Cut: true})
	got, err := listen(ask(t.Context(), t, url, stream).Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || got.Pieces != 1 || got.Done {
		t.Errorf("heard %+v, %v", got, err)
	}
}

// TestAnAnswerThatHangsEndsWithItsClient closes the server, which waits for its handlers.
func TestAnAnswerThatHangsEndsWithItsClient(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]Answer{"hangs": {Text: "I am", Hang: true}, "slow": {Text: "I am", Pause: time.Hour}} {
		for _, body := range []string{hello, stream} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, url := serve(t, a)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() {
					res, err := http.DefaultClient.Do(req)
					if err == nil {
						_, err = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
					ended <- err
				}()
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for s.Open() == 0 {
					<-tick.C
				}
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("ended with %v", err)
				}
				for s.Open() > 0 {
					<-tick.C
				}
			})
		}
	}
}

func TestScriptsAreChecked(t *testing.T) {
	t.Parallel()
	for want, script := range map[string]Script{
		"not 0": nil, "status 200": {{Status: 200}}, "needs a name": {{Tools: []Tool{{}}}},
		"answer 2": {{}, {Tools: []Tool{{"x", map[string]any{"f": func() {}}}}}},
	} {
		if _, err := New(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
