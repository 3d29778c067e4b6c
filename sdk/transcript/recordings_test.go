package transcript_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// recorded is what is known of a recording by reading it. The categories are those of its events, how often each follows itself.
type recorded struct {
	careful, keywords string
	tools             string // of the calls and results, with care
	output            string
	done              bool // it ended with what every agent says that has written the file
}

// done is what the scripted model says at the end.
const done = "Done. Quality gate: passed.\n- Keep inputs validated\n- Follow-up: add tests for ep-041x"

// recordings are the table; the keys are files of testdata.
func recordings() map[string]recorded {
	rejected := "The command failed with exit code 3."
	var words strings.Builder
	for i := range 300 {
		fmt.Fprintf(&words, "word%d%c", i, " \n"[(i%20)/19])
	}
	return map[string]recorded{
		"pi-write": {
			careful: "5 session, 16 message, tool_call, tool_result, 4 session, 18 message, 2 session", keywords: "3 session, 18 message, 2 session, 2 message, 2 session, 18 message, 2 session",
			tools: "write write", output: done, done: true,
		},
		"pi-http500": { // agent_end comes once a try
			careful: "5 session, message, error, 2 session, error, 2 session, message, error, 2 session, error, 2 session, message, error, 2 session, error, " +
				"2 session, message, error, 2 session, error",
			keywords: "3 session, 4 message, 5 session, 2 message, 5 session, 2 message, 5 session, 2 message, 3 session",
		},
		"pi-sigterm-tool": { // the tool's first output is part of its call
			careful: "5 session, 12 message, 3 tool_call", keywords: "3 session, 14 message, session, 2 unknown", tools: "bash bash bash", output: "Waiting.",
		},
		"pi-text-write": {}, // no events at all
		"claude-write": {
			careful: "session, message, tool_call, tool_result, message, session", keywords: "6 unknown", tools: "Write Write", output: done, done: true,
		},
		"claude-http429-2retries": {careful: "session, 4 error", keywords: "5 unknown"},
		"claude-long-partial": { // the whole text is there three times: in pieces, as a message, as the result
			careful: "2 session, 306 message, session", keywords: "309 unknown", output: words.String(),
		},
		"claude-latest-denied": {
			careful:  "session, message, 2 tool_call, error, tool_result, error, tool_result, message, session",
			keywords: "10 unknown", tools: "Write Bash Write Bash", output: rejected,
		},
		"codex-write": {
			careful: "2 session, message, tool_call, tool_result, message, session", keywords: "2 session, unknown, session, 3 unknown",
			tools: "file_change file_change", output: done, done: true,
		},
		"codex-http500":       {careful: "2 session, 7 error", keywords: "2 session, 7 error"},
		"codex-unknown-model": {careful: "session, error, session, 2 message, session", keywords: "session, unknown, session, 3 unknown", output: done, done: true},
		"gemini-write": {
			careful: "2 session, 5 message, tool_call, tool_result, 14 message, session", keywords: "unknown, 6 message, unknown, tool_result, 14 message, unknown",
			tools: "write_file write_file", output: done, done: true,
		},
		"gemini-denied": {
			careful: "2 session, 2 message, 2 tool_call, 2 tool_result, 7 message, session", keywords: "unknown, 3 message, 2 unknown, 2 tool_result, 7 message, unknown",
			tools: "write_file run_shell_command write_file run_shell_command", output: rejected,
		},
		"opencode-write": {
			careful: "session, message, tool_result, 2 session, message, session", keywords: "session, 3 unknown, session, 2 unknown",
			tools: "write", output: done, done: true,
		},
		"opencode-denied":  {careful: "session, tool_result, message, tool_result, session", keywords: "session, 4 unknown", tools: "invalid bash", output: "Two steps."},
		"opencode-http401": {careful: "error", keywords: "error"},
	}
}

// runs writes what follows itself as a number.
func runs(list []transcript.Category) string {
	var out []string
	for i := 0; i < len(list); {
		n := 1
		for i+n < len(list) && list[i+n] == list[i] {
			n++
		}
		if out = append(out, string(list[i])); n > 1 {
			out[len(out)-1] = fmt.Sprintf("%d %s", n, list[i])
		}
		i += n
	}
	return strings.Join(out, ", ")
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	table := recordings()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) != len(table) {
		t.Fatalf("%d recordings (%v), and facts of %d", len(files), err, len(table))
	}
	for name, want := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			var careful, keywords []transcript.Category
			var tools []string
			events := read(t, raw)
			transform := transcript.NewEventTransformer("execute", transcript.Careful())
			for _, e := range events {
				careful = append(careful, transcript.CategorizeEvent(e, transcript.Careful()))
				keywords = append(keywords, transcript.CategorizeEvent(e))
				if out, ok := transform(e); ok && (out.Payload.Category == "tool_call" || out.Payload.Category == "tool_result") {
					tools = append(tools, out.Payload.Tool)
				}
			}
			got := recorded{careful: runs(careful), keywords: runs(keywords), tools: strings.Join(tools, " "), output: want.output, done: want.done}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(recorded{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantResult(t, events, want)
			again := transcript.NewCollector("execute", transcript.Careful())
			for e, err := range transcript.NewReader(iotest.OneByteReader(bytes.NewReader(raw))).Events() {
				if err != nil {
					t.Fatal(err)
				}
				again.Add(e)
			}
			if diff := cmp.Diff(transcript.BuildResult("execute", events, time.Second, transcript.Careful()), again.Result(time.Second)); diff != "" {
				t.Errorf("byte by byte it comes to something else:\n%s", diff)
			}
		})
	}
}

// wantResult compares what the events come to: with care what the agent said at the end, by the keyword rules nothing, because no tool of the
// recordings printed any of it.
func wantResult(t *testing.T, events []transcript.Event, want recorded) {
	t.Helper()
	result := transcript.Result{TaskType: "execute", Output: want.output, DurationMs: 1000}
	if want.done {
		yes := true
		result.QualityGatePassed = &yes
		result.QualityGate = &transcript.QualityGate{Passed: true, Details: "Quality gate: passed.", Evidence: "statement"}
		result.Reflection = &transcript.Reflection{Lessons: []string{"Keep inputs validated"}, FollowUps: []string{"add tests for ep-041x"}}
		result.EpisodeRefs = []string{"ep-041x"}
	}
	if diff := cmp.Diff(result, transcript.BuildResult("execute", events, time.Second, transcript.Careful())); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	byKeyword := transcript.BuildResult("execute", events, time.Second)
	if byKeyword.QualityGate != nil || byKeyword.Reflection != nil || byKeyword.EpisodeRefs != nil {
		t.Errorf("by the keyword rules %+v", byKeyword)
	}
}

// read reads all events of a stream.
func read(t testing.TB, raw []byte, opts ...transcript.Option) (events []transcript.Event) {
	t.Helper()
	for e, err := range transcript.NewReader(bytes.NewReader(raw), opts...).Events() {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
