package command

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// TestWhatAProgramSaysOfItsWork comes into its result, each where the program has not said it as such.
func TestWhatAProgramSaysOfItsWork(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	const done = "Done. Quality gate: passed.\n- Keep inputs validated\n- Follow-up: add tests for ep-041x\n"
	learned := sdk.Result{
		QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"Quality gate: passed.","evidence":"statement"}`),
		Reflection: json.RawMessage(`{"lessons":["Keep inputs validated"],"followUps":["add tests for ep-041x"]}`), EpisodeRefs: []string{"ep-041x"},
	}
	stream, err := os.ReadFile("testdata/claude-write.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		printed string
		want    sdk.Result // its output aside
	}{
		"nothing": {"", sdk.Result{}},
		"words":   {"hello\n- ", sdk.Result{}},
		"plain text": {done, sdk.Result{
			QualityGatePassed: &yes, QualityGate: learned.QualityGate, Reflection: json.RawMessage(`{"lessons":[],"followUps":["add tests for ep-041x"]}`), EpisodeRefs: learned.EpisodeRefs,
		}},
		"a list that is printed": {"Files:\n- a.go\n\n* master\n- [ ] box\n1. first\n", sdk.Result{}},
		"under headings": {
			"Files:\n- a.go\n\nLessons learned:\n- Keep inputs validated\n\n## Next steps\n- add tests\n",
			sdk.Result{Reflection: json.RawMessage(`{"lessons":["Keep inputs validated"],"followUps":["add tests"]}`)},
		},
		"lessons as JSON": {
			"- a.go\n{\"lessons\":[\"a\"],\"followUps\":[\"b\"]}\n", sdk.Result{Reflection: json.RawMessage(`{"lessons":["a"],"followUps":["b"]}`)},
		},
		"an agent's stream":  {string(stream), learned},
		"a result's text":    {result(t, map[string]any{"text": done}), learned},
		"a result of text":   {result(t, done), learned},
		"a result's numbers": {result(t, 7), sdk.Result{}},
		"a gate as JSON":     {"Quality gate: passed\n{\"qualityGatePassed\":false}\n", sdk.Result{QualityGatePassed: &no, QualityGate: json.RawMessage(`{"passed":false,"details":"","evidence":"structured"}`)}},
		"a result that says it": {
			result(t, map[string]any{"qualityGate": map[string]any{"passed": false, "details": "lint"}, "episodeRefs": []string{"e-1"}}),
			sdk.Result{QualityGatePassed: &no, QualityGate: json.RawMessage(`{"passed":false,"details":"lint","evidence":"structured"}`), EpisodeRefs: []string{"e-1"}},
		},
		"counts that are printed":   {"12 passed, 0 failed\n", sdk.Result{QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"12 passed, 0 failed","evidence":"counts"}`)}},
		"counts in a result's text": {result(t, "12 passed, 0 failed"), sdk.Result{}},
		"its own words go before": {
			`{"result":{"output":"Quality gate: passed, see ep-041","qualityGatePassed":false,"reflection":"none","episodeRefs":[]}}`,
			sdk.Result{QualityGatePassed: &no, Reflection: json.RawMessage(`"none"`), EpisodeRefs: []string{}},
		},
		"its own gate": {
			`{"result":{"output":"Quality gate: passed","qualityGate":{"passed":false}}}`,
			sdk.Result{QualityGatePassed: &no, QualityGate: json.RawMessage(`{"passed":false}`)},
		},
		"its own gate of another shape": {
			`{"result":{"output":"Quality gate: passed","qualityGate":{"coverage":0.9}}}`, sdk.Result{QualityGate: json.RawMessage(`{"coverage":0.9}`)},
		},
		"a secret": {
			"Lessons:\n- password=hunter2 is in the log\n", sdk.Result{Reflection: json.RawMessage(`{"lessons":["password=[redacted] is in the log"],"followUps":[]}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			talk := jsonTalk{stream: newStream(1<<20, 64, &spoken{}), clean: redact.Default(), log: slog.New(slog.DiscardHandler)}
			if _, err := talk.Write([]byte(tc.printed)); err != nil {
				t.Fatal(err)
			}
			if err := talk.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := talk.Conclude(Exit{})
			if err != nil {
				t.Fatal(err)
			}
			got.Output = nil
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	failed := jsonTalk{stream: newStream(1<<20, 64, &spoken{})}
	if _, err := failed.Write([]byte(done)); err != nil {
		t.Fatal(err)
	}
	if res, err := failed.Conclude(Exit{Code: 1}); res != nil || err == nil || !strings.Contains(err.Error(), "1") {
		t.Errorf("a failure comes to %+v, %v", res, err)
	}
}

// result is a result line.
func result(t *testing.T, output any) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"result": map[string]any{"output": output}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + "\n"
}
