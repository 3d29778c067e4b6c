package redact_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

func TestMetadataAloneLeavesOutWhatPeopleAndAgentsSay(t *testing.T) {
	t.Parallel()
	failure := &sdk.TaskError{Code: sdk.CodeAgentFailed, Message: "SAID", Details: json.RawMessage(`"SAID"`)}
	for kind, tc := range map[sdk.EventType]struct {
		data any
		want string
	}{
		sdk.EventTaskCreated: {
			sdk.TaskCreated{TaskID: "t1", Type: "code.write", Role: "coder", Title: "SAID", Description: "SAID", Input: json.RawMessage(`"SAID"`), Priority: "high", MaxAttempts: 3, Stages: 1, Metadata: map[string]string{"a": "SAID"}, Prompt: "SAID"},
			`{"taskId":"t1","type":"code.write","role":"coder","priority":"high","maxAttempts":3,"stages":1,"inputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`,
		},
		sdk.EventTaskProgress: {
			sdk.TaskProgressed{TaskID: "t1", Progress: sdk.Progress{Percentage: 12.5, Phase: "tests", Message: "SAID", Delta: "SAID", Tool: "bash", Attempt: 1}},
			`{"taskId":"t1","percentage":12.5,"phase":"tests","tool":"bash","at":"0001-01-01T00:00:00Z","stage":0,"attempt":1,"overall":0}`,
		},
		sdk.EventTaskInputRequired: {
			sdk.TaskInputRequired{TaskID: "t1", RequestID: "q1", Prompt: "SAID", Schema: json.RawMessage(`{"title":"SAID"}`), Attempt: 2},
			`{"taskId":"t1","requestId":"q1","stage":0,"attempt":2,"expiresAt":"0001-01-01T00:00:00Z"}`,
		},
		sdk.EventTaskRetrying: {
			sdk.TaskRetrying{TaskID: "t1", Role: "coder", Attempt: 1, MaxAttempts: 3, Outcome: sdk.OutcomeFailed, DelayMs: 1000, Error: failure, Fingerprint: "f"},
			`{"taskId":"t1","role":"coder","stage":0,"attempt":1,"maxAttempts":3,"outcome":"failed","delayMs":1000,"durationMs":0,"errorCount":0,"error":{"code":"agent_failed","message":""},"fingerprint":"f"}`,
		},
		sdk.EventTaskFailed: {
			sdk.TaskEnded{TaskID: "t1", Type: "code.write", Role: "coder", Status: sdk.StatusFailed, Attempts: 1, Error: failure},
			`{"taskId":"t1","type":"code.write","role":"coder","status":"failed","stage":0,"attempt":0,"attempts":1,"durationMs":0,"errorCount":0,"degraded":false,"error":{"code":"agent_failed","message":""},"metrics":{"durationMs":0}}`,
		},
		sdk.EventTaskCompleted: {
			sdk.TaskEnded{TaskID: "t1", Type: "code.write", Role: "coder", Status: sdk.StatusCompleted, Attempts: 1, Output: json.RawMessage(`"SAID"`)},
			`{"taskId":"t1","type":"code.write","role":"coder","status":"completed","stage":0,"attempt":0,"attempts":1,"durationMs":0,"errorCount":0,"degraded":false,"outputOmitted":true,"metrics":{"durationMs":0},"links":{"task":"/v1/tasks/t1"}}`,
		},
		sdk.EventPlanCreated: {
			sdk.PlanCreated{PlanID: "p1", Title: "SAID", Goal: "SAID", Steps: 2, MaxParallel: 8, OnFailure: sdk.FailureStop, Priority: "high"},
			`{"planId":"p1","steps":2,"maxParallel":8,"onFailure":"stop","priority":"high"}`,
		},
		sdk.EventPlanStarted: {
			sdk.PlanStarted{PlanID: "p1", Steps: []sdk.PlanStartedStep{{ID: "a", Type: "code.write", Role: "coder", Title: "SAID"}, {ID: "b", Type: "code.review", Role: "reviewer", Title: "SAID", Needs: []string{"a"}}}},
			`{"planId":"p1","startedAt":"0001-01-01T00:00:00Z","steps":[{"id":"a","type":"code.write","role":"coder"},{"id":"b","type":"code.review","role":"reviewer","needs":["a"]}]}`,
		},
		sdk.EventPlanStep: {
			sdk.PlanStepped{PlanID: "p1", Step: "a", From: sdk.StepRunning, To: sdk.StepFailed, TaskID: "t1", AgentID: "ann", ReworkFor: "b", Error: failure},
			`{"planId":"p1","step":"a","from":"running","to":"failed","taskId":"t1","agentId":"ann","reworks":0,"reworkFor":"b","error":{"code":"agent_failed","message":""}}`,
		},
		sdk.EventPlanFailed: {
			sdk.PlanEnded{PlanID: "p1", Status: sdk.StatusFailed, DurationMs: 5, Completed: 1, Failed: 1, Outputs: map[string]json.RawMessage{"o": json.RawMessage(`"SAID"`)}, Error: failure},
			`{"planId":"p1","status":"failed","durationMs":5,"completed":1,"failed":1,"cancelled":0,"skipped":0,"outputsOmitted":true,"error":{"code":"agent_failed","message":""},"links":{"plan":"/v1/plans/p1"}}`,
		},
		sdk.EventPlanCancelled: {
			sdk.PlanEnded{PlanID: "p1", Status: sdk.StatusCancelled},
			`{"planId":"p1","status":"cancelled","durationMs":0,"completed":0,"failed":0,"cancelled":0,"skipped":0}`,
		},
		sdk.EventCodeGenerated: {
			sdk.CodeDone{TaskID: "t1", Output: json.RawMessage(`"SAID"`), Links: &sdk.EventLinks{Task: "/v1/tasks/t1"}},
			`{"taskId":"t1","outputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`,
		},
	} {
		data, err := json.Marshal(tc.data)
		if err != nil {
			t.Fatal(err)
		}
		e := sdk.Event{Type: kind, Seq: 1, Data: data}
		if got := (redact.Events{Capture: redact.CaptureFull}).Event(e); string(got.Data) != string(data) {
			t.Errorf("%s, full: %s", kind, got.Data)
		}
		got := redact.Events{Capture: redact.CaptureMetadata}.Event(e)
		if diff := cmp.Diff(tree(t, tc.want), tree(t, string(got.Data))); diff != "" || strings.Contains(string(got.Data), "SAID") {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestWhatWasNeverThereIsNotLeftOut(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"taskId":"t1","title":"SAID"}`:                                      `{"taskId":"t1"}`,
		`{"taskId":"t1","title":"SAID","input":null}`:                         `{"taskId":"t1"}`,
		`{"taskId":"t1","description":"SAID"}`:                                `{"taskId":"t1","inputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`,
		`{"taskId":"t1","inputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`: `{"taskId":"t1","inputOmitted":true,"links":{"task":"/v1/tasks/t1"}}`,
	} {
		got := redact.CaptureMetadata.Data(sdk.EventTaskCreated, json.RawMessage(data))
		if diff := cmp.Diff(tree(t, want), tree(t, string(got))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
}

// A payload that grows a field which people or agents fill has to say whether it is captured.
func TestEveryFieldOfAPayloadIsKnownToCapture(t *testing.T) {
	t.Parallel()
	known := strings.Fields(`taskId type role inputOmitted priority agentId maxAttempts stages retryOf correlationId links model stage attempt
		startedAt percentage phase category tool at overall requestId expiresAt outcome delayMs fingerprint fromStage fromRole toStage toRole toModel
		status attempts degraded outputOmitted cancelConfirmed metrics parentId rootId childId depth detached durationMs errorCount
		sessionId costTier orchestratorModel executorModel qualityGates clientId reason completedTasks failedTasks
		planId steps stepsOmitted maxParallel onFailure step from to reworks reworkFor skippedBecause completed failed cancelled skipped planningTaskIds outputsOmitted id needs`)
	left := strings.Fields("title goal description input metadata message delta prompt schema output outputs error")
	for _, payload := range []reflect.Type{
		reflect.TypeFor[sdk.TaskCreated](), reflect.TypeFor[sdk.TaskAssigned](), reflect.TypeFor[sdk.TaskStarted](), reflect.TypeFor[sdk.TaskProgressed](),
		reflect.TypeFor[sdk.TaskInputRequired](), reflect.TypeFor[sdk.TaskRetrying](), reflect.TypeFor[sdk.TaskFellBack](), reflect.TypeFor[sdk.TaskEnded](),
		reflect.TypeFor[sdk.CodeDone](), reflect.TypeFor[sdk.TaskDelegated](), reflect.TypeFor[sdk.SessionStarted](), reflect.TypeFor[sdk.SessionEnded](),
		reflect.TypeFor[sdk.PlanCreated](), reflect.TypeFor[sdk.PlanStarted](), reflect.TypeFor[sdk.PlanStartedStep](), reflect.TypeFor[sdk.PlanStepped](), reflect.TypeFor[sdk.PlanEnded](),
	} {
		for _, f := range reflect.VisibleFields(payload) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && !slices.Contains(known, name) && !slices.Contains(left, name) {
				t.Errorf("%s.%s: is it left out where only metadata is captured?", payload.Name(), f.Name)
			}
		}
	}
}

func TestCallersEventsAreRedactedAndNotCut(t *testing.T) {
	t.Parallel()
	p := redact.Events{Redactor: redact.Default(), Capture: redact.CaptureMetadata}
	e := sdk.Event{
		Type: sdk.EventCodeGenerated, ID: "e1", Subject: "deploy/password=hunter2", Time: time.Unix(1, 0),
		CorrelationID: "api_key=hunter2", CausationID: "token=hunter2", OriginSource: "https://joe:hunter2@ci.example/",
		Data: json.RawMessage(`{"output":"password=hunter2","title":"kept","n":1.50}`),
	}
	want := e
	want.CorrelationID, want.CausationID, want.OriginSource = "api_key=[redacted]", "token=[redacted]", "https://joe:[redacted]@ci.example/"
	want.Subject, want.Data = "deploy/password=[redacted]", json.RawMessage(`{"output":"password=[redacted]","title":"kept","n":1.50}`)
	if diff := cmp.Diff(want, p.Event(e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(e, redact.Events{}.Event(e)); diff != "" {
		t.Errorf("the zero value (-want +got):\n%s", diff)
	}
}

func TestSettingsOfEvents(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		redact, capture string
		fallback, want  redact.Capture
		faults          []string
	}{
		{"", "", redact.CaptureFull, redact.CaptureFull, nil},
		{"", "", redact.CaptureMetadata, redact.CaptureMetadata, nil},
		{"off", "full", redact.CaptureMetadata, redact.CaptureFull, nil},
		{"off", "metadata", redact.CaptureFull, redact.CaptureMetadata, nil},
		{"hunter2(", "half", redact.CaptureFull, "", []string{"ROLECALL_REDACT: pattern 1 is not a regular expression", "ROLECALL_CAPTURE must be full or metadata"}},
	} {
		got, err := redact.ParseEvents(tc.redact, tc.capture, tc.fallback)
		if got.Capture != tc.want || (err == nil) != (tc.faults == nil) || (tc.redact == "off") != (got.Redactor == nil && err == nil) {
			t.Errorf("%q, %q: %+v, %v", tc.redact, tc.capture, got, err)
		}
		for _, f := range tc.faults {
			if !strings.Contains(err.Error(), f) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q, %q: %v", tc.redact, tc.capture, err)
			}
		}
	}
}

func tree(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
