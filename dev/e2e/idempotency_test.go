package e2e_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// createdAs is how the API answered a POST /v1/tasks.
type createdAs struct {
	status   int
	replayed string // Idempotent-Replayed
	id       string // of the task
	code     sdk.Code
}

// createAs sends a request with an idempotency key as it is.
func (s *scene) createAs(key, body string) (a createdAs, err error) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.stack.URL()+"/v1/tasks", strings.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Rolecall-Project", s.project)
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	raw, err := io.ReadAll(resp.Body)
	var said struct {
		ID   string
		Code sdk.Code
	}
	err = errors.Join(err, resp.Body.Close(), json.Unmarshal(raw, &said))
	return createdAs{resp.StatusCode, resp.Header.Get("Idempotent-Replayed"), said.ID, said.Code}, err
}

// atOnce sends the same request with the same key from so many callers at once, and answers how often it was answered how.
func (s *scene) atOnce(callers int, key, body string) map[createdAs]int {
	s.t.Helper()
	answers := map[createdAs]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range callers {
		all.Go(func() {
			<-begin
			a, err := s.createAs(key, body)
			if err != nil {
				s.t.Errorf("a caller: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[a]++
		})
	}
	close(begin)
	all.Wait()
	return answers
}

// TestOneKeyIsOneTask: 50 callers at once with one idempotency key make one task and get 49 replays, also when everything was stopped
// and started in between.
func TestOneKeyIsOneTask(t *testing.T) {
	t.Parallel()
	const (
		callers = 50
		body    = `{"type":"code.write","title":"once","input":{"n":1,"to":"you"},"retry":{"maxAttempts":2}}`
		same    = `{ "retry":{"maxAttempts":2.0}, "input":{"to":"you","n":1}, "title":"once", "type":"code.write", "description":null }`
		other   = `{"type":"code.write","title":"once","input":{"n":2,"to":"you"},"retry":{"maxAttempts":2}}`
	)
	s := newScene(t, dev.ForTest(t, dev.Options{}))
	want := func(what string, got map[createdAs]int, want map[createdAs]int) {
		t.Helper()
		for a, n := range want {
			if got[a] != n || len(got) != len(want) {
				t.Errorf("%s: answered %v, want %v", what, got, want)
				return
			}
		}
	}
	first := s.atOnce(callers, "k", body)
	id := ""
	for a := range first {
		id = a.id
	}
	made, replay := createdAs{http.StatusCreated, "", id, ""}, createdAs{http.StatusOK, "true", id, ""}
	refused := createdAs{http.StatusUnprocessableEntity, "", "", sdk.CodeIdempotencyMismatch}
	want("the first time", first, map[createdAs]int{made: 1, replay: callers - 1})
	want("the same request, written differently", s.atOnce(callers, "k", same), map[createdAs]int{replay: callers})
	want("another request", s.atOnce(callers, "k", other), map[createdAs]int{refused: callers})
	s.listed("one task", sdk.TaskFilter{}, id)
	ended, err := s.createAs("k ended", body)
	s.do(err)
	s.cancel(ended.id)

	for _, p := range []*dev.Process{s.stack.API, s.stack.Control, s.stack.TemporalServer} {
		s.do(p.Stop(t.Context()))
	}
	if _, err := s.createAs("k", body); err == nil {
		t.Fatal("something still answers")
	}
	for _, p := range []*dev.Process{s.stack.TemporalServer, s.stack.Control, s.stack.API} {
		s.do(p.Restart(t.Context()))
	}
	want("after a restart of everything", s.atOnce(callers, "k", body), map[createdAs]int{replay: callers})
	want("another request after it", s.atOnce(callers, "k", other), map[createdAs]int{refused: callers})
	want("one that had ended", s.atOnce(callers, "k ended", same), map[createdAs]int{{http.StatusOK, "true", ended.id, ""}: callers})
	want("its key with another request", s.atOnce(callers, "k ended", other), map[createdAs]int{refused: callers})
	s.listed("still the two", sdk.TaskFilter{}, id, ended.id)
	if _, err := s.client.CreateTask(t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "another"}, sdk.IdempotencyKey("k")); !errors.Is(err, sdk.ErrIdempotencyMismatch) {
		t.Errorf("the SDK says of another request %v", err)
	}
}
