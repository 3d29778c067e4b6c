package pi

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

const (
	begin    = `{"type":"agent_start"}` + "\n"
	end      = `{"type":"agent_end","messages":[]}` + "\n"
	answered = `{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"yes"}],"stopReason":"stop"}}` + "\n"
	failed   = `{"type":"message_end","message":{"role":"assistant","content":[],"stopReason":"error","errorMessage":"503 busy"}}` + "\n"
)

// TestEnds holds what no recording shows.
func TestEnds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for name, test := range map[string]struct {
		stream string
		exit   command.Exit
		code   sdk.Code // "" for a success
		final  bool
		why    string
	}{
		"an answer":                {stream: begin + answered + end},
		"no newline at the end":    {stream: begin + answered + strings.TrimSuffix(end, "\n")},
		"keys in another order":    {stream: `{"extra":{"a":[1]},"type":"agent_start"}` + "\n" + answered + `{"messages":[],"type":"agent_end"}` + "\n"},
		"windows line ends":        {stream: strings.ReplaceAll(begin+answered+end, "\n", "\r\n")},
		"recovered by a retry":     {stream: begin + failed + end + `{"type":"auto_retry_start","attempt":1}` + "\n" + begin + answered + end},
		"unknown events and noise": {stream: "Warning: x\n" + begin + `{"type":"agent_settled"}` + "\n{\n[]\n" + answered + end + `{"type":"new"}` + "\n"},
		"a run's end longer than a line may be": {
			stream: begin + answered + `{"type":"agent_end","messages":["` + long + "\"]}\n",
		},
		"an answer longer than a line may be": {
			stream: begin + `{"type":"message_end","message":{"role":"assistant","content":[{"type":"text","text":"` + long + `"}],"stopReason":"stop"}}` + "\n" + end,
			code:   sdk.CodePayloadTooLarge, final: true, why: "ask for a file",
		},
		"a tool's long result is nobody's answer": {
			stream: begin + `{"type":"message_end","message":{"role":"toolResult","content":"` + long + "\"}}\n" + answered + end,
		},
		"no answer":                     {stream: begin + end, code: CodeModelError, why: "no answer"},
		"no end":                        {stream: begin + answered, exit: command.Exit{Stderr: "out of memory"}, code: sdk.CodeAgentFailed, why: "before its run did: out of memory"},
		"a retry that did not begin":    {stream: begin + failed + end + `{"type":"auto_retry_start"}` + "\n", code: sdk.CodeAgentFailed, why: "before its run did"},
		"half an end":                   {stream: begin + answered + `{"type":"agent_end","messages":[`, code: sdk.CodeAgentFailed, why: "before its run did"},
		"a later run without an answer": {stream: begin + answered + end + begin + end, code: CodeModelError, why: "no answer"},
		"a busy model":                  {stream: begin + failed + end, code: CodeModelError, why: "503 busy"},
		"cut off": {
			stream: strings.ReplaceAll(begin+answered+end, `"stop"`, `"length"`), code: CodeModelError, why: "length limit",
		},
		"aborted": {
			stream: strings.ReplaceAll(begin+answered+end, `"stop"`, `"aborted"`), code: CodeModelError, why: `"aborted"`,
		},
		"a bad exit after an answer": {
			stream: begin + answered + end, exit: command.Exit{Code: 1, Stderr: "broken pipe"}, code: sdk.CodeAgentFailed, why: "exit code 1: broken pipe",
		},
		"no key": {
			stream: `{"type":"session","id":"x"}` + "\n",
			exit:   command.Exit{Code: 1, Stderr: "No API key found for the selected model.\n\nUse /login. See:\n  /opt/pi/docs/models.md\n"},
			code:   sdk.CodeAgentFailed, why: "pi did not begin, and ended with exit code 1: No API key found for the selected model.",
		},
		"a first line that is not kept": {
			exit: command.Exit{Code: 1, Stderr: "alf a line\nand more\nError: no such provider\n", StderrCut: true},
			code: sdk.CodeAgentFailed, why: "pi did not begin, and ended with exit code 1: Error: no such provider",
		},
		"taken over": {stream: begin, exit: command.Exit{Code: -1, Signal: "killed", Usurped: true}, code: sdk.CodeAgentFailed, why: "a later attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(1024, &teller{}, nil)
			feed(t, s, []byte(test.stream), 100)
			res, err := s.Conclude(test.exit)
			if test.code == "" {
				if err != nil || string(res.Output) != `{"text":"yes"}` {
					t.Fatalf("ended with %+v, %v", res, err)
				}
				return
			}
			fail, ok := errors.AsType[*sdk.AgentError](err)
			if !ok || fail.Code != test.code || fail.Retryable == test.final || !strings.Contains(fail.Message, test.why) {
				t.Errorf("ended with %+v, %v; want %s (final %t): %s", res, err, test.code, test.final, test.why)
			}
		})
	}
}

func TestAToolThatFailsIsTold(t *testing.T) {
	t.Parallel()
	var heard teller
	feed(t, newStream(1024, &heard, nil), []byte(`{"type":"tool_execution_start","toolCallId":"a","toolName":"bash","args":{"command":"make\nmake test"}}
{"type":"tool_execution_start","toolCallId":"b","toolName":"read","args":{"path":"go.mod"}}
{"type":"tool_execution_end","toolCallId":"b","toolName":"read","result":{"content":[{"type":"text","text":"module x"}]},"isError":false}
{"type":"tool_execution_end","toolCallId":"a","toolName":"bash","result":{"content":[{"type":"text","text":"out\n\nCommand exited with code 3"}]},"isError":true}
`), 1000)
	want := []string{
		"tool_call | Calling bash | tool bash | make", "tool_call | Calling read | tool read | go.mod",
		"tool_result | Result from read | tool read", "tool_result | Result from bash | tool bash | failed: Command exited with code 3",
	}
	if diff := cmp.Diff(want, heard.lines); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
}

func TestAnOutputThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := newStream(2<<20, &teller{}, nil)
	feed(t, s, []byte(begin+strings.Replace(answered, "yes", strings.Repeat("y", sdk.MaxOutput), 1)+end), 1<<16)
	if _, err := s.Conclude(command.Exit{}); !errors.Is(err, sdk.ErrPayloadTooLarge) {
		t.Errorf("ended with %v", err)
	}
}

// TestAnAnswerThatIsTooLongIsCounted: what a request took is known from the end of its line, wherever the line is cut.
func TestAnAnswerThatIsTooLongIsCounted(t *testing.T) {
	t.Parallel()
	const (
		used = `"usage":{"input":90,"output":30,"cacheRead":30,"cacheWrite":0,"totalTokens":150,"cost":{"input":0.1,"total":0.5}}`
		decy = `{"type":"toolCall","name":"write","arguments":{"usage":{"input":7}}},{"type":"text","text":"\"usage\":{\"input\":8}"}`
	)
	for name, tc := range map[string]struct {
		line string
		want []any
	}{
		"as pi writes it": {`{"type":"message_end","message":{"role":"assistant","content":[%s,` + decy + `],` + used + `,"stopReason":"stop","timestamp":1}}`, []any{int64(120), int64(30), int64(150), 0.5}},
		"none":            {`{"type":"message_end","message":{"role":"assistant","content":[%s],"stopReason":"stop"}}`, nil},
		"half":            {`{"type":"message_end","message":{"role":"assistant","content":[%s],"usage":{"input":90,`, nil},
		"another's":       {`{"type":"message_end","message":{"role":"toolResult","content":[%s],` + used + `}}`, nil},
	} {
		for _, length := range []int{900, 1000, 1024, 3000, maxEnd, 3*maxEnd + 11} {
			for _, size := range []int{1, 7, 1000, 1 << 20} {
				var heard meteredTeller
				s := newStream(1024, &heard, nil)
				feed(t, s, []byte(begin+fmt.Sprintf(tc.line, `{"type":"text","text":"`+strings.Repeat("x", length)+`"}`)+"\n"+end), size)
				wantSpent(t, s.metrics, tc.want)
				if told := heard.told > 0; told != (tc.want != nil) || cap(s.rest) > 4*maxEnd {
					t.Errorf("%s of %d bytes, in pieces of %d: told %v, %d bytes are held", name, length, size, told, cap(s.rest))
				}
			}
		}
	}
}

// meteredTeller counts what it is told of spending.
type meteredTeller struct {
	teller
	told int
}

func (m *meteredTeller) Spent(sdk.Metrics) { m.told++ }

// TestMemoryIsBounded plays an answer of 2,000 pieces, whose stream grows with their square.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const maxLine = 16 << 10
	var heard teller
	s := newStream(maxLine, &heard, nil)
	var text strings.Builder
	for i := range 2000 {
		piece := fmt.Sprintf("piece %d of a long answer ", i)
		text.WriteString(piece)
		m := fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":%q}]}`, text.String())
		_, _ = fmt.Fprintf(s, `{"type":"message_update","assistantMessageEvent":{"type":"text_delta","contentIndex":0,"delta":%q,"partial":%s},"message":%s}`+"\n", piece, m, m)
		if cap(s.line) > 2*maxLine {
			t.Fatalf("%d bytes are held after piece %d", cap(s.line), i)
		}
	}
	if want := []string{"message | Processing | ~" + text.String()}; !cmp.Equal(want, heard.lines) {
		t.Errorf("%d bytes of text came, want %d", len(strings.Join(heard.lines, "")), len(want[0]))
	}
}

func FuzzStream(f *testing.F) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:min(len(raw), 20_000)], uint16(7))
	}
	f.Add([]byte(begin+answered+failed+end), uint16(1))
	f.Fuzz(func(t *testing.T, raw []byte, size uint16) {
		const maxLine = 2048
		var once, pieces teller
		whole, cut := newStream(maxLine, &once, nil), newStream(maxLine, &pieces, nil)
		feed(t, whole, raw, len(raw)+1)
		feed(t, cut, raw, int(size)+1)
		if diff := cmp.Diff(once.lines, pieces.lines); diff != "" {
			t.Errorf("what is told depends on how the bytes are cut:\n%s", diff)
		}
		a, errA := whole.Conclude(command.Exit{})
		b, errB := cut.Conclude(command.Exit{})
		if !cmp.Equal(a, b) || fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Errorf("how it ends depends on how the bytes are cut: %+v, %v; %+v, %v", a, errA, b, errB)
		}
		if a != nil && (!json.Valid(a.Output) || !utf8.Valid(a.Output)) {
			t.Errorf("the output %q is not JSON", a.Output)
		}
		if n := whole.metrics.InputTokens; n != nil && *n < 0 {
			t.Errorf("%d tokens", *n)
		}
		if len(once.resume) > 1 {
			t.Errorf("resume data %q", once.resume)
		}
	})
}
