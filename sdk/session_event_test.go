package sdk_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionEventFormat pins what each type of a session's stream looks like: its fields, all of them and no other.
func TestSessionEventFormat(t *testing.T) {
	t.Parallel()
	failed := sdk.SessionPayload{TaskID: "t1", TaskType: "execute", Error: "Connection timeout", Duration: 9500}
	retried, fellBack, cancelled := failed, failed, failed
	retried.Operation, retried.Attempt, retried.MaxAttempts, retried.ErrorCount = "sendTask(execute)", 1, 3, 1
	fellBack.Fallback, cancelled.Cancelled = true, true
	const taskError = `"payload":{"taskType":"execute","error":"Connection timeout","duration":9500,`
	for _, tc := range []struct {
		kind    sdk.SessionEventType
		payload sdk.SessionPayload
		want    string
	}{
		{
			"session_start",
			sdk.SessionPayload{SessionID: "s1", CostTier: "free", OrchestratorModel: "ollama", ExecutorModel: "ollama"},
			`"payload":{"sessionId":"s1","costTier":"free","orchestratorModel":"ollama","executorModel":"ollama"}`,
		},
		{
			"task_start",
			sdk.SessionPayload{TaskID: "t1", TaskType: "execute", Prompt: "Add it", Priority: "medium"},
			`"payload":{"taskType":"execute","prompt":"Add it","priority":"medium","taskId":"t1"}`,
		},
		{
			"task_progress",
			sdk.SessionPayload{
				TaskID: "t1", TaskType: "execute", Category: "tool_call", Tool: "edit", Message: "m",
				Progress: &sdk.SessionProgress{Phase: "Calling edit", Percentage: 25, Delta: "d"},
			},
			`"payload":{"taskType":"execute","category":"tool_call","tool":"edit","message":"m","progress":{"phase":"Calling edit","percentage":25,"delta":"d"},"taskId":"t1"}`,
		},
		{
			"task_progress",
			sdk.SessionPayload{TaskID: "t1", TaskType: "execute", Category: "unknown", Progress: &sdk.SessionProgress{}},
			`"payload":{"taskType":"execute","category":"unknown","progress":{"phase":"","percentage":0},"taskId":"t1"}`,
		},
		{
			"task_complete", sdk.SessionPayload{TaskID: "t1", TaskType: "execute", Duration: 44500},
			`"payload":{"taskType":"execute","duration":44500,"taskId":"t1"}`,
		},
		{
			"task_complete", sdk.SessionPayload{TaskID: "t1", TaskType: "execute", Degraded: true},
			`"payload":{"taskType":"execute","duration":0,"degraded":true,"taskId":"t1"}`,
		},
		{"task_error", failed, taskError + `"taskId":"t1"}`},
		{"task_error", retried, taskError + `"operation":"sendTask(execute)","attempt":1,"maxAttempts":3,"errorCount":1,"taskId":"t1"}`},
		{"task_error", fellBack, taskError + `"fallback":true,"taskId":"t1"}`},
		{"task_error", cancelled, taskError + `"cancelled":true,"taskId":"t1"}`},
		{"session_close", sdk.SessionPayload{SessionID: "s1"}, `"payload":{"sessionId":"s1"}`},
	} {
		e := sdk.SessionEvent{Type: tc.kind, Timestamp: 1710931200500, Payload: tc.payload, Sequence: sdk.FormatSequence(7)}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"type":"`+string(tc.kind)+`","timestamp":1710931200500,`+tc.want+`}`, string(raw)); diff != "" {
			t.Errorf("%s: %s", tc.kind, diff)
		}
		var back sdk.SessionEvent
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		e.Sequence = "" // which is no part of it
		if diff := cmp.Diff(e, back); diff != "" {
			t.Errorf("%s: reading it back: %s", tc.kind, diff)
		}
	}
	if at := (sdk.SessionEvent{Timestamp: 1710931200500}).Time(); !at.Equal(time.Date(2024, 3, 20, 10, 40, 0, 5e8, time.UTC)) {
		t.Errorf("the time is %s", at)
	}
}
