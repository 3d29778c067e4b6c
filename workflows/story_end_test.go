package workflows_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

func TestTerminalEvent(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	base := sdk.Task{
		ID: "t1", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, AgentID: "ann", Stage: 1, Attempt: 2, Degraded: true, CorrelationID: "c",
		Attempts: []sdk.Attempt{{Attempt: 1}, {Stage: 1, Attempt: 1}, {Stage: 1, Attempt: 2}}, CompletedAt: &ended,
	}
	with := func(status sdk.Status, r sdk.Result) sdk.Task {
		task := base
		r.Status = status
		task.Status, task.Result = status, &r
		return task
	}
	large := json.RawMessage(`"` + strings.Repeat("x", sdk.MaxEventOutput) + `"`)
	cancelled := with(sdk.StatusCancelled, sdk.Result{Error: &sdk.TaskError{Code: sdk.CodeCancelled, Message: "enough"}})
	cancelled.CancelConfirmed = new(true)
	fingerprints := regexp.MustCompile(`,"fingerprint":"[0-9a-f]*"`) // have tests of their own
	rest := `"type":"code.write","role":"coder","status":"STATUS","agentId":"ann","stage":1,"attempt":2,"attempts":3,"durationMs":0,"errorCount":0,"degraded":true`
	for name, tc := range map[string]struct {
		task     sdk.Task
		typ      sdk.EventType
		more     string
		codeData string // empty: no code event
	}{
		"completed": {with(sdk.StatusCompleted, sdk.Result{Output: json.RawMessage(`{"n":9007199254740993}`), Metrics: sdk.Metrics{DurationMs: 7}}), sdk.EventTaskCompleted,
			`,"output":{"n":9007199254740993},"metrics":{"durationMs":7}`, `{"taskId":"t1","output":{"n":9007199254740993}}`},
		"a large output": {with(sdk.StatusCompleted, sdk.Result{Output: large}), sdk.EventTaskCompleted,
			`,"outputOmitted":true,"metrics":{"durationMs":0},"links":{"task":"/v1/tasks/t1"}`, `{"taskId":"t1","outputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`},
		"failed": {with(sdk.StatusFailed, sdk.Result{Error: &sdk.TaskError{Code: sdk.CodeTerminated, Message: "m"}}), sdk.EventTaskFailed,
			`,"error":{"code":"terminated","message":"m"},"metrics":{"durationMs":0}`, ""},
		"cancelled": {cancelled, sdk.EventTaskCancelled, `,"error":{"code":"cancelled","message":"enough"},"cancelConfirmed":true,"metrics":{"durationMs":0}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := workflows.TaskInput{Project: "shop", Organization: "acme", ID: "t1"}
			want := sdk.Event{
				SpecVersion: "1.0", ID: "t1.4", Source: "/projects/shop/tasks/t1", Type: tc.typ, Subject: "task/t1", Time: ended, DataContentType: "application/json",
				Organization: "acme", Project: "shop", Agent: "ann", Task: "t1", CorrelationID: "c", Seq: 4,
				Data: json.RawMessage(`{"taskId":"t1",` + strings.Replace(rest, "STATUS", string(tc.task.Status), 1) + tc.more + `}`),
			}
			got := workflows.TerminalEvent(in, tc.task, 4)
			got.Data = fingerprints.ReplaceAll(got.Data, nil)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !workflows.EndsStory(want.Type) {
				t.Errorf("%s does not end a story", want.Type)
			}
			got, ok := workflows.CodeEvent(in, tc.task, 5)
			if ok != (tc.codeData != "") {
				t.Fatalf("followed by %+v, %v", got, ok)
			}
			if ok {
				want.ID, want.Seq, want.Type, want.CausationID, want.Data = "t1.5", 5, sdk.EventCodeGenerated, "t1.4", json.RawMessage(tc.codeData)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("followed by (-want +got):\n%s", diff)
				}
			}
		})
	}
	if _, ok := workflows.CodeEvent(workflows.TaskInput{}, sdk.Task{Type: sdk.TypeResearchCodebase, Status: sdk.StatusCompleted, Result: &sdk.Result{}}, 2); ok {
		t.Error("research is followed by an event of code")
	}
}

func TestEventsWorkflowID(t *testing.T) {
	t.Parallel()
	for part, workflowID := range map[int]string{0: workflows.EventsWorkflowID("shop", "t1"), 12: workflows.EventsPartID("shop", "t1", 12)} {
		project, id, n, ok := workflows.ParseEventsWorkflowID(workflowID)
		if project != "shop" || id != "t1" || n != part || !ok {
			t.Errorf("%s: %q %q %d %v", workflowID, project, id, n, ok)
		}
	}
	for _, other := range []string{
		workflows.TaskWorkflowID("shop", "t1"), "events:shop", "events:a b:c", "", "events:shop:t1:0", "events:shop:t1:", "events:shop:t1:x", "events:shop:t1:+1", "events:shop:t1:1:2",
	} {
		if _, _, _, ok := workflows.ParseEventsWorkflowID(other); ok {
			t.Errorf("%q is taken for one", other)
		}
	}
}
