package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestReviewIsDelegatedOnce: with the event's output or the task's, and with a key that is the event's.
func TestReviewIsDelegatedOnce(t *testing.T) {
	t.Parallel()
	var keys, bodies []string
	result := &sdk.Result{Output: json.RawMessage(`"large"`)}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		task := sdk.Task{ID: "t2", Result: result}
		if r.Method == http.MethodPost {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(raw))
		}
		if err := json.NewEncoder(w).Encode(task); err != nil {
			t.Error(err)
		}
	}))
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{`{"taskId":"t1","output":"small"}`, `{"taskId":"t1","outputOmitted":true}`} {
		if err := review(t.Context(), client, &sdk.Event{ID: "e1", Data: json.RawMessage(data)}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"review-e1", "review-e1"}, keys); diff != "" {
		t.Error(diff)
	}
	for i, output := range []string{`"small"`, `"large"`} {
		if want := `"input":{"output":` + output + `,"taskId":"t1"}`; !strings.Contains(bodies[i], want) {
			t.Errorf("sent %s, want %s in it", bodies[i], want)
		}
	}
	large, err := json.Marshal(strings.Repeat("x", sdk.MaxInput))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]*sdk.Result{"no result": nil, "an output larger than an input": {Output: large}} {
		if result, bodies = tc, nil; review(t.Context(), client, &sdk.Event{ID: "e1", Data: json.RawMessage(`{"taskId":"t1","outputOmitted":true}`)}) != nil ||
			len(bodies) != 1 || !strings.Contains(bodies[0], `"input":{"taskId":"t1"}`) {
			t.Errorf("%s: sent %.200q", name, bodies)
		}
	}
	if err := review(t.Context(), client, &sdk.Event{Data: json.RawMessage(`[]`)}); err == nil {
		t.Error("data of another shape is no error")
	}
}
