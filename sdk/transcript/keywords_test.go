package transcript_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// toolResult is a tool's result, as the keyword rules know one.
func toolResult(text string) transcript.Event {
	return transcript.Event{Type: "tool_result", Tool: "bash", Text: text}
}

// say is what an agent says.
func say(text string) transcript.Event {
	return transcript.Event{Type: "message_end", Role: "assistant", Text: text}
}

func TestCategoriesByKeyword(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]transcript.Category{
		"tool_call": "tool_call", "toolcall_start": "tool_call", "toolCall": "tool_call", "call_of_tool": "tool_call", "TOOL-CALL": "tool_call",
		"tool_result": "tool_result", "toolResult": "tool_result", "result_of_tool": "tool_result",
		"message_start": "message", "message_update": "message", "content_block_delta": "message", "error_message": "message",
		"error": "error", "turn.failed": "error", "failure": "error", "start_error": "error", "session_error": "error",
		"session": "session", "session_start": "session", "agent_start": "session", "turn_end": "session", "agent_end": "session",
		"pending": "session", "send": "session", "backend": "session", "restarted": "session", // they contain end or start
		"tool_call_result": "tool_call", "tool_call_error": "tool_call", "tool_result_message": "tool_result", // the first that matches
		"tool_execution_start": "session", "tool_execution_end": "session", "tool_execution_update": "unknown",
		"tool_use": "unknown", "tool": "unknown", "call": "unknown", "assistant": "unknown", "init": "unknown", "": "unknown",
	} {
		if got := transcript.CategorizeEvent(transcript.Event{Type: kind}); got != want {
			t.Errorf("%q is %s, want %s", kind, got, want)
		}
	}
}

func TestProgressByKeyword(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   transcript.Event
		want *transcript.Progress
	}{
		"the documented call": {
			transcript.Event{Type: "tool_call", Tool: "nity_execute", Delta: `{"task":"Add input validation..."}`},
			&transcript.Progress{Phase: "Calling nity_execute", Percentage: 25, Delta: `{"task":"Add input validation..."}`},
		},
		"a call with its arguments": {
			transcript.Event{Type: "tool_call", Tool: "bash", Input: `{"command":"ls"}`},
			&transcript.Progress{Phase: "Calling bash", Percentage: 25, Delta: `{"command":"ls"}`},
		},
		"a message":             {transcript.Event{Type: "message_update", Delta: "Hel"}, &transcript.Progress{Phase: "Processing", Percentage: 50, Delta: "Hel"}},
		"a result":              {transcript.Event{Type: "tool_result", Tool: "bash", Text: "out"}, &transcript.Progress{Phase: "Result from bash", Percentage: 75}},
		"a tool without a name": {transcript.Event{Type: "tool_call"}, &transcript.Progress{Phase: "Calling tool", Percentage: 25}},
		"an error":              {transcript.Event{Type: "error", Text: "x"}, nil},
		"a session's":           {transcript.Event{Type: "session_start"}, nil},
		"something else":        {transcript.Event{Type: "ping"}, nil},
	} {
		got, ok := transcript.ExtractProgress(tc.in)
		if ok != (tc.want != nil) || (ok && got != *tc.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, ok, tc.want)
		}
	}
}

func TestQualityGatesByKeyword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Quality gates: all good":          "passed",
		"the gate":                         "passed",
		"12 passed":                        "passed",
		"PASSED":                           "passed",
		"Quality gate: FAILED":             "failed",
		"12 passed, 0 failed":              "failed", // it contains fail
		"quality: see the block above":     "failed", // it contains block
		"gate: no failures":                "failed",
		"investigate the qualitygate file": "passed",
		"it fails":                         "", // fail alone is no keyword
		"blocked":                          "",
		"ok":                               "",
		"":                                 "",
	} {
		gate, ok := transcript.ExtractQualityGates(toolResult(text))
		got := map[bool]string{true: "passed", false: "failed"}[gate.Passed]
		if !ok {
			got = ""
		}
		if got != want || (ok && (gate.Details != text || gate.Evidence != "")) {
			t.Errorf("%q: %+v, %v; want %q", text, gate, ok, want)
		}
	}
	for _, kind := range []string{"message_end", "tool_call", "tool_execution_end", "error"} {
		if gate, ok := transcript.ExtractQualityGates(transcript.Event{Type: kind, Text: "Quality gate: passed"}); ok {
			t.Errorf("%s is no result of a tool, and says %+v", kind, gate)
		}
	}
}

func TestReflectionByKeyword(t *testing.T) {
	t.Parallel()
	text := "Done:\n- Keep inputs validated\n* Follow-up: add tests\n  • the next request needs a token\n-no space\n- \n1. numbered\n- see the context below\n" +
		"- a TODO is left\r\n- nextElement() is slow\nplain next line\n"
	want := transcript.Reflection{
		Lessons:   []string{"Keep inputs validated", "see the context below"},
		FollowUps: []string{"Follow-up: add tests", "the next request needs a token", "a TODO is left", "nextElement() is slow"},
	}
	got, ok := transcript.ExtractReflection(toolResult(text))
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("(-want +got), %v:\n%s", ok, diff)
	}
	for name, e := range map[string]transcript.Event{"no points": toolResult("no points - here"), "nothing": toolResult(""), "a message": say("- a point")} {
		if got, ok := transcript.ExtractReflection(e); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEpisodesByKeyword(t *testing.T) {
	t.Parallel()
	long := "abcdefghijklmnopqrstuvwxyz0123456789"
	for text, want := range map[string][]string{
		"as in ep-041, and episode: auth-fix": {"ep-041", "episode: auth-fix"}, // the documented ones
		"[ep-041] fixed it":                   {"ep-041"},
		"ep-041 ep-042 ep-041":                {"ep-041", "ep-042"},
		"EP-041, Episode: login":              {"EP-041", "Episode: login"},
		"ep-041-b":                            {"ep-041"},
		"ep-" + long:                          {"ep-" + long[:32]},
		"keep-alive and step-one":             {"ep-alive", "ep-one"}, // they contain ep-
		"episode: the one":                    {"episode: the"},
		"ep-41, episode: ab, ep-, episode":    nil,
		"":                                    nil,
	} {
		if diff := cmp.Diff(want, transcript.ExtractEpisodeRefs(toolResult(text))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if refs := transcript.ExtractEpisodeRefs(say("ep-041")); refs != nil {
		t.Errorf("a message has %q", refs)
	}
}

// TestTheDocumentedPipeline: a transformer, and a result of the events it has seen.
func TestTheDocumentedPipeline(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1710931201200)
	transform := transcript.NewEventTransformer("execute", transcript.Clock(func() time.Time { return now }))
	events := []transcript.Event{
		{Type: "tool_call", Tool: "nity_execute", Delta: `{"task":"Add input validation..."}`},
		{Type: "tool_result", Tool: "nity_execute", Text: "Quality gates passed, see ep-041 and episode: auth-fix\n- Validate early\n- Next: the other forms"},
		{Type: "message_end", Text: "All forms validate."},
		{Type: "heartbeat"},
		{Type: "error", Text: "Connection timeout"},
		{Type: "session_close"},
	}
	var got []transcript.TaskEvent
	for _, e := range events {
		if out, ok := transform(e); ok {
			got = append(got, out)
		}
	}
	task := func(p transcript.TaskProgress) transcript.TaskEvent {
		p.TaskType = "execute"
		return transcript.TaskEvent{Type: "task_progress", Timestamp: 1710931201200, Payload: p}
	}
	want := []transcript.TaskEvent{
		task(transcript.TaskProgress{Category: "tool_call", Tool: "nity_execute", Progress: &transcript.Progress{
			Phase: "Calling nity_execute", Percentage: 25, Delta: `{"task":"Add input validation..."}`,
		}}),
		task(transcript.TaskProgress{Category: "tool_result", Tool: "nity_execute", Progress: &transcript.Progress{Phase: "Result from nity_execute", Percentage: 75}}),
		task(transcript.TaskProgress{Category: "message", Message: "All forms validate.", Progress: &transcript.Progress{Phase: "Processing", Percentage: 50}}),
		task(transcript.TaskProgress{Category: "error", Message: "Connection timeout"}),
		task(transcript.TaskProgress{Category: "session"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	yes := true
	result := transcript.Result{
		TaskType: "execute", Output: "All forms validate.", DurationMs: 44500, QualityGatePassed: &yes,
		QualityGate: &transcript.QualityGate{Passed: true, Details: events[1].Text},
		Reflection:  &transcript.Reflection{Lessons: []string{"Validate early"}, FollowUps: []string{"Next: the other forms"}},
		EpisodeRefs: []string{"ep-041", "episode: auth-fix"},
	}
	if diff := cmp.Diff(result, transcript.BuildResult("execute", events, 44500*time.Millisecond)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(transcript.Result{TaskType: "skills"}, transcript.BuildResult("skills", nil, 0)); diff != "" {
		t.Errorf("result of nothing (-want +got):\n%s", diff)
	}
}
