package command

import (
	"encoding/json"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
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
	Complete(res, learned(res.Output, plain, clean))
}

// restOfBody is how much of a request that completes a task is neither output nor what is learned from it.
const restOfBody = 4 << 10

// Complete puts what was learned from a transcript into a result: gate, reflection and episodes, each where the result has none yet, and as far as
// result and all may be sent in one request, so that it never costs the output.
func Complete(res *sdk.Result, learned transcript.Result) {
	passed, gate, reflection, refs := learned.Describe()
	room := sdk.MaxBody - restOfBody - len(res.Output) - len(res.QualityGate) - len(res.Reflection) - len(strings.Join(res.EpisodeRefs, `","`))
	fits := func(bytes int) bool {
		if bytes > room {
			return false
		}
		room -= bytes
		return true
	}
	if res.QualityGatePassed == nil && res.QualityGate == nil {
		res.QualityGatePassed = passed
		if fits(len(gate)) {
			res.QualityGate = gate
		}
	}
	if res.Reflection == nil && fits(len(reflection)) {
		res.Reflection = reflection
	}
	if list, err := json.Marshal(refs); res.EpisodeRefs == nil && err == nil && fits(len(list)) {
		res.EpisodeRefs = refs
	}
}

// maxLearned is how large an output may be to be looked at as JSON.
const maxLearned = 64 << 10

// learned reads an output: the events of a coding agent in its text, line by line, and the rest as what the agent says.
func learned(output json.RawMessage, plain bool, clean *redact.Redactor) transcript.Result {
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
