package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/rolecall-dev/rolecall/sdk"
)

// rolesOfRuns is a Temporal with an open task of each role, that chooses the ones whose role a query does not name.
func rolesOfRuns(t *testing.T, roles ...string) *visibility {
	t.Helper()
	runs, of := manyRuns(t, len(roles), 1), map[*workflowpb.WorkflowExecutionInfo]string{}
	for i, run := range runs {
		run.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"RolecallRole": payload(t, roles[i])}}
		of[run] = roles[i]
	}
	return &visibility{runs: runs, chosen: func(query string, run *workflowpb.WorkflowExecutionInfo) bool {
		_, named, _ := strings.Cut(query, "RolecallRole NOT IN ")
		return !strings.Contains(named, "'"+of[run]+"'")
	}}
}

func TestOpenRoles(t *testing.T) {
	t.Parallel()
	v := rolesOfRuns(t, append(slices.Repeat([]string{"welder"}, openRolesPage), "coder", "baker", "welder", "devops")...)
	e := listEngine(t, v)
	for range 3 {
		if got := e.OpenRoles(t.Context(), "p"); !slices.Equal(got, []sdk.Role{"baker", "welder"}) {
			t.Errorf("%q", got)
		}
	}
	if len(v.asked) != 2 { // the first page has one role only
		t.Errorf("asked for %v", v.asked)
	}
	var many []string
	for i := range 2 * openRolesAsks * openRolesPage {
		many = append(many, fmt.Sprintf("r%d", i))
	}
	crowd := rolesOfRuns(t, many...)
	if got := listEngine(t, crowd).OpenRoles(t.Context(), "p"); len(got) != openRolesAsks*openRolesPage || len(crowd.asked) != openRolesAsks {
		t.Errorf("%d of %d, asked for %v", len(got), len(many), crowd.asked)
	}
	large := rolesOfRuns(t, "welder", "baker")
	large.largest = 1
	if got := listEngine(t, large).OpenRoles(t.Context(), "p"); len(got) != 2 {
		t.Errorf("with large tasks: %q", got)
	}
	if got := listEngine(t, &visibility{failure: errors.New("away")}).OpenRoles(t.Context(), "p"); len(got) != 0 {
		t.Errorf("while Temporal is away: %q", got)
	}
	// What was found before Temporal did not answer any more serves for a moment only.
	synctest.Test(t, func(t *testing.T) {
		away := rolesOfRuns(t, "welder")
		away.failure = errors.New("away")
		e := listEngine(t, away)
		for _, step := range []struct {
			passes time.Duration
			want   []sdk.Role
		}{{0, nil}, {openRolesAgain - 1, nil}, {1, []sdk.Role{"welder"}}} {
			<-time.After(step.passes)
			if got := e.OpenRoles(t.Context(), "p"); !slices.Equal(got, step.want) {
				t.Errorf("after %s more: %q", step.passes, got)
			}
			away.failure = nil
		}
	})
	const want = " AND ExecutionStatus NOT IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut', 'ContinuedAsNew') AND RolecallRole NOT IN ('coordinator', "
	if q := otherRolesQuery("p", []sdk.Role{"welder"}); !strings.Contains(q, want) || !strings.HasSuffix(q, ", 'devops', 'welder')") {
		t.Error(q)
	}
}
