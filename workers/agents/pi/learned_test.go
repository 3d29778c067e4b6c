package pi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workers/agents/command"
)

// tool is the end of a tool.
func tool(t *testing.T, name, text string, details any) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"type": "tool_execution_end", "toolCallId": "c", "toolName": name,
		"result": map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}, "details": details},
	})
	if err != nil {
		t.Fatal(err)
	}
	return `{"type":"tool_execution_end",` + strings.TrimPrefix(string(raw), "{") + "\n"
}

// TestWhatToolsSayOfTheWork: the newest verdict counts, a structured one before all others, and no secret of a tool's output is kept.
func TestWhatToolsSayOfTheWork(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for name, tc := range map[string]struct {
		tools string
		want  sdk.Result
	}{
		"no verdict": {tool(t, "bash", "login failed for root\n- a line of a file", nil), sdk.Result{}},
		"repaired": {
			tool(t, "bash", "3 failed, 9 passed", nil) + tool(t, "bash", "12 passed, 0 failed", nil),
			sdk.Result{QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"12 passed, 0 failed","evidence":"counts"}`)},
		},
		"a gate's own result": {
			tool(t, "nity_quality_gate", "The gate passed.", map[string]any{"passed": false, "details": "coverage"}) + tool(t, "bash", "12 passed", nil),
			sdk.Result{QualityGatePassed: &no, QualityGate: json.RawMessage(`{"passed":false,"details":"coverage","evidence":"structured"}`)},
		},
		"episodes and lessons": {
			tool(t, "nity_reflect", "- keep-alive helps, see [ep-007] and episode: auth-fix", nil),
			sdk.Result{Reflection: json.RawMessage(`{"lessons":["keep-alive helps, see [ep-007] and episode: auth-fix"],"followUps":[]}`), EpisodeRefs: []string{"ep-007", "episode: auth-fix"}},
		},
		"a secret": {
			tool(t, "bash", "Quality gate passed with password=hunter2", nil),
			sdk.Result{QualityGatePassed: &yes, QualityGate: json.RawMessage(`{"passed":true,"details":"Quality gate passed with password=[redacted]","evidence":"statement"}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(1<<20, &teller{}, redact.Default())
			feed(t, s, []byte(begin+tc.tools+answered+end), 1000)
			res, err := s.Conclude(command.Exit{})
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Output, tc.want.Metrics = json.RawMessage(`{"text":"yes"}`), res.Metrics
			if diff := cmp.Diff(&tc.want, res); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
