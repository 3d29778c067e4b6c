package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// TestEachTaskHasAReviewOfItsOwn: the same event of two tasks, as their runs write it, is two reviews.
func TestEachTaskHasAReviewOfItsOwn(t *testing.T) {
	t.Parallel()
	reviews := map[string]int{}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reviews[r.Header.Get("Idempotency-Key")]++
		if err := json.NewEncoder(w).Encode(sdk.Task{ID: "review"}); err != nil {
			t.Error(err)
		}
	}))
	defer service.Close()
	client, err := sdk.NewClient(sdk.Config{URL: service.URL})
	if err != nil {
		t.Fatal(err)
	}
	ended := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, id := range []string{"t1", "t2", "t1"} {
		e, ok := workflows.CodeEvent(workflows.TaskInput{Project: "shop", ID: id}, sdk.Task{
			ID: id, Type: sdk.TypeCodeWrite, Status: sdk.StatusCompleted, CompletedAt: &ended, Result: &sdk.Result{Output: json.RawMessage(`"x"`)},
		}, 5)
		if !ok {
			t.Fatal("no code.generated")
		}
		if err := review(t.Context(), client, &e); err != nil {
			t.Error(err)
		}
	}
	if len(reviews) != 2 || reviews["review-t1.5"] != 2 || reviews["review-t2.5"] != 1 {
		t.Errorf("reviews by their keys: %v", reviews)
	}
}
