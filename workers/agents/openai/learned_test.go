package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestWhatAnAnswerSaysOfTheWork comes into the result beside the answer, without its secrets; an answer that says none of it leaves it out.
func TestWhatAnAnswerSaysOfTheWork(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tc := range map[string]struct {
		says []string // in pieces
		want sdk.Result
	}{
		"nothing": {[]string{"Yes."}, sdk.Result{}},
		"all of it": {
			[]string{"Done. Quality ga", "te: passed.\n\nLessons:\n- Keep in", "puts validated\n- password=hunter2 was there\n\nFollow-ups:\n- add tests for ep-041x\n"},
			sdk.Result{
				QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"Quality gate: passed.","evidence":"statement"}`),
				Reflection:  json.RawMessage(`{"lessons":["Keep inputs validated","password=[redacted] was there"],"followUps":["add tests for ep-041x"]}`),
				EpisodeRefs: []string{"ep-041x"},
			},
		},
		"as JSON": {
			[]string{`{"qualityGatePassed":false,"lessons":["a"],"followUps":["b"],"episodeRefs":["ep-1"]}`},
			sdk.Result{
				QualityGatePassed: &no, QualityGate: json.RawMessage(`{"passed":false,"details":"","evidence":"structured"}`),
				Reflection: json.RawMessage(`{"lessons":["a"],"followUps":["b"]}`), EpisodeRefs: []string{"ep-1"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pieces []string
			for _, s := range tc.says {
				pieces = append(pieces, says(s))
			}
			res, err := serve(t, stream(append(pieces, ends("stop"), done)...)).agent(t).Handle(t.Context(), task(), newDesk())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(map[string]string{"text": strings.Join(tc.says, "")})
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Output, tc.want.Model = text, "small-2026"
			if diff := cmp.Diff(&tc.want, res); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
