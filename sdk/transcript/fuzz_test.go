package transcript_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// FuzzStream: whatever an agent prints, nothing panics, lines make the same events alone as in a stream, and what they come to is inside its bounds.
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
		f.Add(raw[:min(len(raw), 8000)])
	}
	f.Add([]byte(`{"type":"tool_result","output":{"passed":true,"details":"x"},"data":{"lessons":["a"]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 4 << 10
		events := read(t, raw, transcript.MaxLine(limit))
		var alone []transcript.Event
		for line := range strings.SplitSeq(string(raw), "\n") {
			if len(strings.TrimRight(line, "\r")) <= limit {
				alone = append(alone, transcript.Decode([]byte(line))...)
			}
		}
		whole := 0
		for _, e := range events {
			if !e.Cut {
				whole++
			}
		}
		if len(alone) != whole {
			t.Errorf("%d events in the stream, %d line by line", whole, len(alone))
		}
		for _, opts := range [][]transcript.Option{nil, {transcript.Careful()}} {
			wantBounds(t, transcript.BuildResult("execute", events, time.Second, opts...), opts != nil)
			transform := transcript.NewEventTransformer("execute", opts...)
			overall := 0.0
			for _, e := range events {
				out, ok := transform(e)
				if known := transcript.CategorizeEvent(e, opts...) != transcript.CategoryUnknown; ok != known {
					t.Errorf("%+v becomes %+v, %v", e, out, ok)
				}
				if p := out.Payload.Progress; p != nil && opts != nil && (p.Overall < overall || p.Overall < p.Percentage) {
					t.Errorf("the overall figure goes from %v to %v", overall, p.Overall)
				} else if p != nil {
					overall = p.Overall
				}
			}
		}
	})
}

// FuzzText: whatever is said, both versions find something or nothing without a panic, and the careful one only what is short and readable.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		done, "12 passed, 0 failed", "Tests run: 1, Failures: 0", "2 of 3 gates passed", "gate 3/ passed /3 failed 0", "passed: failed: no", "pass,:=0",
		"## Lessons\n- a\n1. b\n```\n- c", "- **Next:** [ ] x", "ep-ep-041 episode:episode: a-b", "{\"passed\":1e999}\n```json\n{}\n```", "no not n't passed", "é—failed ’ \xff",
	} {
		f.Add(seed, "nity_quality_gate")
	}
	f.Fuzz(func(t *testing.T, text, tool string) {
		for _, kind := range []string{"tool_result", "message_end", tool} {
			e := transcript.Event{Type: kind, Tool: tool, Text: text, Data: json.RawMessage(text)}
			for _, opts := range [][]transcript.Option{nil, {transcript.Careful()}} {
				transcript.ExtractProgress(e, opts...)
				transcript.ExtractQualityGates(e, opts...)
				transcript.ExtractReflection(e, opts...)
				transcript.ExtractEpisodeRefs(e, opts...)
				wantBounds(t, transcript.BuildResult(tool, []transcript.Event{e, {Type: kind, Delta: text}, e}, 0, opts...), opts != nil)
			}
		}
	})
}

func wantBounds(t *testing.T, r transcript.Result, careful bool) {
	t.Helper()
	passed, gate, reflection, refs := r.Describe()
	if (passed == nil) != (gate == nil) || len(gate) > 64<<10 || len(reflection) > 64<<10 || len(refs) > 100 || len(r.Output) > 1<<20 {
		t.Errorf("a gate of %d bytes, a reflection of %d, %d episodes, an output of %d", len(gate), len(reflection), len(refs), len(r.Output))
	}
	if !careful {
		return
	}
	texts := append([]string{}, refs...)
	if r.QualityGate != nil {
		texts = append(texts, r.QualityGate.Details)
	}
	if r.Reflection != nil {
		texts = append(append(texts, r.Reflection.Lessons...), r.Reflection.FollowUps...)
	}
	for _, s := range texts {
		if len(s) > 500 || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
			t.Errorf("%q was found", s)
		}
	}
	if gate != nil {
		var back transcript.QualityGate
		if err := json.Unmarshal(gate, &back); err != nil || !cmp.Equal(back, *r.QualityGate) {
			t.Errorf("the gate %s comes back as %+v, %v", gate, back, err)
		}
	}
}
