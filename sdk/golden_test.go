package sdk_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is noon of a made-up day, some seconds on.
func noon(seconds int) time.Time {
	return time.Date(2026, 1, 2, 12, 0, seconds, 0, time.UTC)
}

func wholeTaskError() sdk.TaskError {
	return sdk.TaskError{Code: "agent_failed", Message: "no ink", Details: json.RawMessage(`{"exitCode":1}`)}
}

func wholeProgress() sdk.Progress {
	return sdk.Progress{
		Percentage: 42.5, Phase: "writing", Message: "auth.go", Delta: "func", Category: "tool", Tool: "edit",
		At: noon(3), Stage: 1, Attempt: 2, Overall: 60,
	}
}

func wholeResult() sdk.Result {
	return sdk.Result{
		Status: "completed", Output: json.RawMessage(`{"files":["a.go"]}`), Error: new(wholeTaskError()), Degraded: true,
		Metrics: sdk.Metrics{DurationMs: 1234, TokensUsed: new(int64(30)), InputTokens: new(int64(10)), OutputTokens: new(int64(20)), CostUSD: new(0.01)},
		Model:   "small", QualityGatePassed: new(true), QualityGate: json.RawMessage(`{"score":1}`),
		Reflection: json.RawMessage(`"went well"`), EpisodeRefs: []string{"e1"},
	}
}

func wholeAttempt() sdk.Attempt {
	return sdk.Attempt{
		Stage: 1, Attempt: 2, Role: "coder", AgentID: "coder-1", Model: "small", StartedAt: noon(1), EndedAt: new(noon(2)),
		Outcome: "failed", Error: new(wholeTaskError()),
	}
}

func wholeAnswer() sdk.Answer {
	return sdk.Answer{RequestID: "q1", Prompt: "Which?", Answer: json.RawMessage(`"the first"`), At: new(noon(9))}
}

func wholeInputRequest() sdk.InputRequest {
	return sdk.InputRequest{ID: "q2", Prompt: "Which?", Schema: json.RawMessage(`{"type":"string"}`), AskedAt: noon(8), ExpiresAt: noon(9)}
}

func wholeWaitingFor() sdk.WaitingFor {
	return sdk.WaitingFor{Reason: "backing_off", Since: noon(4), NextAttemptAt: new(noon(5)), AgentID: "a1", Detail: "attempt 2 failed"}
}

func wholeTask() sdk.Task {
	r := wholeRequest()
	return sdk.Task{
		ID: "t1", Type: r.Type, Role: r.Role, Title: r.Title, Description: r.Description, Input: r.Input, Priority: r.Priority,
		Status: "completed", Stage: 1, Attempt: 2, MaxAttempts: 3, AgentID: "coder-1", Progress: new(wholeProgress()),
		Result: new(wholeResult()), Degraded: true, Attempts: []sdk.Attempt{wholeAttempt()}, InputRequest: new(wholeInputRequest()),
		Answers: []sdk.Answer{wholeAnswer()}, WaitingFor: new(wholeWaitingFor()), CancelConfirmed: new(false),
		Capabilities: r.Capabilities, Retry: *r.Retry, Timeouts: *r.Timeouts, Fallback: r.Fallback, FairnessKey: r.FairnessKey,
		ParentID: "p1", RootID: "r1", SessionID: "s1", PlanID: "pl1", RetryOf: "t0", CorrelationID: "c-1", Metadata: r.Metadata,
		CreatedAt: noon(0), StartedAt: new(noon(1)), CompletedAt: new(noon(6)), Stale: true,
		Links: sdk.Links{Self: "/v1/tasks/t1", Events: "/v1/tasks/t1/events", UI: "http://127.0.0.1:8233/t1"},
	}
}

func wholeAssignment() sdk.Assignment {
	return sdk.Assignment{
		Task: wholeTask(), Attempt: 2, MaxAttempts: 3, Stage: 1, Model: "small", Resume: json.RawMessage(`{"at":7}`),
		Answers: []sdk.Answer{wholeAnswer()}, Deadline: new(noon(7)),
	}
}

func wholeTaskPage() sdk.TaskPage {
	return sdk.TaskPage{NextCursor: "c", Items: []sdk.TaskSummary{{
		ID: "t1", Type: "code.write", Role: "coder", Title: "Write it", Priority: "high", Status: "completed", Degraded: true, AgentID: "coder-1",
		FairnessKey: "f", ParentID: "t0", RootID: "r", SessionID: "s", PlanID: "p", RetryOf: "t9", CorrelationID: "c",
		Metadata: map[string]string{"a": "1"}, CreatedAt: noon(0), CompletedAt: new(noon(9)), Links: wholeTask().Links,
	}}}
}

// wireTypes are the types that cross a wire, whole (every field set) and bare.
func wireTypes() map[string]any {
	r := wholeRequest()
	all := map[string]any{
		"task_request": r, "task": wholeTask(), "attempt": wholeAttempt(), "progress": wholeProgress(), "result": wholeResult(),
		"metrics": wholeResult().Metrics, "task_error": wholeTaskError(), "input_request": wholeInputRequest(), "answer": wholeAnswer(),
		"waiting_for": wholeWaitingFor(), "links": wholeTask().Links, "assignment": wholeAssignment(), "retry": *r.Retry,
		"timeouts": *r.Timeouts, "stage": r.Fallback[0], "stage_timeouts": *r.Fallback[0].Timeouts,
		"fault": sdk.Fault{Path: "$.title", Message: "is required"}, "role_info": sdk.BuiltinRoles()[0],
		"input_required": sdk.InputRequired{Prompt: "Which?", Schema: json.RawMessage(`{"type":"string"}`)},
		"problem": sdk.Problem{
			Type: "urn:rolecall:problem:invalid_input", Title: "The request is not valid", Status: 422, Detail: "look at errors",
			Instance: "req-1", Code: "invalid_input", Errors: []sdk.Fault{{Path: "$.title", Message: "is required"}},
			FirstSequence: sdk.FormatSequence(42),
		},
		"bare_event": sdk.Event{},
		"task_page":  wholeTaskPage(), "bare_task_page": sdk.TaskPage{Items: []sdk.TaskSummary{}}, "bare_task_summary": sdk.TaskSummary{},
		"bare_task_request": sdk.TaskRequest{Type: "code.write", Title: "t"}, "bare_task": sdk.Task{}, "bare_attempt": sdk.Attempt{},
		"bare_progress": sdk.Progress{}, "bare_result": sdk.Result{}, "bare_assignment": sdk.Assignment{},
	}
	maps.Copy(all, eventCallTypes())
	maps.Copy(all, eventDataTypes())
	maps.Copy(all, leaseTypes())
	maps.Copy(all, agentTypes())
	maps.Copy(all, sessionTypes())
	maps.Copy(all, planTypes())
	return all
}

// TestWireFormat pins the JSON of every wire type: a name given there is permanent.
func TestWireFormat(t *testing.T) {
	t.Parallel()
	for name, value := range wireTypes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.MarshalIndent(value, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s has changed; when that is meant, run go test ./sdk -update: %s", file, diff)
			}
			back := reflect.New(reflect.TypeOf(value))
			if err := json.Unmarshal(want, back.Interface()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value, back.Elem().Interface(), cmp.Comparer(sameJSON)); diff != "" {
				t.Errorf("reading it back: %s", diff)
			}
			if !strings.HasPrefix(name, "bare_") {
				everyFieldSet(t, name, reflect.ValueOf(value))
			}
		})
	}
}

// TestWireToleratesUnknownFields reads each golden file with a field that a newer service may send.
func TestWireToleratesUnknownFields(t *testing.T) {
	t.Parallel()
	for name, value := range wireTypes() {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		more := append([]byte(`{"aFieldOfTomorrow":{"deep":[1]},`), raw[1:]...)
		back := reflect.New(reflect.TypeOf(value))
		if err := json.Unmarshal(more, back.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(value, back.Elem().Interface(), cmp.Comparer(sameJSON)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// everyFieldSet fails when a field was added to a type and not to its golden value.
func everyFieldSet(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[time.Time]() || v.Type() == reflect.TypeFor[sdk.EventLinks]() { // which lead to one thing
		return
	}
	for i := range v.NumField() {
		field := path + "." + v.Type().Field(i).Name
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set: the golden file does not show it", field)
		}
		everyFieldSet(t, field, v.Field(i))
	}
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
