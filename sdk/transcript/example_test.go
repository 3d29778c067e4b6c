package transcript_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// What Codex printed comes to a result.
func Example() {
	stdout := strings.NewReader(`{"type":"thread.started","thread_id":"t"}
{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"make test","aggregated_output":"12 passed, 0 failed\n","exit_code":0,"status":"completed"}}
{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"Done, as in ep-041.\n- Keep inputs validated\n- Follow-up: add tests"}}
{"type":"turn.completed"}
`)
	transform := transcript.NewEventTransformer("execute", transcript.Careful())
	learned := transcript.NewCollector("execute", transcript.Careful())
	for e, err := range transcript.NewReader(stdout).Events() {
		if err != nil {
			fmt.Println(err)
			return
		}
		if event, ok := transform(e); ok && event.Payload.Progress != nil {
			fmt.Println(event.Type, event.Payload.Category, event.Payload.Progress.Phase)
		}
		learned.Add(e)
	}
	result := learned.Result(44500 * time.Millisecond)
	fmt.Println(*result.QualityGatePassed, result.QualityGate.Details)
	fmt.Println(result.Reflection.Lessons, result.Reflection.FollowUps, result.EpisodeRefs)
	// Output:
	// task_progress tool_result Result from command_execution
	// task_progress message Processing
	// true 12 passed, 0 failed
	// [Keep inputs validated] [add tests] [ep-041]
}

// The keyword rules and the careful version of them.
func ExampleCareful() {
	e := transcript.Event{Type: "tool_result", Tool: "bash", Text: "12 passed, 0 failed; keep-alive is on"}
	for _, opts := range [][]transcript.Option{nil, {transcript.Careful()}} {
		gate, _ := transcript.ExtractQualityGates(e, opts...)
		fmt.Println(gate.Passed, transcript.ExtractEpisodeRefs(e, opts...))
	}
	// Output:
	// false [ep-alive]
	// true []
}

// At most one update in each interval, and what is left at the end.
func ExampleNewProgressThrottler() {
	throttler := transcript.NewProgressThrottler(func(p transcript.Progress) { fmt.Println(p.Percentage, p.Phase) }, time.Minute)
	throttler.Push(transcript.Progress{Phase: "Processing", Percentage: 30})
	throttler.Push(transcript.Progress{Phase: "Processing", Percentage: 45})
	throttler.Push(transcript.Progress{Phase: "Processing", Percentage: 60})
	throttler.Flush()
	// Output: 60 Processing
}
