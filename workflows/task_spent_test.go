package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestTask_CountsWhatEveryAttemptSpent: who pays for a task pays for its failed and lost attempts, too.
func TestTask_CountsWhatEveryAttemptSpent(t *testing.T) {
	t.Parallel()
	type answer = func(sdk.Assignment) (activities.AttemptReport, error)
	spending := func(tokens int64, cost float64) sdk.Metrics { return sdk.Metrics{TokensUsed: &tokens, CostUSD: &cost} }
	spent := func(tokens int64, cost float64) activities.AttemptReport {
		m := spending(tokens, cost)
		return activities.AttemptReport{AgentID: "agent-1", Spent: &m}
	}
	done := func(m sdk.Metrics) answer {
		return func(sdk.Assignment) (activities.AttemptReport, error) {
			return activities.AttemptReport{Result: &sdk.Result{Output: json.RawMessage(`1`), Metrics: m}}, nil
		}
	}
	tooLarge := func(sdk.Assignment) (activities.AttemptReport, error) {
		report := spent(2, 0.5)
		report.Result = &sdk.Result{Output: json.RawMessage(`"` + strings.Repeat("x", sdk.MaxOutput) + `"`)}
		return report, nil
	}
	for name, test := range map[string]struct {
		answers []answer
		status  sdk.Status
		want    sdk.Metrics
	}{
		"nothing was said":   {[]answer{fails("broken", true, activities.AttemptReport{}), done(sdk.Metrics{})}, sdk.StatusCompleted, sdk.Metrics{}},
		"one attempt":        {[]answer{done(spending(7, 0.5))}, sdk.StatusCompleted, spending(7, 0.5)},
		"failed, then not":   {[]answer{fails("broken", true, spent(30, 0.25)), done(spending(7, 0.5))}, sdk.StatusCompleted, spending(37, 0.75)},
		"interrupted, lost":  {[]answer{fails("interrupted", true, spent(1, 0.5)), timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, spent(2, 0.25)), done(spending(7, 0))}, sdk.StatusCompleted, spending(10, 0.75)},
		"timed out":          {[]answer{timesOut(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, spent(5, 1)), done(sdk.Metrics{})}, sdk.StatusCompleted, spending(5, 1)},
		"failed for good":    {[]answer{fails("broken", true, spent(30, 0.25)), fails("no_key", false, spent(1, 0.5))}, sdk.StatusFailed, spending(31, 0.75)},
		"an unusable result": {[]answer{tooLarge}, sdk.StatusFailed, spending(2, 0.5)},
		"nonsense":           {[]answer{fails("broken", true, spent(-30, -1)), done(spending(7, 0.5))}, sdk.StatusCompleted, spending(7, 0.5)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task, _ := run(t, newEnv(t, &script{answers: test.answers}), request())
			if task.Status != test.status {
				t.Fatalf("%s: %+v", task.Status, task.Result.Error)
			}
			if diff := cmp.Diff(test.want, task.Result.Metrics, cmpopts.IgnoreFields(sdk.Metrics{}, "DurationMs")); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}
