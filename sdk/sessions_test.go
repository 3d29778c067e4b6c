package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestSessionCalls: what each call sends, and that those that may be repeated are.
func TestSessionCalls(t *testing.T) {
	t.Parallel()
	away := problem("unavailable", "Temporal is away")
	for name, tc := range map[string]struct {
		call    func(context.Context, *sdk.Client) error
		answers []answer
		want    []string
		keyed   bool
	}{
		"open": {func(ctx context.Context, c *sdk.Client) error {
			s, err := c.OpenSession(ctx, sdk.SessionConfig{CostTier: "hybrid"})
			if err != nil {
				return err
			}
			if diff := cmp.Diff(wholeSession(), s.Opened()); diff != "" || s.ID() != "s1" {
				return errors.New("the handle is of " + s.ID() + diff)
			}
			s.Opened().Metadata["a"] = "2"
			if s.Opened().Metadata["a"] != "1" {
				return errors.New("one answer is changed in another")
			}
			return nil
		}, []answer{away, says(201, wholeSession())}, []string{"POST /v1/sessions", "POST /v1/sessions"}, true},
		"take up": {func(ctx context.Context, c *sdk.Client) error {
			s, err := c.Session(ctx, "s1")
			if err == nil && s.Opened().ExecutorModel != "claude-sonnet-4" {
				err = errors.New("not what was answered")
			}
			return err
		}, []answer{away, says(200, wholeSession())}, []string{"GET /v1/sessions/s1", "GET /v1/sessions/s1"}, false},
		"close": {func(ctx context.Context, c *sdk.Client) error {
			s, err := c.CloseSession(ctx, "s1")
			if err == nil && s.Status != sdk.SessionClosed {
				err = errors.New(string(s.Status))
			}
			return err
		}, []answer{away, says(200, wholeSession())}, []string{"DELETE /v1/sessions/s1", "DELETE /v1/sessions/s1"}, false},
		"statistics": {func(ctx context.Context, c *sdk.Client) error {
			stats, err := c.SessionStats(ctx)
			if err == nil && stats.SessionsByClient["editor"] != 2 {
				err = errors.New("not what was answered")
			}
			return err
		}, []answer{says(200, sdk.SessionStats{SessionsByClient: map[string]int{"editor": 2}})}, []string{"GET /v1/sessions/stats"}, false},
		"close a client's": {func(ctx context.Context, c *sdk.Client) error {
			n, err := c.CloseClientSessions(ctx, "editor")
			if err == nil && n != 3 {
				err = errors.New("not what was answered")
			}
			return err
		}, []answer{says(200, map[string]int{"closed": 3})}, []string{"DELETE /v1/clients/editor/sessions"}, false},
		"list": {func(ctx context.Context, c *sdk.Client) error {
			var ids []string
			for s, err := range c.Sessions(ctx, sdk.SessionFilter{ClientID: "editor", Status: "open", Limit: 2}) {
				if err != nil {
					return err
				}
				ids = append(ids, s.ID)
			}
			if !slices.Equal(ids, []string{"a", "b", "c"}) {
				return errors.New(strings.Join(ids, " "))
			}
			return nil
		}, []answer{
			says(200, sdk.SessionPage{Items: []sdk.Session{{ID: "a"}, {ID: "b"}}, NextCursor: "n"}),
			says(200, sdk.SessionPage{Items: []sdk.Session{{ID: "b"}, {ID: "c"}}}),
		}, []string{"GET /v1/sessions?clientId=editor&limit=2&status=open", "GET /v1/sessions?clientId=editor&cursor=n&limit=2&status=open"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(n int, _ *http.Request) (answer, error) { return tc.answers[n], nil }, func(t *testing.T, c *sdk.Client, w *wire) {
				if err := tc.call(t.Context(), c); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(tc.want, w.asked); diff != "" {
					t.Error(diff)
				}
				for _, k := range w.keys {
					if k != w.keys[0] || (k != "") != tc.keyed {
						t.Errorf("the keys are %q", w.keys)
					}
				}
			})
		})
	}
}

// TestSessionCallsAreCheckedFirst: what can not be meant is not sent.
func TestSessionCallsAreCheckedFirst(t *testing.T) {
	t.Parallel()
	bubble(t, func(int, *http.Request) (answer, error) { return says(200, wholeSession()), nil }, func(t *testing.T, c *sdk.Client, w *wire) {
		ctx := t.Context()
		s, err := c.OpenSession(ctx, sdk.SessionConfig{})
		if err != nil {
			t.Fatal(err)
		}
		_, open := c.OpenSession(ctx, sdk.SessionConfig{CostTier: "cheap"}, sdk.IdempotencyKey(""))
		_, short := s.SendTask(ctx, sdk.TypeExecute, "do")
		_, long := s.SendTask(ctx, sdk.TypeExecute, text(100_001))
		_, sent := s.Send(ctx, sdk.SessionTaskRequest{}, sdk.IdempotencyKey("\n"))
		_, get := c.GetSession(ctx, "a/b")
		_, closed := c.CloseSession(ctx, "")
		_, list := c.ListSessions(ctx, sdk.SessionFilter{Limit: 201}, "")
		_, client := c.CloseClientSessions(ctx, "..")
		for name, tc := range map[string]struct {
			err   error
			paths []string
		}{
			"open": {open, []string{"Idempotency-Key", "$.costTier"}}, "short": {short, []string{"$.prompt"}}, "long": {long, []string{"$.prompt"}},
			"sent": {sent, []string{"Idempotency-Key", "$.type", "$.prompt"}}, "get": {get, nil}, "close": {closed, nil}, "list": {list, []string{"query.limit"}}, "client": {client, nil},
		} {
			if diff := cmp.Diff(tc.paths, pathsOf(t, tc.err)); diff != "" || tc.err == nil {
				t.Errorf("%s: %v: %s", name, tc.err, diff)
			}
		}
		if len(w.asked) != 1 {
			t.Errorf("sent %v", w.asked)
		}
	})
}

// TestModelsOfTheClient: a session that names no model has those of the client's configuration.
func TestModelsOfTheClient(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{says(201, wholeSession())}}
	cfg := s.serve(t).Config()
	cfg.OrchestratorModel, cfg.ExecutorModel = "small", "large"
	c := client(t, cfg)
	for _, config := range []sdk.SessionConfig{{}, {ExecutorModel: "mine", CostTier: "premium"}} {
		if _, err := c.OpenSession(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	var bodies []string
	for _, r := range s.requests() {
		bodies = append(bodies, r.Body)
	}
	want := []string{`{"orchestratorModel":"small","executorModel":"large"}`, `{"costTier":"premium","orchestratorModel":"small","executorModel":"mine"}`}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
}

// TestCloseIdleSessions closes those alone that are without a task for long enough, as they stand and not as they are listed.
func TestCloseIdleSessions(t *testing.T) {
	t.Parallel()
	bubble(t, func(_ int, r *http.Request) (answer, error) {
		now := time.Now()
		sessions := map[string]sdk.Session{
			"idle":    {LastActivityAt: now.Add(-time.Hour)},
			"fresh":   {LastActivityAt: now.Add(-time.Minute)},
			"working": {LastActivityAt: now.Add(-time.Hour), CurrentTaskID: "t1"},
			"queued":  {LastActivityAt: now.Add(-time.Hour), QueuedTasks: 1},
			"closing": {LastActivityAt: now.Add(-time.Hour), Status: sdk.SessionClosing},
		}
		if r.URL.Path == "/v1/sessions" {
			var page sdk.SessionPage
			for _, id := range []string{"fresh", "idle", "gone", "working", "queued", "closing"} {
				page.Items = append(page.Items, sdk.Session{ID: id, Status: sdk.SessionOpen})
			}
			return says(200, page), nil
		}
		s, ok := sessions[strings.TrimPrefix(r.URL.Path, "/v1/sessions/")]
		if !ok {
			return problem("not_found", "there is no such session"), nil
		}
		if s.Status == "" {
			s.Status = sdk.SessionOpen
		}
		return says(200, s), nil
	}, func(t *testing.T, c *sdk.Client, w *wire) {
		n, err := c.CloseIdleSessions(t.Context(), 30*time.Minute)
		if err != nil || n != 1 {
			t.Errorf("closed %d: %v", n, err)
		}
		closed := slices.DeleteFunc(slices.Clone(w.asked), func(a string) bool { return !strings.HasPrefix(a, http.MethodDelete) })
		if diff := cmp.Diff([]string{"DELETE /v1/sessions/idle"}, closed); diff != "" {
			t.Error(diff)
		}
	})
}

// sent is what the service answers to a task of a session.
func sent(status sdk.Status) sdk.Task {
	return sdk.Task{ID: "t1", Type: sdk.TypeExecute, Status: status, CreatedAt: noon(1), SessionID: "s1"}
}

// TestSendTask waits for the turn, then for the end.
func TestSendTask(t *testing.T) {
	t.Parallel()
	done := sent(sdk.StatusCompleted)
	done.CompletedAt, done.Degraded = new(noon(45)), true
	done.Result = &sdk.Result{
		Output: json.RawMessage(`{"text":"done"}`), QualityGatePassed: new(true), Reflection: json.RawMessage(`{"lessons":["a"],"followUps":["b"]}`),
		EpisodeRefs: []string{"ep-041"}, Model: "ollama", Metrics: sdk.Metrics{DurationMs: 7},
	}
	answers := []answer{says(201, sent(sdk.StatusQueued)), problem("not_found", "none"), says(200, sdk.Session{Status: sdk.SessionOpen}), says(200, done)}
	bubble(t, thereafter(answers), func(t *testing.T, c *sdk.Client, w *wire) {
		s := held(t, c)
		got, err := s.SendTask(t.Context(), sdk.TypeExecute, "Add it", sdk.IdempotencyKey("k"), sdk.WithPriority(sdk.PriorityHigh),
			sdk.WithContext(sdk.SessionContext{Metadata: map[string]string{"a": "1"}}), sdk.WithRole("tester"), sdk.WithMaxPromptTokens(9))
		want := &sdk.SessionResult{
			TaskID: "t1", TaskType: "execute", Output: done.Result.Output, Duration: 44 * time.Second, Degraded: true, QualityGatePassed: new(true),
			Reflection: &sdk.Reflection{Lessons: []string{"a"}, FollowUps: []string{"b"}}, EpisodeRefs: []string{"ep-041"}, Model: "ollama", Metrics: sdk.Metrics{DurationMs: 7},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v: %s", err, diff)
		}
		if got.Text() != "done" {
			t.Errorf("the text is %q", got.Text())
		}
		asked := []string{"POST /v1/sessions/s1/tasks", "GET /v1/tasks/t1?waitMs=30000", "GET /v1/sessions/s1", "GET /v1/tasks/t1?waitMs=30000"}
		if diff := cmp.Diff(asked, w.asked[1:]); diff != "" || w.keys[1] != "k" {
			t.Errorf("key %q: %s", w.keys[1], diff)
		}
	})
}

// held is a handle on the session s1, which the first call takes up.
func held(t *testing.T, c *sdk.Client) *sdk.SessionHandle {
	t.Helper()
	s, err := c.Session(t.Context(), "s1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// thereafter are the answers after that call.
func thereafter(answers []answer) func(int, *http.Request) (answer, error) {
	all := append([]answer{says(200, wholeSession())}, answers...)
	return func(n int, _ *http.Request) (answer, error) { return all[n], nil }
}

// TestSendTaskFails: a task that failed is an error that says why; one whose session closed before its turn is a conflict.
func TestSendTaskFails(t *testing.T) {
	t.Parallel()
	failed := sent(sdk.StatusFailed)
	failed.Result = &sdk.Result{Error: &sdk.TaskError{Code: "agent_failed", Message: "no ink"}}
	for name, tc := range map[string]struct {
		answers []answer
		code    sdk.Code
	}{
		"it failed":                        {[]answer{says(201, sent(sdk.StatusQueued)), says(200, failed)}, "agent_failed"},
		"it had failed":                    {[]answer{says(200, failed)}, "agent_failed"},
		"the session has closed":           {[]answer{problem("conflict", "the session is closed")}, "conflict"},
		"it closed before the task's turn": {[]answer{says(201, sent(sdk.StatusQueued)), problem("not_found", "none"), says(200, sdk.Session{Status: sdk.SessionClosed}), problem("not_found", "none")}, "conflict"},
		"it closed after the task's turn":  {[]answer{says(201, sent(sdk.StatusQueued)), problem("not_found", "none"), says(200, sdk.Session{Status: sdk.SessionClosed}), says(200, failed)}, "agent_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, thereafter(tc.answers), func(t *testing.T, c *sdk.Client, _ *wire) {
				result, err := held(t, c).SendTask(t.Context(), sdk.TypeExecute, "Add it")
				var code sdk.Code
				if e, ok := errors.AsType[*sdk.TaskError](err); ok {
					code = e.Code
				} else if e, ok := errors.AsType[*sdk.Error](err); ok {
					code = e.Code
				}
				if code != tc.code || result != nil {
					t.Errorf("%v, %+v", err, result)
				}
			})
		})
	}
}
