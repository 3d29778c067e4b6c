// Package learned puts into an agent's result what was read out of what it said, for all adapters alike.
package learned

import (
	"encoding/json"
	"strings"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// restOfBody is how much of a request that completes a task is neither output nor what is learned from it.
const restOfBody = 4 << 10

// Complete puts what was learned from a transcript into a result: gate, reflection and episodes, each where the result has none yet, and as far as
// result and all may be sent in one request, so that it never costs the output.
func Complete(res *sdk.Result, found transcript.Result) {
	passed, gate, reflection, refs := found.Describe()
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
