package transcript_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// TestDecode holds the shapes of events that the recordings do not show.
func TestDecode(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1795290623416).UTC()
	for name, tc := range map[string]struct {
		line string
		want []transcript.Event
	}{
		"the bridge's call": {
			`{"type":"tool_call","tool":"nity_execute","delta":"{\"task\":1}","timestamp":1795290623416}`,
			[]transcript.Event{{Type: "tool_call", Tool: "nity_execute", Delta: `{"task":1}`, Time: at}},
		},
		"a result as a string":    {`{"type":"tool_result","name":"x","output":"out"}`, []transcript.Event{{Type: "tool_result", Tool: "x", Text: "out"}}},
		"a result as parts":       {`{"type":"tool_result","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}`, []transcript.Event{{Type: "tool_result", Text: "ab"}}},
		"pi's result":             {`{"type":"tool_execution_end","toolCallId":"c","toolName":"nity_quality_gate","result":{"content":[{"type":"text","text":"ok"}],"details":{"passed":true}},"isError":true}`, []transcript.Event{{Type: "tool_execution_end", CallID: "c", Tool: "nity_quality_gate", Text: "ok", Data: json.RawMessage(`{"content":[{"type":"text","text":"ok"}],"details":{"passed":true}}`), Failed: true}}},
		"pi's newer piece":        {`{"type":"message_update","usage":{"a":[1]},"assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":"Hello"}}`, []transcript.Event{{Type: "message_update", Subtype: "text_delta", Delta: "Hello"}}},
		"pi's piece, otherwise":   {`{"assistantMessageEvent":{"delta":"Hello","type":"text_delta"},"message":{"role":"assistant","content":[{"type":"text","text":"Hello"}]},"type":"message_update"}`, []transcript.Event{{Type: "message_update", Subtype: "text_delta", Delta: "Hello"}}},
		"pi's piece of a call":    {`{"type":"message_update","assistantMessageEvent":{"type":"toolcall_delta","contentIndex":1,"delta":"{"}}`, []transcript.Event{{Type: "message_update", Subtype: "toolcall_delta"}}},
		"pi's error":              {`{"type":"message_end","message":{"role":"assistant","content":[],"stopReason":"error","errorMessage":"500 x"}}`, []transcript.Event{{Type: "message_end", Role: "assistant", Text: "500 x", Failed: true}}},
		"pi's answer":             {`{"type":"response","command":"parse","success":false,"error":"bad"}`, []transcript.Event{{Type: "response", Text: "bad", Failed: true}}},
		"a success of a shape":    {`{"type":"response","success":"yes"}`, []transcript.Event{{Type: "response"}}},
		"claude's result, late":   {`{"duration_api_ms":1,"result":"r","is_error":true,"subtype":"success","type":"result"}`, []transcript.Event{{Type: "result", Subtype: "success", Text: "r", Failed: true}}},
		"claude's text alone":     {`{"type":"user","message":{"role":"user","content":"hi"}}`, []transcript.Event{{Type: "user", Subtype: "text", Role: "user", Text: "hi"}}},
		"claude's nothing":        {`{"type":"assistant","message":{"role":"assistant","content":[]}}`, []transcript.Event{{Type: "assistant", Role: "assistant"}}},
		"codex's command":         {`{"type":"item.completed","item":{"id":"i","type":"command_execution","command":"ls","aggregated_output":"a\n","exit_code":3,"status":"failed"}}`, []transcript.Event{{Type: "item.completed", Subtype: "command_execution", CallID: "i", Tool: "command_execution", Input: "ls", Text: "a\n", Failed: true}}},
		"codex's other tool":      {`{"type":"item.completed","item":{"id":"i","type":"mcp_tool_call","tool":"gate","arguments":{"a":1},"result":{"content":[{"type":"text","text":"t"}],"structured_content":{"passed":true}},"status":"completed"}}`, []transcript.Event{{Type: "item.completed", Subtype: "mcp_tool_call", CallID: "i", Tool: "gate", Input: `{"a":1}`, Text: "t", Data: json.RawMessage(`{"content":[{"type":"text","text":"t"}],"structured_content":{"passed":true}}`)}}},
		"opencode's exit code":    {`{"type":"tool_use","part":{"type":"tool","tool":"bash","callID":"c","state":{"status":"completed","output":"o","metadata":{"exit":3}}}}`, []transcript.Event{{Type: "tool_use", Subtype: "completed", Tool: "bash", CallID: "c", Text: "o", Data: json.RawMessage(`{"exit":3}`), Failed: true}}},
		"fields of other shapes":  {`{"type":"x","tool":{"a":1},"toolName":7,"message":[1],"error":{"code":1},"part":"p","item":[],"event":1,"timestamp":{},"delta":{},"is_error":"no"}`, []transcript.Event{{Type: "x"}}},
		"a type of another shape": {`{"type":7,"text":"t"}`, []transcript.Event{{Text: "t"}}},
		"white space":             {"  {\"type\":\"x\"}\r\n", []transcript.Event{{Type: "x"}}},
		"no object":               {`[1]`, nil},
		"half an object":          {`{"type":"x"`, nil},
		"words":                   {`Warning: {"type":"x"}`, nil},
		"nothing":                 {``, nil},
	} {
		if diff := cmp.Diff(tc.want, transcript.Decode([]byte(tc.line))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAReaderPassesOver what is no event, and what is too long, and goes on behind it.
func TestAReaderPassesOver(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500)
	stream := "Warning: x\n\n{\"type\":\"a\"}\r\n{\"type\":\"b\",\"text\":\"" + long + "\"}\n{\"text\":\"" + long + "\",\"type\":\"c\"}\n" + long + "\n{\n{\"type\":\"d\"}"
	for _, limit := range []int{1, 12, 20, 100, 511} {
		r := transcript.NewReader(strings.NewReader(stream), transcript.MaxLine(limit))
		var got []string
		for e, err := range r.Events() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Type+map[bool]string{true: " cut"}[e.Cut])
		}
		want, skipped := []string{"a", "b cut", "d"}, 4
		if limit == 1 {
			want, skipped = nil, 7
		}
		if diff := cmp.Diff(want, got); diff != "" || r.Skipped() != skipped {
			t.Errorf("lines of %d: %d skipped (-want +got):\n%s", limit, r.Skipped(), diff)
		}
	}
	if got := read(t, []byte(stream)); len(got) != 4 || got[1].Text != long || got[2].Type != "c" {
		t.Errorf("%d events", len(got))
	}
}

// TestAReaderTellsItsError after the events before it, again and again.
func TestAReaderTellsItsError(t *testing.T) {
	t.Parallel()
	r := transcript.NewReader(io.MultiReader(strings.NewReader("{\"type\":\"a\"}\n{\"type\":"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	if e, err := r.Next(); e.Type != "a" || err != nil {
		t.Errorf("%+v, %v", e, err)
	}
	for range 2 {
		if e, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if _, err := transcript.NewReader(strings.NewReader("")).Next(); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}
