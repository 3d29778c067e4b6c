package pi

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// told are the facts of a recording as another reading of its lines finds them: every line wholly, into maps, without any of this
// package's code. It holds the table of recordings to what was recorded.
type told struct {
	session  string
	spoken   []string // by pieces, one text a message
	whole    []string // at the ends of the model's messages
	tools    []string // that were called, with their path or command
	results  []string // of tools: their names
	retries  []string
	turns    int
	requests int // that the model answered
	spent    [4]float64
	stop     string // how the newest answer stopped
	why      string // it failed, if it did
	events   []string
}

// at reads a value at a path of names, or nil.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

func number(v any, path ...string) float64 {
	n, _ := at(v, path...).(float64)
	return n
}

// textOf joins the texts of a message's content.
func textOf(v any, path ...string) (all string) {
	parts, _ := at(v, path...).([]any)
	for _, p := range parts {
		all += text(p, "text")
	}
	return all
}

func (f *told) take(v any) {
	kind := text(v, "type")
	f.events = append(f.events, kind)
	switch kind {
	case "session":
		f.session = text(v, "id")
	case "turn_start":
		f.turns++
	case "message_update":
		switch e := at(v, "assistantMessageEvent"); text(e, "type") {
		case "text_start":
			f.spoken = append(f.spoken, "")
		case "text_delta":
			f.spoken[len(f.spoken)-1] += text(e, "delta")
		}
	case "message_end":
		if text(v, "message", "role") == "assistant" {
			f.answered(at(v, "message"))
		}
	case "tool_execution_start":
		f.tools = append(f.tools, text(v, "toolName")+" "+text(v, "args", "path")+text(v, "args", "command"))
	case "tool_execution_end":
		f.results = append(f.results, text(v, "toolName"))
	case "auto_retry_start":
		f.retries = append(f.retries, text(v, "errorMessage"))
	}
}

func (f *told) answered(m any) {
	f.requests++
	f.stop, f.why = text(m, "stopReason"), text(m, "errorMessage")
	if s := textOf(m, "content"); s != "" {
		f.whole = append(f.whole, s)
	}
	u := at(m, "usage")
	for i, n := range []float64{
		number(u, "input") + number(u, "cacheRead") + number(u, "cacheWrite"), number(u, "output"), number(u, "totalTokens"), number(u, "cost", "total"),
	} {
		f.spent[i] += n
	}
}

func TestTheTableIsWhatWasRecorded(t *testing.T) {
	t.Parallel()
	for name, want := range recordings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			var f told
			for line := range strings.Lines(string(raw)) {
				var v any
				if json.Unmarshal([]byte(line), &v) == nil {
					f.take(v)
				}
			}
			f.check(t, want)
			f.checkEnd(t, want, recordedExit(t, name).Clean())
		})
	}
}

// after are the table's lines that begin so, without that beginning.
func after(lines []string, beginning string) (rest []string) {
	for _, line := range lines {
		if cut, ok := strings.CutPrefix(line, beginning); ok {
			rest = append(rest, cut)
		}
	}
	return rest
}

// check compares what pi said on the way.
func (f *told) check(t *testing.T, want facts) {
	t.Helper()
	whole := slices.DeleteFunc(after(want.tells, "message | Processing | "), func(s string) bool { return strings.HasPrefix(s, "~") })
	var calls, results, retries []string
	for _, line := range after(want.tells, "tool_call | ") {
		parts := strings.SplitN(line, " | ", 3)
		calls = append(calls, strings.TrimPrefix(parts[1], "tool ")+" "+parts[2])
	}
	for _, line := range after(want.tells, "tool_result | ") {
		results = append(results, strings.TrimPrefix(strings.Split(line, " | ")[1], "tool "))
	}
	for _, line := range after(want.tells, "error | Retrying | ") {
		_, why, _ := strings.Cut(line, ": ")
		retries = append(retries, why)
	}
	for what, pair := range map[string][2]any{
		"session": {f.session, want.session}, "texts in pieces": {f.spoken, after(want.tells, "message | Processing | ~")},
		"whole texts": {f.whole, whole}, "calls": {f.tools, calls}, "results": {f.results, results}, "retries": {f.retries, retries},
		"turns": {f.turns, len(after(want.tells, thinking))}, "requests told of": {f.requests > 0, want.spent != nil},
	} {
		if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-recorded +table):\n%s", what, diff)
		}
	}
	for i, n := range want.spent {
		told, isCount := n.(int64)
		if c, isCost := n.(float64); !isCount && isCost && math.Abs(c-f.spent[i]) > 1e-12 || isCount && float64(told) != f.spent[i] {
			t.Errorf("spent %v of %v, the table has %v", f.spent[i], f.spent, n)
		}
	}
}

// checkEnd compares how it ended: well when the process, the run and the model's last answer did.
func (f *told) checkEnd(t *testing.T, want facts, clean bool) {
	t.Helper()
	end := slices.Index(f.events, "agent_end")
	over := end >= 0 && !slices.Contains(f.events[end:], "auto_retry_start")
	switch well := clean && over && f.stop == "stop"; {
	case well != (want.code == ""):
		t.Errorf("it ended well: %t, and the table's code is %q", well, want.code)
	case well && f.whole[len(f.whole)-1] != want.text:
		t.Errorf("the last text is %q, the table has %q", f.whole[len(f.whole)-1], want.text)
	case want.code == CodeModelError && (f.stop != "error" || f.why != want.why):
		t.Errorf("the model ended with %q %q, the table has %q", f.stop, f.why, want.why)
	}
}
