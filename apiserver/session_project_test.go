package apiserver

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// second is a made-up time, so many seconds after a task had its turn.
func second(n int) time.Time {
	return time.UnixMilli(1710931200500).Add(time.Duration(n) * time.Second).UTC()
}

// TestSessionEvent: what each event of the log becomes, field by field, as it goes over the wire.
func TestSessionEvent(t *testing.T) {
	t.Parallel()
	task := toldTask{kind: sdk.TypeExecute, began: second(0), percentage: 40}
	for _, tc := range []struct {
		name string
		of   sdk.EventType
		data string
		task toldTask
		want string
	}{
		{
			"the session has begun", sdk.EventSessionStarted,
			`{"sessionId":"s1","costTier":"free","orchestratorModel":"ollama","executorModel":"llama","qualityGates":true,"clientId":"editor"}`, toldTask{},
			`"session_start","timestamp":1710931205500,"payload":{"sessionId":"s1","costTier":"free","orchestratorModel":"ollama","executorModel":"llama"}`,
		},
		{
			"a task has its turn", sdk.EventTaskCreated,
			`{"type":"execute","prompt":"` + strings.Repeat("ä", 250) + `","priority":"medium","title":"x"}`, toldTask{},
			`"task_start","timestamp":1710931205500,"payload":{"taskType":"execute","prompt":"` + strings.Repeat("ä", 200) + `","priority":"medium","taskId":"t1"}`,
		},
		{
			"it goes on", sdk.EventTaskProgress,
			`{"percentage":25,"phase":"Calling edit","message":"m","delta":"d","category":"tool_call","tool":"edit","overall":25}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"tool_call","tool":"edit","message":"m",` +
				`"progress":{"phase":"Calling edit","percentage":25,"delta":"d"},"taskId":"t1"}`,
		},
		{
			"it calls a tool and does not say how far it is", sdk.EventTaskProgress,
			`{"percentage":0,"phase":"Calling edit","message":"a.go","delta":"a.go","category":"tool_call","tool":"edit","overall":0}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"tool_call","tool":"edit","message":"a.go",` +
				`"progress":{"phase":"Calling edit","percentage":25,"delta":"a.go"},"taskId":"t1"}`,
		},
		{
			"the tool has answered", sdk.EventTaskProgress, `{"percentage":0,"phase":"Result from edit","category":"tool_result","tool":"edit"}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"tool_result","tool":"edit",` +
				`"progress":{"phase":"Result from edit","percentage":75},"taskId":"t1"}`,
		},
		{
			"it speaks", sdk.EventTaskProgress, `{"percentage":0,"phase":"Processing","category":"message","delta":"Hel"}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"message",` +
				`"progress":{"phase":"Processing","percentage":50,"delta":"Hel"},"taskId":"t1"}`,
		},
		{
			"it thinks", sdk.EventTaskProgress, `{"percentage":0,"phase":"Thinking","category":"session"}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"session","progress":{"phase":"Thinking","percentage":0},"taskId":"t1"}`,
		},
		{
			"it goes on and says little", sdk.EventTaskProgress, `{"percentage":0,"overall":0}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"unknown","progress":{"phase":"","percentage":0},"taskId":"t1"}`,
		},
		{
			"it asks", sdk.EventTaskInputRequired, `{"requestId":"q1","prompt":"Which?"}`, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"input_required","message":"Which?",` +
				`"progress":{"phase":"Waiting for an answer","percentage":40},"taskId":"t1"}`,
		},
		{
			"an attempt failed", sdk.EventTaskRetrying,
			`{"attempt":1,"maxAttempts":3,"errorCount":1,"durationMs":9500,"error":{"code":"agent_failed","message":"Connection timeout"}}`, task,
			`"task_error","timestamp":1710931205500,"payload":{"taskType":"execute","error":"Connection timeout","duration":9500,` +
				`"operation":"sendTask(execute)","attempt":1,"maxAttempts":3,"errorCount":1,"taskId":"t1"}`,
		},
		{
			"it falls back", sdk.EventTaskFallback, `{"durationMs":7,"errorCount":3,"error":{"code":"agent_failed","message":"no"}}`, task,
			`"task_error","timestamp":1710931205500,"payload":{"taskType":"execute","error":"no","duration":7,"fallback":true,"taskId":"t1"}`,
		},
		{
			"it failed", sdk.EventTaskFailed, `{"type":"execute","durationMs":8,"attempt":3,"errorCount":3,"degraded":true,"error":{"code":"no_agent"}}`, task,
			`"task_error","timestamp":1710931205500,"payload":{"taskType":"execute","error":"no_agent","duration":8,"taskId":"t1"}`,
		},
		{
			"it was cancelled", sdk.EventTaskCancelled, `{"durationMs":9,"error":{"code":"cancelled","message":"the session was closed"}}`, task,
			`"task_error","timestamp":1710931205500,"payload":{"taskType":"execute","error":"the session was closed","duration":9,"cancelled":true,"taskId":"t1"}`,
		},
		{
			"it was cancelled without a word", sdk.EventTaskCancelled, `{}`, task,
			`"task_error","timestamp":1710931205500,"payload":{"taskType":"execute","error":"the task was cancelled","duration":0,"cancelled":true,"taskId":"t1"}`,
		},
		{
			"it was done", sdk.EventTaskCompleted, `{"durationMs":4000,"degraded":false,"metrics":{"durationMs":3000}}`, task,
			`"task_complete","timestamp":1710931205500,"payload":{"taskType":"execute","duration":5000,"taskId":"t1"}`,
		},
		{
			"it was done by another stage", sdk.EventTaskCompleted, `{"degraded":true}`, task,
			`"task_complete","timestamp":1710931205500,"payload":{"taskType":"execute","duration":5000,"degraded":true,"taskId":"t1"}`,
		},
		{
			"the session has closed", sdk.EventSessionClosed, `{"sessionId":"s1","reason":"idle","completedTasks":1}`, toldTask{},
			`"session_close","timestamp":1710931205500,"payload":{"sessionId":"s1"}`,
		},
		{
			"the log has no data of it", sdk.EventTaskProgress, ``, task,
			`"task_progress","timestamp":1710931205500,"payload":{"taskType":"execute","category":"unknown","progress":{"phase":"","percentage":0},"taskId":"t1"}`,
		},
	} {
		e := sdk.Event{Type: tc.of, Time: second(5), Data: json.RawMessage(tc.data), Session: "s1"}
		if strings.HasPrefix(string(tc.of), "task.") {
			e.Task = "t1"
		}
		d, err := sourceOf(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(sessionEvent("s1", e, d, tc.task))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"type":`+tc.want+`}`, string(got)); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
	calls := sessionSource{Category: "tool_call"}
	if got := task.after(sdk.Event{Type: sdk.EventTaskProgress}, calls); got.percentage != 25 {
		t.Errorf("a question after the call of a tool has the percentage %g", got.percentage)
	}
	for _, p := range sessionSources() {
		if e := (sdk.Event{Type: sdk.EventType(p)}); sessionEvent("s1", e, sessionSource{}, toldTask{}).Type == "" {
			t.Errorf("%s becomes nothing", p)
		}
	}
}
