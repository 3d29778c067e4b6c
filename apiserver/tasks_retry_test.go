package apiserver

import (
	"io"
	"net/http"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestRetry(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard)
	task, other := mustCreate(t, s), mustCreate(t, s)
	path := "/v1/tasks/" + task.ID + "/retry"
	if p := problemOf(t, call(s, http.MethodPost, path, "")); p.Code != sdk.CodeConflict {
		t.Errorf("while it runs: %+v", p)
	}
	for _, of := range []sdk.Task{task, other} {
		of.Status = sdk.StatusFailed
		tasks.tasks["default/"+of.ID] = of
	}
	first := taskFrom(t, call(s, http.MethodPost, path, "{}", "Idempotency-Key", "again"), http.StatusCreated)
	if first.RetryOf != task.ID || first.ID == task.ID || first.Status != sdk.StatusQueued {
		t.Errorf("%+v", first)
	}
	w := call(s, http.MethodPost, path, "", "Idempotency-Key", "again")
	if same := taskFrom(t, w, http.StatusOK); same.ID != first.ID || w.Header().Get("Idempotent-Replayed") != "true" || w.Header().Get("Location") != "/v1/tasks/"+first.ID {
		t.Errorf("the same key: %s %v", same.ID, w.Header())
	}
	if fresh := taskFrom(t, call(s, http.MethodPost, path, ""), http.StatusCreated); fresh.ID == first.ID {
		t.Error("without a key it is the same task")
	}
	for name, w := range map[string]struct {
		path, body string
		headers    []string
		want       sdk.Code
	}{
		"the key of another retry": {"/v1/tasks/" + other.ID + "/retry", "", []string{"Idempotency-Key", "again"}, sdk.CodeIdempotencyMismatch},
		"the key of a retry":       {"/v1/tasks", okBody, []string{"Idempotency-Key", "again"}, sdk.CodeIdempotencyMismatch},
		"a key that is none":       {path, "", []string{"Idempotency-Key", "\u00e9"}, sdk.CodeInvalidInput},
		"an id that is none":       {"/v1/tasks/a:b/retry", "", nil, sdk.CodeInvalidInput},
		"a parameter":              {path + "?now=1", "", nil, sdk.CodeInvalidInput},
		"a field":                  {path, `{"title":"other"}`, nil, sdk.CodeInvalidInput},
		"a task that is not there": {"/v1/tasks/none/retry", "", nil, sdk.CodeNotFound},
		"another project's":        {path, "", []string{"Rolecall-Project", "other"}, sdk.CodeNotFound},
		"another organization's":   {path, "", []string{"Rolecall-Organization", "other"}, sdk.CodeNotFound},
	} {
		if p := problemOf(t, call(s, http.MethodPost, w.path, w.body, w.headers...)); p.Code != w.want {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
