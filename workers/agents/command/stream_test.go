package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// spoken is all that a stream says, in order.
type spoken struct {
	Said   []string
	Result string
	Input  string
	Unfit  string
	Failed string
	Text   string
	Over   bool
	Log    string
	Wrong  []string
}

func (tr *spoken) Progress(p sdk.Progress) {
	tr.Said = append(tr.Said, fmt.Sprintf("progress %v %s %s %s %s %s", p.Percentage, p.Phase, p.Message, p.Delta, p.Tool, p.Category))
}

func (tr *spoken) Spent(m sdk.Metrics) {
	tr.Said = append(tr.Said, fmt.Sprintf("spent %v %v", *m.TokensUsed, m.CostUSD != nil))
}

func (tr *spoken) Resume(data json.RawMessage) error {
	tr.Said = append(tr.Said, "resume "+string(data))
	return sdk.CheckJSON(data, sdk.MaxResume)
}

// read feeds chunks to a stream with short bounds.
func read(t testing.TB, maxLine, maxText int, chunks ...[]byte) spoken {
	t.Helper()
	tr := spoken{}
	s := newStream(maxLine, 64, &tr)
	s.maxText = maxText
	for _, c := range chunks {
		if n, err := s.Write(c); n != len(c) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		if len(s.line) > maxLine || len(s.text) > maxText || len(s.log.buf) > 2*(64+redact.Context) || cap(s.log.buf) > 4*(64+redact.Context) {
			t.Fatalf("holds a line of %d, text of %d, log of %d", len(s.line), len(s.text), cap(s.log.buf))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	a := s.answer
	if a.result != nil {
		raw, err := json.Marshal(a.result)
		if err != nil {
			t.Fatalf("a result that is no JSON: %v", err)
		}
		tr.Result = string(raw)
	}
	if a.input != nil {
		tr.Input = a.input.Prompt + " " + string(a.input.Schema)
	}
	if a.unfit != nil {
		tr.Unfit = string(a.unfit.Code)
	}
	if a.failure != nil {
		tr.Failed = fmt.Sprintf("%s %s %s %v %v", a.failure.Code, a.failure.Message, a.failure.Details, a.failure.Retryable, a.failure.RetryAfter)
	}
	tr.Text, tr.Over, tr.Log = string(s.text), s.textOver, s.log.redacted(nil)
	for _, key := range []string{"progress", "resume", "inputRequired", "result", "error", "metrics"} {
		for w := range s.warned {
			if strings.HasPrefix(w, key+" ") {
				tr.Wrong = append(tr.Wrong, key)
			}
		}
	}
	return tr
}

func TestStreamReadsEveryForm(t *testing.T) {
	t.Parallel()
	const ok = `{"status":"","output":1,"degraded":false,"metrics":{"durationMs":0}}`
	for name, tc := range map[string]struct {
		in   string
		want spoken
	}{
		"nothing":  {"", spoken{}},
		"log":      {"hello\nworld", spoken{Text: "hello\nworld", Log: "hello\nworld"}},
		"progress": {`{"progress":{"percentage":12.5,"phase":"p","message":"m","delta":"d","tool":"t","category":"c"}}`, spoken{Said: []string{"progress 12.5 p m d t c"}}},
		"progress that says no percentage keeps the last": {
			"{\"progress\":{\"message\":\"a\"}}\n{\"progress\":{\"percentage\":40}}\n{\"progress\":{\"message\":\"b\"}}\n{\"progress\":{\"percentage\":null,\"phase\":\"p\"}}\n{\"progress\":{\"percentage\":0}}\n",
			spoken{Said: []string{"progress 0  a   ", "progress 40     ", "progress 40  b   ", "progress 40 p    ", "progress 0     "}},
		},
		"resume":               {`{"resume": {"a": [1, 2]}}`, spoken{Said: []string{`resume {"a":[1,2]}`}}},
		"resume null and CRLF": {"{\"resume\": null}\r\n", spoken{Said: []string{`resume null`}}},
		"input":                {`{"inputRequired":{"prompt":"which?","schema":{"type": "string"}}}`, spoken{Input: `which? {"type":"string"}`}},
		"input without schema": {`{"inputRequired":{"prompt":"which?","schema":null}}`, spoken{Input: `which? `}},
		"result":               {`{"result":{"output":1}}`, spoken{Result: ok}},
		"result with all": {
			`{"result":{"output":{"n":9007199254740993},"metrics":{"tokensUsed":5},"model":"m","qualityGatePassed":true,"qualityGate":{},"reflection":"r","episodeRefs":["e"]}}`,
			spoken{Result: `{"status":"","output":{"n":9007199254740993},"degraded":false,"metrics":{"durationMs":0,"tokensUsed":5},"model":"m","qualityGatePassed":true,"qualityGate":{},"reflection":"r","episodeRefs":["e"]}`, Said: []string{"spent 5 false"}},
		},
		"an error with metrics":            {`{"error":{"code":"c","message":"m"},"metrics":{"tokensUsed":7,"costUsd":0.5}}`, spoken{Said: []string{"spent 7 true"}, Failed: "c m  true 0s"}},
		"metrics on the way":               {"{\"progress\":{\"percentage\":5},\"metrics\":{\"tokensUsed\":7}}\n{\"resume\":1,\"metrics\":null}\n", spoken{Said: []string{"progress 5     ", "spent 7 false", "resume 1"}}},
		"metrics alone are log":            {`{"metrics":{"tokensUsed":7}}`, spoken{Text: `{"metrics":{"tokensUsed":7}}`, Log: `{"metrics":{"tokensUsed":7}}`}},
		"metrics of another shape":         {`{"resume":1,"metrics":{"tokensUsed":"many"}}`, spoken{Said: []string{"resume 1"}, Wrong: []string{"metrics"}}},
		"a result's own metrics count":     {`{"result":{"output":1,"metrics":{"tokensUsed":5}},"metrics":{"tokensUsed":7,"costUsd":1}}`, spoken{Said: []string{"spent 5 true"}, Result: strings.Replace(ok, `0}`, `0,"tokensUsed":5}`, 1)}},
		"so do those of a refused result":  {`{"result":{"output":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `,"metrics":{"tokensUsed":5}}}`, spoken{Said: []string{"spent 5 false"}, Unfit: "invalid_output", Wrong: []string{"result"}}},
		"result null is a result":          {`{"result":{"output":null}}`, spoken{Result: strings.Replace(ok, "1", "null", 1)}},
		"unknown keys are ignored":         {`{"level":"info","result":{"output":1,"colour":"red"},"x":{}}`, spoken{Result: ok}},
		"a bad description is left out":    {`{"result":{"output":1,"metrics":{"durationMs":"long"},"episodeRefs":7}}`, spoken{Result: ok, Wrong: []string{"result"}}},
		"the last result counts":           {"{\"result\":{\"output\":2}}\n{\"inputRequired\":{\"prompt\":\"?\"}}\n{\"result\":{\"output\":1}}\n", spoken{Result: ok}},
		"a question takes a result back":   {"{\"result\":{\"output\":2}}\n{\"inputRequired\":{\"prompt\":\"?\"}}", spoken{Input: "? "}},
		"an error is not taken back":       {"{\"error\":{\"code\":\"c\",\"message\":\"m\"}}\n{\"result\":{\"output\":1}}\n", spoken{Result: ok, Failed: "c m  true 0s"}},
		"a final error":                    {`{"error":{"code":"no_such_repo","message":"m","retryable":false,"retryAfterMs":1500,"details":{"a":1}}}`, spoken{Failed: `no_such_repo m {"a":1} false 1.5s`}},
		"a malformed code":                 {`{"error":{"code":"No Such","message":"m"}}`, spoken{Failed: "agent_failed m  true 0s"}},
		"several keys in one line":         {`{"result":{"output":1},"resume":3,"progress":{"percentage":5}}`, spoken{Said: []string{"progress 5     ", "resume 3"}, Result: ok}},
		"not of that shape":                {"{\"error\":\"refused\"}\n{\"result\":{}}\n{\"progress\":7}", spoken{Text: "{\"error\":\"refused\"}\n{\"result\":{}}\n{\"progress\":7}", Log: "{\"error\":\"refused\"}\n{\"result\":{}}\n{\"progress\":7}", Wrong: []string{"progress", "result", "error"}}},
		"other case is another key":        {`{"Result":{"output":1}}`, spoken{Text: `{"Result":{"output":1}}`, Log: `{"Result":{"output":1}}`}},
		"half a line":                      {`{"result":{"output":1}`, spoken{Text: `{"result":{"output":1}`, Log: `{"result":{"output":1}`}},
		"two in one line":                  {`{"resume":1}{"resume":2}`, spoken{Text: `{"resume":1}{"resume":2}`, Log: `{"resume":1}{"resume":2}`}},
		"an array":                         {`[{"resume":1}]`, spoken{Text: `[{"resume":1}]`, Log: `[{"resume":1}]`}},
		"invalid UTF-8 in a message":       {"{\"resume\":\"a\xffb\"}", spoken{Said: []string{"resume \"a\uFFFDb\""}}},
		"NUL and invalid UTF-8 in the log": {"a\x00\xff\n", spoken{Text: "a\x00\xff\n", Log: "a\x00\uFFFD\n"}},
		"messages are no text":             {"a\n{\"resume\":1}\nb\n", spoken{Said: []string{"resume 1"}, Text: "a\nb\n", Log: "a\nb\n"}},
		"empty lines are text":             {"\n\r\n", spoken{Text: "\n\r\n", Log: "\n\r\n"}},
		"too deep an output":               {`{"result":{"output":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}}`, spoken{Unfit: "invalid_output", Wrong: []string{"result"}}},
		"a line that is too long":          {strings.Repeat("x", 501) + "\nb", spoken{Text: strings.Repeat("x", 501) + "\nb", Log: strings.Repeat("x", 62) + "\nb"}},
		"a line beyond the text's bound":   {"a\n" + strings.Repeat("x", 601) + "\nb", spoken{Over: true, Log: strings.Repeat("x", 62) + "\nb"}},
		"a message that is too long":       {`{"resume":"` + strings.Repeat("x", 500) + `"}`, spoken{Text: `{"resume":"` + strings.Repeat("x", 500) + `"}`, Log: strings.Repeat("x", 62) + `"}`}},
		"a result that is too long":        {`{"result":{"output":"` + strings.Repeat("x", 500), spoken{Unfit: "payload_too_large", Log: strings.Repeat("x", 64)}},
		"a result after one too long":      {`{"result": "` + strings.Repeat("x", 500) + "\n{\"result\":{\"output\":1}}", spoken{Result: ok, Log: strings.Repeat("x", 63) + "\n"}},
		"more text than an output":         {strings.Repeat("line\n", 200), spoken{Over: true, Log: strings.Repeat("line\n", 12)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, read(t, 500, 600, []byte(tc.in))); diff != "" {
				t.Errorf("in one piece (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, read(t, 500, 600, bytes.SplitAfter([]byte(tc.in), nil)...)); diff != "" {
				t.Errorf("piece by piece (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreamBoundsAnOutput(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]bool{sdk.MaxOutput - 2: true, sdk.MaxOutput - 1: false} {
		tr := read(t, DefaultMaxLine, sdk.MaxOutput, fmt.Appendf(nil, `{"result":{"output": "%s"}}`, strings.Repeat("x", size)))
		if got := tr.Result != ""; got != want {
			t.Errorf("a string of %d bytes: taken %v, want %v", size, got, want)
		}
		if !want && tr.Unfit != string(sdk.CodePayloadTooLarge) {
			t.Errorf("a string of %d bytes is refused with %q", size, tr.Unfit)
		}
	}
}

// FuzzStream holds that a stream never panics, stays within its bounds, and says the same however its bytes are cut.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"log\n{\"progress\":{\"percentage\":5}}\n{\"result\":{\"output\":{}}}\n",
		"{\"inputRequired\":{\"prompt\":\"?\"},\"error\":{\"code\":\"a\",\"retryable\":false}}\r\n{\"resume\":",
		"{\"result\":" + strings.Repeat(" ", 120) + "{\"output\":1}}\n\xff\x00", strings.Repeat("long", 60) + "\n\n",
	} {
		f.Add([]byte(seed), uint8(1), uint8(7))
		f.Add([]byte(seed), uint8(3), uint8(100))
	}
	f.Fuzz(func(t *testing.T, data []byte, first, step uint8) {
		whole := read(t, 100, 150, data)
		var chunks [][]byte
		for size, rest := int(first), data; ; size = int(step) + 1 {
			size = min(size, len(rest))
			chunks, rest = append(chunks, rest[:size]), rest[size:]
			if len(rest) == 0 {
				break
			}
		}
		if diff := cmp.Diff(whole, read(t, 100, 150, chunks...)); diff != "" {
			t.Errorf("in pieces it says something else (-whole +pieces):\n%s", diff)
		}
	})
}
