package learned

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/transcript"
)

// TestWhatIsLearnedNeverCostsTheOutput: it is left out where the output fills the request.
func TestWhatIsLearnedNeverCostsTheOutput(t *testing.T) {
	t.Parallel()
	yes := true
	found := transcript.Result{
		QualityGatePassed: &yes, QualityGate: &transcript.QualityGate{Passed: true, Details: "d"},
		Reflection: &transcript.Reflection{Lessons: []string{strings.Repeat("l", 500)}}, EpisodeRefs: []string{"ep-041"},
	}
	for size, want := range map[int]sdk.Result{
		sdk.MaxOutput: {QualityGatePassed: &yes},
		sdk.MaxBody - restOfBody - 100: {
			QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"d"}`), EpisodeRefs: []string{"ep-041"},
		},
	} {
		res := &sdk.Result{Output: make(json.RawMessage, size)}
		Complete(res, found)
		res.Output = nil
		if diff := cmp.Diff(&want, res); diff != "" {
			t.Errorf("beside %d bytes (-want +got):\n%s", size, diff)
		}
	}
}
