// Package transcript reads what coding agents print while they work: the JSON lines of pi, Claude Code, Codex, OpenCode and the Gemini CLI,
// and of anything that writes events with a "type".
//
//	r := transcript.NewReader(stdout)
//	learned := transcript.NewCollector("execute", transcript.Careful())
//	for e, err := range r.Events() {
//		...
//		learned.Add(e)
//	}
//	result := learned.Result(time.Since(began))
//
// An [Event] is one thing that an agent did or said. [CategorizeEvent] says what kind of thing, [ExtractProgress] how far the work is by it,
// [ExtractQualityGates] whether a quality gate has passed, [ExtractReflection] what was learnt and what is left to do, [ExtractEpisodeRefs]
// which earlier episodes it refers to. [NewEventTransformer] makes events for listeners of them, [BuildResult] and [Collector] a result.
//
// # Two versions
//
// Each function follows the keyword rules of the Nity bridge, as they are documented there, when it is called without options. They go by
// parts of words: tool_execution_end is a session event by them, since it contains "end"; "0 failed" is a failure; keep-alive is the
// episode ep-alive. With [Careful] they read what real agents print: their own names of events, words and counts in place of
// parts of words, what the agent says and not only what its tools print, and a gate's result as JSON before any keyword.
//
// # Bounds
//
// Time grows with the length of what is read, and with nothing else. A [Reader] holds one line, a [Collector] one answer and a bounded
// list of what it found.
package transcript
