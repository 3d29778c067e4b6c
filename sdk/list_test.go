package sdk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func listPage(next string, ids ...string) sdk.TaskPage {
	p := sdk.TaskPage{NextCursor: next}
	for _, id := range ids {
		p.Items = append(p.Items, sdk.TaskSummary{ID: id})
	}
	return p
}

func TestTasksTurnsPagesAndRemovesRepeats(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{
		says(200, listPage("c1", "a", "b")), says(503, sdk.Errorf("unavailable", "starting").Problem()),
		says(200, listPage("c2", "c", "a")), says(200, listPage("c3")), says(200, listPage("", "d")),
	}}
	c := s.serve(t)
	filter := sdk.TaskFilter{
		Role: "coder", Type: "code.write", Status: "open", Priority: "high", AgentID: "a1", ParentID: "p", SessionID: "s", PlanID: "l",
		Since: noon(0).In(time.FixedZone("", 3600)), Limit: 2,
	}
	var ids []string
	for task, err := range c.Tasks(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, task.ID)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, ids); diff != "" {
		t.Error(diff)
	}
	const rest = "limit=2&parentId=p&planId=l&priority=high&role=coder&sessionId=s&since=2026-01-02T12%3A00%3A00Z&status=open&type=code.write"
	var asked []string
	for _, r := range s.requests() {
		asked = append(asked, r.URI)
	}
	const path = "/behind/a/proxy/v1/tasks?agentId=a1&"
	want := []string{path + rest, path + "cursor=c1&" + rest, path + "cursor=c1&" + rest, path + "cursor=c2&" + rest, path + "cursor=c3&" + rest}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestTasksEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		filter  sdk.TaskFilter
		answers []answer
		want    error
		tasks   int
	}{
		"at a refusal":        {answers: []answer{says(200, listPage("c", "a")), says(422, sdk.Errorf("invalid_input", "no").Problem())}, want: sdk.ErrInvalidInput, tasks: 1},
		"at a wrong filter":   {filter: sdk.TaskFilter{Status: "done"}, answers: []answer{says(200, listPage("", "a"))}, want: sdk.ErrInvalidInput},
		"where it turns back": {answers: []answer{says(200, listPage("c", "a"))}, want: sdk.ErrInternal, tasks: 1},
	} {
		tasks, last := 0, error(nil)
		for task, err := range (&script{answers: tc.answers}).serve(t).Tasks(t.Context(), tc.filter) {
			if last = err; task != nil {
				tasks++
			}
		}
		if !errors.Is(last, tc.want) || tasks != tc.tasks {
			t.Errorf("%s: %d tasks, then %v", name, tasks, last)
		}
	}
}

func TestFilterNamesEveryFault(t *testing.T) {
	t.Parallel()
	wrong := sdk.TaskFilter{Role: "C", Type: "W", Status: "x", Priority: "x", AgentID: " ", ParentID: " ", SessionID: " ", PlanID: " ", Since: time.Unix(-1, 0), Limit: 201}
	e, ok := errors.AsType[*sdk.Error](wrong.Validate())
	if !ok || len(e.Faults) != 10 {
		t.Errorf("%v", e)
	}
	if err := (sdk.TaskFilter{Priority: "normal", Status: "open", Limit: 200}).Validate(); err != nil {
		t.Error(err)
	}
}
