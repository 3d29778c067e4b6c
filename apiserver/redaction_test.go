package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
)

// aSecret looks like a key and is none.
func aSecret(kind string) string { return kind + strings.Repeat("a1B2", 8) }

func TestASecretOfACallerGoesNoFurtherThanTheDoor(t *testing.T) {
	t.Parallel()
	secret := aSecret("sk-")
	tasks, logs := newMemoryTasks(), &strings.Builder{}
	answered := &answers{memoryTasks: tasks}
	s := newTestServer(t, answered, logs)
	body := fmt.Sprintf(`{"type":"code.write","title":"use %[1]s","description":"password=hunter2 and %[1]s",
		"input":{"%[1]s":"x","n":12345678901234567890,"password":"a b"},"metadata":{"note":"%[1]s","api_key":"anything","password=hunter2":"1","password=hunter21":"2"},"correlationId":"%[1]s"}`, secret)
	task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", body, "Idempotency-Key", "one"), http.StatusCreated)
	again := call(s, http.MethodPost, "/v1/tasks", body, "Idempotency-Key", "one")
	if again.Code != http.StatusOK || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same body: %d %s", again.Code, again.Body)
	}
	other := call(s, http.MethodPost, "/v1/tasks", strings.ReplaceAll(body, secret, aSecret("sk-other")), "Idempotency-Key", "one")
	if other.Code != http.StatusUnprocessableEntity {
		t.Errorf("another secret is another body: %d %s", other.Code, other.Body)
	}
	call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/cancel", `{"reason":"leaked `+secret+`"}`)
	call(s, http.MethodPost, "/v1/tasks/"+task.ID+"/input", `{"requestId":"q1","answer":{"token":"`+secret+`","n":1.0}}`)
	stored, err := json.Marshal([]any{tasks.inputs, task, tasks.reason, string(answered.last.Answer), again.Body.String()})
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{secret, "hunter2", "a b", "anything"} {
		if strings.Contains(string(stored), said) || strings.Contains(logs.String(), said) {
			t.Errorf("%q went further: %s\n%s", said, stored, logs)
		}
	}
	if task.Title != "use [redacted]" || task.Description != "password=[redacted] and [redacted]" || tasks.reason != "leaked [redacted]" ||
		string(answered.last.Answer) != `{"token":"[redacted]","n":1.0}` || string(task.Input) != `{"[redacted]":"x","n":12345678901234567890,"password":"[redacted]"}` {
		t.Errorf("%+v, %q, %s", task, tasks.reason, answered.last.Answer)
	}
	if task.CorrelationID != "[redacted]" || task.Metadata["password=[redacted]"] != "1" || task.Metadata["password=[redacted] 2"] != "2" {
		t.Errorf("%q, %q", task.CorrelationID, task.Metadata)
	}
}

// A name that is redacted would be that of something else.
func TestASecretIsNoNameOfAnything(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	for _, tc := range []struct{ path, body, field string }{
		{"/v1/tasks", `{"type":"code.write","title":"x","fairnessKey":"%s"}`, "$.fairnessKey"},
		{"/v1/events", `{"type":"a.b","id":"%s"}`, "$.id"},
		{"/v1/events", `[{"type":"a.b"},{"type":"a.b","id":"%s"}]`, "$[1].id"},
	} {
		for id, status := range map[string]int{aSecret("sk-"): http.StatusUnprocessableEntity, "build-17": http.StatusCreated} {
			w := call(s, http.MethodPost, tc.path, fmt.Sprintf(tc.body, id))
			if refused := w.Code == http.StatusUnprocessableEntity; w.Code != status || refused != strings.Contains(w.Body.String(), tc.field) || strings.Contains(w.Body.String(), "a1B2") {
				t.Errorf("%s: %d %s", tc.body, w.Code, w.Body)
			}
		}
	}
}

func TestAPublishedEventIsRedactedInAllThatItSays(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard, onLog(openLog(t)))
	body := `{"specversion":"1.0","id":"e1","source":"https://joe:hunter2@ci.example/","type":"a.c","correlationid":"api_key=hunter2","causationid":"token=hunter2","subject":"password=hunter2","data":{"password":"hunter2"}}`
	if w := call(s, http.MethodPost, "/v1/events", body, "Content-Type", contentTypeCloudEvent); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if said := call(s, http.MethodGet, "/v1/events?types=a.c", "").Body.String(); strings.Contains(said, "hunter2") || strings.Count(said, "[redacted]") != 5 {
		t.Error(said)
	}
}

// answers remembers the last answer to a question.
type answers struct {
	*memoryTasks
	last workflows.ProvideInputInput
}

func (a *answers) ProvideInput(ctx context.Context, project, id string, in workflows.ProvideInputInput) (sdk.Task, error) {
	a.last = in
	return a.memoryTasks.ProvideInput(ctx, project, id, in)
}

func TestRedactionCanBeTurnedOffAndAddedTo(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"off": "ACME-1 password=hunter2", `ACME-\d`: "[redacted] password=[redacted]"} {
		s := newTestServer(t, newMemoryTasks(), io.Discard, func(c *Config) { c.Redact = setting })
		if task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", `{"type":"code.write","title":"ACME-1 password=hunter2"}`), http.StatusCreated); task.Title != want {
			t.Errorf("%s: %q", setting, task.Title)
		}
	}
}

// growing is a text that is as large as an input may be, and is larger once its secrets are marked.
func growing() string {
	secrets := strings.Repeat(" password=abcd", 20)
	return strings.Repeat("x", sdk.MaxInput-len(secrets)-len(`""`)) + secrets
}

func TestARequestThatGrowsOverItsBoundsByRedaction(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	request := func(title, input string) string {
		return `{"type":"code.write","title":"` + title + `","input":"` + input + `"}`
	}
	full := strings.Repeat("x", sdk.MaxTitle-14) + " password=abcd"
	if task := taskFrom(t, call(s, http.MethodPost, "/v1/tasks", request(full, "")), http.StatusCreated); len([]rune(task.Title)) != sdk.MaxTitle || strings.Contains(task.Title, "abcd") {
		t.Errorf("%q", task.Title)
	}
	input := growing()
	taskFrom(t, call(s, http.MethodPost, "/v1/tasks", request("x", strings.ReplaceAll(input, "=", "-"))), http.StatusCreated)
	if w := call(s, http.MethodPost, "/v1/tasks", request("x", input)); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "$.input") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestCaptureFollowsTheKeys(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg  Config
		want redact.Capture
	}{
		"without keys":         {Config{}, redact.CaptureFull},
		"with keys":            {Config{KeysFile: "keys"}, redact.CaptureMetadata},
		"with keys, full":      {Config{KeysFile: "keys", Capture: "full"}, redact.CaptureFull},
		"without keys, little": {Config{Capture: "metadata"}, redact.CaptureMetadata},
	} {
		if got, err := tc.cfg.Redaction(); err != nil || got.Capture != tc.want {
			t.Errorf("%s: %s, %v", name, got.Capture, err)
		}
	}
	_, err := New(Config{Addr: "127.0.0.1:0", Redact: "hunter2(", Capture: "none"}, newMemoryTasks(), nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "ROLECALL_REDACT: pattern 1") || !strings.Contains(err.Error(), "ROLECALL_CAPTURE must be") {
		t.Errorf("%v", err)
	}
}
