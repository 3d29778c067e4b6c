package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/apiserver/seal"
	"github.com/rolecall-dev/rolecall/sdk"
)

// atWork is a keyed server with a task in acme's project shop, whose first attempt an agent has.
type atWork struct {
	keyring
	tasks  *memoryTasks
	server *Server
	logs   *bytes.Buffer
	task   sdk.Task
	worker string // a key of shop with the scope work alone
	minter string // its id
	taken  time.Time
}

func newAtWork(t testing.TB, change ...func(*Config)) *atWork {
	t.Helper()
	a := &atWork{keyring: newKeyring(t), tasks: newMemoryTasks(), logs: &bytes.Buffer{}, taken: time.Now()}
	a.worker, a.minter = a.create(t, keys.Request{Organization: "acme", Projects: []string{"shop", "till"}, Scopes: []keys.Scope{keys.ScopeWork}})
	a.server = a.keyring.server(t, a.tasks, a.logs, change...)
	a.task = taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	a.tasks.change("shop", a.task.ID, false, func(task *sdk.Task) { task.CreatedAt = a.taken })
	a.take(0, 1, a.taken)
	return a
}

// take lets an agent take an attempt.
func (a *atWork) take(stage, number int, at time.Time) {
	a.tasks.change("shop", a.task.ID, false, func(t *sdk.Task) {
		t.Status = sdk.StatusRunning
		t.Attempts = append(t.Attempts[:len(t.Attempts):len(t.Attempts)], sdk.Attempt{Stage: stage, Attempt: number, StartedAt: at})
	})
}

// end ends the attempt.
func (a *atWork) end(stale bool) {
	a.tasks.change("shop", a.task.ID, stale, func(t *sdk.Task) {
		t.Status = sdk.StatusQueued
		t.Attempts = append([]sdk.Attempt{}, t.Attempts...)
		t.Attempts[len(t.Attempts)-1].EndedAt = new(a.taken.Add(time.Second))
	})
}

func (a *atWork) mint(secret, body string) *httptest.ResponseRecorder {
	return call(a.server, http.MethodPost, "/v1/tasks/"+a.task.ID+"/key", body, append(bearing(secret), headerProject, "shop")...)
}

func (a *atWork) minted(t testing.TB, stage, attempt int) sdk.AttemptKey {
	t.Helper()
	w := a.mint(a.worker, fmt.Sprintf(`{"stage":%d,"attempt":%d}`, stage, attempt))
	if w.Code != http.StatusCreated || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	var key sdk.AttemptKey
	if err := json.Unmarshal(w.Body.Bytes(), &key); err != nil || !strings.HasPrefix(key.Key, "ra_") {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return key
}

// read reads the task with a key and answers the status.
func (a *atWork) read(s *Server, key string) int {
	return call(s, http.MethodGet, "/v1/tasks/"+a.task.ID, "", bearing(key)...).Code
}

func TestMintAttemptKey(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1)
	if want := a.taken.Add(time.Hour).UTC().Truncate(time.Millisecond); !key.ExpiresAt.Equal(want) {
		t.Errorf("it expires at %s, want %s", key.ExpiresAt, want)
	}
	if again := a.minted(t, 0, 1); again.Key == key.Key {
		t.Error("two keys are one")
	}
	for name, tc := range map[string]struct {
		secret, body string
		code         sdk.Code
		says         string
	}{
		"another attempt":      {a.worker, `{"stage":0,"attempt":2}`, sdk.CodeConflict, "attempt 2 of stage 0"},
		"another stage":        {a.worker, `{"stage":1,"attempt":1}`, sdk.CodeConflict, "attempt 1 of stage 1"},
		"no attempt":           {a.worker, `{}`, sdk.CodeInvalidInput, "not valid"},
		"negative":             {a.worker, `{"stage":-1,"attempt":-1}`, sdk.CodeInvalidInput, "not valid"},
		"more":                 {a.worker, `{"attempt":1,"project":"till"}`, sdk.CodeInvalidInput, "not valid"},
		"an attempt's own key": {key.Key, `{"attempt":1}`, sdk.CodeForbidden, "scope work"},
		"another's":            {a.bank, `{"attempt":1}`, sdk.CodeNotFound, "no such project"},
	} {
		if p := problemOf(t, a.mint(tc.secret, tc.body)); p.Code != tc.code || !strings.Contains(p.Detail, tc.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	other := call(a.server, http.MethodPost, "/v1/tasks/"+a.task.ID+"/key", `{"attempt":1}`, append(bearing(a.worker), headerProject, "till")...)
	if p := problemOf(t, other); p.Code != sdk.CodeNotFound {
		t.Errorf("in another project of the key: %+v", p)
	}
	a.end(true)
	a.take(0, 2, a.taken.Add(time.Minute))
	a.minted(t, 0, 2) // although the task as it was read before does not know of it
	keyless := newTestServer(t, newMemoryTasks(), io.Discard)
	if p := problemOf(t, call(keyless, http.MethodPost, "/v1/tasks/"+mustCreate(t, keyless).ID+"/key", `{"attempt":1}`)); p.Code != sdk.CodeConflict || !strings.Contains(p.Detail, "no keys") {
		t.Errorf("without keys: %+v", p)
	}
}

// TestAttemptKeyEnds: whatever ends an attempt ends its key.
func TestAttemptKeyEnds(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*testing.T, *atWork){
		"the attempt has ended":                   func(_ *testing.T, a *atWork) { a.end(false) },
		"the next attempt runs":                   func(_ *testing.T, a *atWork) { a.end(false); a.take(0, 2, a.taken) },
		"the next stage runs":                     func(_ *testing.T, a *atWork) { a.end(false); a.take(1, 1, a.taken) },
		"the attempt runs once more":              func(_ *testing.T, a *atWork) { a.end(false); a.take(0, 1, a.taken.Add(time.Second)) },
		"the task has ended, its chain left open": func(_ *testing.T, a *atWork) { a.finish() },
		"the task is not kept any more": func(_ *testing.T, a *atWork) {
			a.tasks.mu.Lock()
			defer a.tasks.mu.Unlock()
			clear(a.tasks.tasks)
		},
		"the minting key is revoked": func(t *testing.T, a *atWork) {
			if _, err := keys.Revoke(t.Context(), a.path, a.minter); err != nil {
				t.Fatal(err)
			}
			a.server.keys = mustOpen(t, a.path)
		},
		"the server has other sealing keys": func(_ *testing.T, a *atWork) { a.server.seals = seal.New() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAtWork(t)
			key := a.minted(t, 0, 1).Key
			if got := a.read(a.server, key); got != http.StatusOK {
				t.Fatalf("before: %d", got)
			}
			how(t, a)
			w := call(a.server, http.MethodGet, "/v1/tasks/"+a.task.ID, "", bearing(key)...)
			if p := problemOf(t, w); p.Code != sdk.CodeUnauthenticated || w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%+v", p)
			}
		})
	}
}

func (a *atWork) finish() {
	a.tasks.change("shop", a.task.ID, false, func(t *sdk.Task) {
		t.Status, t.CompletedAt = sdk.StatusFailed, new(a.taken.Add(2*time.Second))
	})
}

// TestEndedAttemptKeyIsNotLookedAt: an agent that goes on with the key of an attempt that is over costs no look at the task.
func TestEndedAttemptKeyIsNotLookedAt(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*atWork){
		"the attempt has ended":   func(a *atWork) { a.end(false) },
		"the next attempt runs":   func(a *atWork) { a.end(false); a.take(0, 2, a.taken.Add(time.Minute)) },
		"the next stage runs":     func(a *atWork) { a.end(false); a.take(1, 1, a.taken.Add(time.Minute)) },
		"it was taken once more":  func(a *atWork) { a.end(false); a.take(0, 1, a.taken.Add(time.Minute)) },
		"the task has ended":      func(a *atWork) { a.end(false); a.finish() },
		"its chain was left open": func(a *atWork) { a.finish() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAtWork(t)
			key := a.minted(t, 0, 1).Key
			how(a)
			a.tasks.looks = 0
			for range 50 {
				if got := a.read(a.server, key); got != http.StatusUnauthorized {
					t.Fatalf("its key: %d", got)
				}
			}
			if a.tasks.looks != 0 {
				t.Errorf("it was looked at %d times", a.tasks.looks)
			}
		})
	}
}

// TestAttemptKeyAfterAReset: an operator's reset takes a task back to an earlier attempt. What was read before it neither keeps the
// agent of the new run from a key, nor refuses that.
func TestAttemptKeyAfterAReset(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*atWork){
		"of a task that had ended": func(a *atWork) { a.end(false); a.finish() },
		"of a later attempt":       func(a *atWork) { a.end(false); a.take(0, 2, a.taken.Add(time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAtWork(t)
			before(a)
			reset := func(t *sdk.Task) {
				t.Status, t.CompletedAt = sdk.StatusRunning, nil
				t.Attempts = []sdk.Attempt{{Attempt: 1, StartedAt: a.taken.Add(time.Hour / 2)}}
			}
			old, err := a.tasks.GetTask(t.Context(), "shop", a.task.ID)
			if err != nil {
				t.Fatal(err)
			}
			a.tasks.change("shop", a.task.ID, true, reset)
			key := a.minted(t, 0, 1).Key
			a.tasks.mu.Lock()
			a.tasks.stale = map[string]sdk.Task{"shop/" + a.task.ID: old} // as another server has it
			a.tasks.mu.Unlock()
			if got := a.read(a.server, key); got != http.StatusOK {
				t.Errorf("the key of the new run: %d", got)
			}
		})
	}
}

func TestAttemptKeyExpires(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	started := time.Now().Add(-2 * time.Hour)
	for name, tc := range map[string]struct {
		change func(*sdk.Task)
		want   time.Time
	}{
		"after its time":               {func(*sdk.Task) {}, started.Add(time.Hour)},
		"after its stage's time":       {func(t *sdk.Task) { t.Fallback = []sdk.Stage{{Timeouts: &sdk.StageTimeouts{AttemptMs: 5000}}} }, started.Add(5 * time.Second)},
		"when the task's time is over": {func(t *sdk.Task) { t.Timeouts.TotalMs = 1000 }, started.Add(time.Second)},
	} {
		a.tasks.change("shop", a.task.ID, false, func(task *sdk.Task) {
			task.CreatedAt, task.Timeouts, task.Fallback = started, sdk.Timeouts{AttemptMs: 3_600_000, TotalMs: 86_400_000}, nil
			task.Attempts = []sdk.Attempt{{Attempt: 1, StartedAt: started}}
			if tc.change(task); len(task.Fallback) > 0 {
				task.Attempts[0].Stage = 1
			}
		})
		task, err := a.tasks.GetTask(t.Context(), "shop", a.task.ID)
		if err != nil {
			t.Fatal(err)
		}
		key := a.minted(t, task.Attempts[0].Stage, 1)
		if !key.ExpiresAt.Equal(tc.want.Truncate(time.Millisecond)) {
			t.Errorf("%s: it expires at %s, want %s", name, key.ExpiresAt, tc.want)
		}
		if got := a.read(a.server, key.Key); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestAttemptKeyAndStaleReads: what was read before never refuses a key that is good, and a task that has ended is not looked at again.
func TestAttemptKeyAndStaleReads(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	a.tasks.mu.Lock()
	a.tasks.stale = map[string]sdk.Task{"shop/" + a.task.ID: a.task} // as before the attempt
	a.tasks.looks = 0
	a.tasks.mu.Unlock()
	for range 3 {
		if got := a.read(a.server, key); got != http.StatusOK {
			t.Errorf("a good key: %d", got)
		}
	}
	if a.tasks.looks != 1 {
		t.Errorf("it was looked at %d times, want once", a.tasks.looks)
	}
	a.finish()
	if got := a.read(a.server, key); got != http.StatusUnauthorized || a.tasks.looks != 1 {
		t.Errorf("after the end: %d, and looked at %d times", got, a.tasks.looks)
	}
}

func TestAttemptKeyWithoutTemporal(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	a.tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "Temporal is away")
	for name, w := range map[string]*httptest.ResponseRecorder{
		"the key":    call(a.server, http.MethodGet, "/v1/tasks/"+a.task.ID, "", bearing(key)...),
		"a new key":  a.mint(a.worker, `{"attempt":1}`),
		"a creation": call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(key)...),
	} {
		if p := problemOf(t, w); p.Code != sdk.CodeUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
