package transcript_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// TestCategoriesOfOtherAgents are those of events that no known agent has.
func TestCategoriesOfOtherAgents(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]transcript.Category{
		"pending": "unknown", "send": "unknown", "backend": "unknown", "restarted": "unknown", "contention": "unknown", "errorless": "unknown",
		"tool_call": "tool_call", "toolCall": "tool_call", "tool.call.started": "tool_call", "function_call": "tool_call", "ToolUse": "tool_call",
		"tool_call_result": "tool_result", "toolResult": "tool_result", "tool_output": "tool_result", "function_call_output": "tool_result", "tool_done": "tool_result",
		"chat_message": "message", "assistant.content": "message", "message_error": "message",
		"api_error": "error", "request-failed": "error", "retry": "error",
		"session_begin": "session", "session.opened": "session", "run_started": "session", "end": "session", "done": "session",
		"": "unknown", "ping": "unknown",
	} {
		if got := transcript.CategorizeEvent(transcript.Event{Type: kind}, transcript.Careful()); got != want {
			t.Errorf("%q is %s, want %s", kind, got, want)
		}
	}
}

func TestQualityGatesWithCare(t *testing.T) {
	t.Parallel()
	const (
		statement  = transcript.EvidenceStatement
		counts     = transcript.EvidenceCounts
		structured = transcript.EvidenceStructured
	)
	passed := func(by transcript.Evidence, details string) *transcript.QualityGate {
		return &transcript.QualityGate{Passed: true, Details: details, Evidence: by}
	}
	failed := func(by transcript.Evidence, details string) *transcript.QualityGate {
		return &transcript.QualityGate{Details: details, Evidence: by}
	}
	named := func(tool, text string) transcript.Event {
		return transcript.Event{Type: "tool_execution_end", Tool: tool, Text: text}
	}
	for name, tc := range map[string]struct {
		in   transcript.Event
		want *transcript.QualityGate
	}{
		"said":                           {say("Done. Quality gate: passed.\n- Keep it"), passed(statement, "Quality gate: passed.")},
		"said to have failed":            {say("The quality gate FAILED."), failed(statement, "The quality gate FAILED.")},
		"blocked":                        {toolResult("gate: blocked by two findings"), failed(statement, "gate: blocked by two findings")},
		"no failures":                    {toolResult("Quality gates: no failures"), passed(statement, "Quality gates: no failures")},
		"none of the gates failed":       {say("None of the gates failed"), passed(statement, "None of the gates failed")},
		"0 failed and 0 blocked":         {toolResult("Quality gate: 12 checks passed, 0 failed, 0 blocked"), passed(statement, "Quality gate: 12 checks passed, 0 failed, 0 blocked")},
		"one of two":                     {toolResult("lint gate: failed\ntest gate: passed"), failed(statement, "lint gate: failed")},
		"did not pass":                   {say("The gate did not pass."), failed(statement, "The gate did not pass.")},
		"didn't pass":                    {say("The gate didn’t pass."), failed(statement, "The gate didn’t pass.")},
		"a flag":                         {toolResult("quality_gate passed=false"), failed(statement, "quality_gate passed=false")},
		"failed: false":                  {toolResult("gate failed: false"), passed(statement, "gate failed: false")},
		"2 of 3":                         {say("2 of 3 gates passed."), failed(statement, "2 of 3 gates passed.")},
		"3/3":                            {say("3/3 gates passed."), passed(statement, "3/3 gates passed.")},
		"a verdict":                      {say("Verdict: request changes"), failed(statement, "Verdict: request changes")},
		"an approval":                    {say("**Verdict:** APPROVE"), passed(statement, "**Verdict:** APPROVE")},
		"tests, said":                    {say("All tests pass now."), passed(statement, "All tests pass now.")},
		"a condition":                    {say("If the quality gate failed, I would say so."), nil},
		"a wish":                         {say("The quality gate should have passed."), nil},
		"a question":                     {say("Has the quality gate passed?"), nil},
		"the past":                       {say("At first the gate failed. Now the quality gate passed."), passed(statement, "Now the quality gate passed.")},
		"no verdict":                     {toolResult("the quality of this gate"), nil},
		"a file's name":                  {toolResult("gate/test_failed.py\nsrc/quality_passed.go gate-keeper"), nil},
		"words of a log":                 {toolResult("login failed for root\npassed the salt"), nil},
		"unblocked, non-blocking":        {toolResult("gate: unblocked, non-blocking"), nil},
		"a clause that is too long":      {toolResult("gate " + strings.Repeat("and ", 1000) + "failed"), nil},
		"the agent's counts":             {say("12 passed, 0 failed"), nil},
		"counts":                         {toolResult("collected 12 items\n====== 12 passed, 0 failed in 0.1s ======"), passed(counts, "====== 12 passed, 0 failed in 0.1s ======")},
		"counts with failures":           {toolResult("3 failed, 5 passed"), failed(counts, "3 failed, 5 passed")},
		"rspec":                          {toolResult("5 examples, 0 failures"), passed(counts, "5 examples, 0 failures")},
		"junit":                          {toolResult("Tests run: 12, Failures: 1, Errors: 0"), failed(counts, "Tests run: 12, Failures: 1, Errors: 0")},
		"junit's errors":                 {toolResult("Tests run: 12, Failures: 0, Errors: 2"), failed(counts, "Tests run: 12, Failures: 0, Errors: 2")},
		"junit without":                  {toolResult("Tests run: 12, Failures: 0, Errors: 0"), passed(counts, "Tests run: 12, Failures: 0, Errors: 0")},
		"cargo":                          {toolResult("test result: ok. 5 passed; 0 failed; 0 ignored"), passed(counts, "0 failed;")},
		"cargo with failures":            {toolResult("test result: FAILED. 4 passed; 1 failed; 0 ignored"), failed(counts, "1 failed;")},
		"node":                           {toolResult("ℹ tests 5\nℹ pass 5\nℹ fail 0"), passed(counts, "ℹ fail 0")},
		"mocha":                          {toolResult("  4 passing\n  1 failing"), failed(counts, "1 failing")},
		"go":                             {toolResult("ok  \tx/a\t0.1s\nok  \tx/b\t0.2s"), passed(counts, "ok  \tx/b\t0.2s")},
		"go with failures":               {toolResult("--- FAIL: TestA (0.0s)\nFAIL\nFAIL\tx/a\t0.1s\nok  \tx/b\t0.2s"), failed(counts, "--- FAIL: TestA (0.0s)")},
		"a statement goes before counts": {toolResult("1 failed, 11 passed\nQuality gate: passed"), passed(statement, "Quality gate: passed")},
		"structured":                     {toolResult(`{"passed":false,"details":"coverage"}`), failed(structured, "coverage")},
		"structured before words":        {toolResult("Quality gate: failed, 3 failed\n" + `{"qualityGatePassed":true}`), passed(structured, "")},
		"structured after logs":          {toolResult(strings.Repeat("{\"level\":\"info\"}\n", 100) + `{"qualityGate":{"passed":false,"details":{"lint":3}}}`), failed(structured, `{"lint":3}`)},
		"structured in a fence":          {say("The result:\n```json\n{\n \"qualityGate\": {\"passed\": true, \"details\": \"7 of 7\"}\n}\n```\nThe gate failed."), passed(structured, "7 of 7")},
		"structured as data":             {transcript.Event{Type: "tool_result", Text: "failed", Data: json.RawMessage(`{"details":{"passed":true,"dimensions":{}}}`)}, passed(structured, "")},
		"rated":                          {toolResult(`{"overall":71,"threshold":70,"dimensions":{"security":71}}`), passed(structured, "")},
		"rated too low":                  {toolResult(`{"overall":69.5,"threshold":70,"dimensions":{"security":69.5}}`), failed(structured, "")},
		"a verdict as JSON":              {toolResult(`{"verdict":"request_changes"}`), failed(structured, "")},
		"a gate's own tool":              {named("nity_quality_gate", `{"passed":true}`), passed(structured, "")},
		"another tool's passed":          {named("bash", `{"passed":true}`), nil},
		"a count is no flag":             {named("nity_quality_gate", `{"passed":12,"failed":0}`), passed(counts, `{"passed":12,"failed":0}`)},
		"a call":                         {transcript.Event{Type: "tool_execution_start", Text: "Quality gate: passed"}, nil},
		"part of an output":              {transcript.Event{Type: "tool_execution_update", Text: "Quality gate: passed"}, nil},
		"the prompt":                     {transcript.Event{Type: "message_end", Role: "user", Text: "Quality gate: passed"}, nil},
		"a thought":                      {transcript.Event{Type: "item.completed", Subtype: "reasoning", Text: "Quality gate: passed"}, nil},
	} {
		got, ok := transcript.ExtractQualityGates(tc.in, transcript.Careful())
		if ok != (tc.want != nil) || (ok && got != *tc.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, ok, tc.want)
		}
	}
}

func TestReflectionWithCare(t *testing.T) {
	t.Parallel()
	learnt := func(lessons, followUps []string) *transcript.Reflection {
		return &transcript.Reflection{Lessons: lessons, FollowUps: followUps}
	}
	for name, tc := range map[string]struct {
		in   transcript.Event
		want *transcript.Reflection
	}{
		"said": {
			say("Done. Quality gate: passed.\n- Keep inputs validated\n- Follow-up: add tests for ep-041x"),
			learnt([]string{"Keep inputs validated"}, []string{"add tests for ep-041x"}),
		},
		"whole words": {
			say("Done.\n- the context matters\n- nextElement() is slow\n- TODO: the docs\n- **Next steps:** deploy\n- the next request needs a token\n- a todo is left\n- follow up with ops\n- [ ] an open box\n- [x] a ticked one"),
			learnt([]string{"the context matters", "nextElement() is slow", "the next request needs a token"},
				[]string{"the docs", "deploy", "a todo is left", "follow up with ops", "an open box"}),
		},
		"under headings": {
			say("## Changes\n- main.go: a flag\n\n## Lessons learned\n1. Flags need docs\n- the next one too\n  in two lines\n\n**Follow-ups**\n* write them\n\nThat is all.\n- Tests are fast\n\nFiles:\n- main.go\n- Lesson: read first"),
			learnt([]string{"Flags need docs", "the next one too", "Tests are fast", "read first"}, []string{"write them"}),
		},
		"printed by a program": {
			transcript.Event{Type: "message", Role: transcript.RoleProgram, Text: "- a.go\n- the next one\n- [ ] box\n- TODO: the docs\n\n## Reflection\n- Flags need docs\n- follow up with ops\n\nThe files.\n- b.go\n\nLessons:\n- c\n"},
			learnt([]string{"Flags need docs", "c"}, []string{"the docs", "follow up with ops"}),
		},
		"code":                     {say("```\n- no point\n```\n~"), nil},
		"a diff":                   {say("-removed\n+added\n---"), nil},
		"a tool's output":          {toolResult("- a line of a file"), nil},
		"a tool that reflects":     {transcript.Event{Type: "tool_execution_end", Tool: "nity_reflect", Text: "- learnt\n- next: more"}, learnt([]string{"learnt"}, []string{"more"})},
		"structured":               {toolResult(`{"lessons":["a"],"followUps":["b"]}`), learnt([]string{"a"}, []string{"b"})},
		"structured, in the words": {say("- ignored\n{\"reflection\":{\"lessons\":[\"a\",\"a\",\"\"],\"follow_ups\":[\"b\"]}}"), learnt([]string{"a"}, []string{"b"})},
		"the prompt":               {transcript.Event{Type: "message_end", Role: "user", Text: "- a point"}, nil},
		"no points":                {say("Done - really."), nil},
	} {
		got, ok := transcript.ExtractReflection(tc.in, transcript.Careful())
		if tc.want == nil {
			if ok {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(*tc.want, got); diff != "" || !ok {
			t.Errorf("%s, %v (-want +got):\n%s", name, ok, diff)
		}
	}
}

func TestEpisodesWithCare(t *testing.T) {
	t.Parallel()
	long := "abcdefghijklmnopqrstuvwxyz0123456789"
	for text, want := range map[string][]string{
		"as in ep-041, and episode: auth-fix":             {"ep-041", "episode: auth-fix"},
		"[ep-041] and (EP-auth_fix-2), Episode:\tlogin":   {"ep-041", "ep-auth_fix-2", "episode: login"},
		"keep-alive, step-one, ep-once, deep-copy":        {"ep-once"},
		"a-ep-041 _ep-041 xep-041 éep-041":                nil,
		"episode: the one. episode: login. episode: fix7": {"episode: login", "episode: fix7"},
		"ep-41 ep--abc ep-" + long + " episode: ab":       nil,
		"ep-041- and ep-041.":                             {"ep-041"},
		"ep-caféx":                                        nil,
		"subepisode: auth-fix, ep:abc, episode-abc":       nil,
		`{"episodeRefs":["ep-1","x"]}`:                    {"ep-1", "x"},
		"":                                                nil,
	} {
		for _, e := range []transcript.Event{toolResult(text), say(text)} {
			if diff := cmp.Diff(want, transcript.ExtractEpisodeRefs(e, transcript.Careful())); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	}
	if refs := transcript.ExtractEpisodeRefs(transcript.Event{Type: "message_end", Role: "user", Text: "ep-041"}, transcript.Careful()); refs != nil {
		t.Errorf("the prompt has %q", refs)
	}
}

// TestTheTransformerWithCare: names of tools are known again, the overall figure does not go back, and the agent's time counts.
func TestTheTransformerWithCare(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(5000)
	transform := transcript.NewEventTransformer("execute", transcript.Careful(), transcript.Clock(func() time.Time { return now }))
	type line struct {
		Category                  transcript.Category
		Tool, Phase, Message      string
		Percentage, Overall, Time float64
	}
	var got []line
	for _, raw := range []string{
		`{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"Two."},{"type":"tool_use","id":"a","name":"Write"},{"type":"tool_use","id":"b","name":"Bash"}]}}`,
		`{"type":"user","timestamp":"1970-01-01T00:00:07Z","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"b","content":"x"}]}}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"y"}]}]}}`,
		`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"again"}]}}`,
		`{"type":"system","subtype":"api_retry","error":"rate_limit"}`,
		`{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"` + strings.Repeat("é", 600) + `"}]}}`,
		`{"type":"whatever"}`,
	} {
		for _, e := range transcript.Decode([]byte(raw)) {
			out, ok := transform(e)
			if !ok {
				continue
			}
			l := line{Category: out.Payload.Category, Tool: out.Payload.Tool, Message: out.Payload.Message, Time: float64(out.Timestamp)}
			if p := out.Payload.Progress; p != nil {
				l.Phase, l.Percentage, l.Overall = p.Phase, p.Percentage, p.Overall
			}
			got = append(got, l)
		}
	}
	want := []line{
		{Category: "message", Message: "Two.", Phase: "Processing", Percentage: 50, Overall: 50, Time: 5000},
		{Category: "tool_call", Tool: "Write", Phase: "Calling Write", Percentage: 25, Overall: 50, Time: 5000},
		{Category: "tool_call", Tool: "Bash", Phase: "Calling Bash", Percentage: 25, Overall: 50, Time: 5000},
		{Category: "tool_result", Tool: "Bash", Phase: "Result from Bash", Percentage: 75, Overall: 75, Time: 7000},
		{Category: "tool_result", Tool: "Write", Phase: "Result from Write", Percentage: 75, Overall: 75, Time: 5000},
		{Category: "tool_result", Phase: "Result from tool", Percentage: 75, Overall: 75, Time: 5000},
		{Category: "error", Message: "rate_limit", Time: 5000},
		{Category: "message", Message: strings.Repeat("é", 512), Phase: "Processing", Percentage: 50, Overall: 75, Time: 5000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
