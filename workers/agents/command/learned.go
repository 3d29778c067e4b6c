package command

import (
	"encoding/json"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
	"github.com/rolecall-dev/rolecall/workers/agents/internal/learned"
)

// addLearned adds to a result what its output says of a quality gate, of lessons and follow-ups and of episodes, each where the program has not
// said it itself. plain tells that the output is what the program printed.
func addLearned(res *sdk.Result, plain bool, clean *redact.Redactor) {
	if res.QualityGate != nil && res.QualityGatePassed == nil {
		told := transcript.Event{Type: "tool_result", Tool: "quality_gate", Data: res.QualityGate}
		if gate, ok := transcript.ExtractQualityGates(told, transcript.Careful()); ok {
			res.QualityGatePassed = &gate.Passed
		}
	}
	learned.Complete(res, learnedFrom(res.Output, plain, clean))
}

// maxLearned is how large an output may be to be looked at as JSON.
const maxLearned = 64 << 10

// learnedFrom reads an output: the events of a coding agent in its text, line by line, and the rest as what the agent says.
func learnedFrom(output json.RawMessage, plain bool, clean *redact.Redactor) transcript.Result {
	c := transcript.NewCollector("", transcript.Careful())
	var said strings.Builder
	for line := range strings.Lines(clean.String(textOf(output))) {
		events := transcript.Decode([]byte(line))
		if len(events) == 0 || transcript.CategorizeEvent(events[0], transcript.Careful()) == transcript.CategoryUnknown {
			said.WriteString(line)
			continue
		}
		for _, e := range events {
			c.Add(e)
		}
	}
	if plain {
		c.Add(transcript.Event{Type: "tool_result", Text: said.String()})
	}
	message := transcript.Event{Type: "message", Text: said.String()}
	if plain { // a list in it may be of anything
		message.Role = transcript.RoleProgram
	}
	if len(output) <= maxLearned {
		message.Data = clean.JSON(output)
	}
	c.Add(message)
	return c.Result(0)
}

// textOf is the text of an output: a string, or what is called text in it.
func textOf(output json.RawMessage) string {
	var text string
	if json.Unmarshal(output, &text) == nil {
		return text
	}
	var object struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(output, &object) != nil {
		return ""
	}
	return object.Text
}
