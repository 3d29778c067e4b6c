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

func newAtWork(t testing.TB) *atWork {
	t.Helper()
	a := &atWork{keyring: newKeyring(t), tasks: newMemoryTasks(), logs: &bytes.Buffer{}, taken: time.Now()}
	a.worker, a.minter = a.create(t, keys.Request{Organization: "acme", Projects: []string{"shop", "till"}, Scopes: []keys.Scope{keys.ScopeWork}})
	a.server = a.keyring.server(t, a.tasks, a.logs)
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
	a.tasks.change("shop", a.task.ID, false, func(t *sdk.Task) { t.Status = sdk.StatusFailed })
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

// TestAttemptKeyMay asks every route of the server, so that a new one that changes something is refused until it is thought of.
func TestAttemptKeyMay(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	sibling := taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	child := taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	a.tasks.change("shop", child.ID, false, func(task *sdk.Task) { task.ParentID = a.task.ID })
	mayChange := map[string]bool{"/v1/tasks/{id}/cancel": true, "/v1/tasks/{id}/input": true}
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	for _, r := range routesOf(t, a.server) {
		for id, what := range map[string]string{a.task.ID: "its own task", sibling.ID: "another task", child.ID: "a child", nowhere: "no task"} {
			w := r.call(a.server, id, bearing(key)...)
			want := http.StatusForbidden
			switch {
			case r.method == http.MethodGet && (id != nowhere || !strings.Contains(r.path, "{id}")):
				want = http.StatusOK
			case (r.method == http.MethodGet || mayChange[r.path]) && id == nowhere:
				want = http.StatusNotFound
			case strings.HasSuffix(r.path, "/cancel") && id == child.ID:
				want = http.StatusAccepted
			case mayChange[r.path] && id == child.ID:
				want = http.StatusOK
			}
			if w.Code != want {
				t.Errorf("%s %s of %s: %d, want %d: %s", r.method, r.path, what, w.Code, want, w.Body)
			}
		}
	}
}

func TestAttemptKeyCreatesChildren(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	for name, tc := range map[string]struct {
		more string
		code sdk.Code
		says string
	}{
		"no parent":          {``, sdk.CodeForbidden, "set parentId to " + a.task.ID},
		"null":               {`,"parentId":null`, sdk.CodeForbidden, "set parentId"},
		"another":            {`,"parentId":"0198c0de"`, sdk.CodeForbidden, "set parentId"},
		"another, and wrong": {`,"parentId":"0198c0de","x":1`, sdk.CodeForbidden, "set parentId"},
		"its own":            {`,"parentId":"` + a.task.ID + `"`, sdk.CodeInvalidInput, "not valid"}, // until children are there
	} {
		w := call(a.server, http.MethodPost, "/v1/tasks", strings.TrimSuffix(okBody, "}")+tc.more+"}", bearing(key)...)
		if p := problemOf(t, w); p.Code != tc.code || !strings.Contains(p.Detail, tc.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestAttemptKeyHasOneProject(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	read := func(project string) *httptest.ResponseRecorder {
		return call(a.server, http.MethodGet, "/v1/tasks/"+a.task.ID, "", append(bearing(key), headerProject, project, headerOrganization, "bank")...)
	}
	if w := read("shop"); w.Code != http.StatusOK {
		t.Errorf("its own: %d %s", w.Code, w.Body)
	}
	for _, other := range []string{"till", "vault", "nobodys"} {
		if w := read(other); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", other, w.Code, w.Body)
		}
	}
}

func TestForgedAttemptKeys(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	sealed := func(purpose, content string) string {
		token, err := a.server.seals.Seal(purpose, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return attemptKeyPrefix + token
	}
	_, idler := a.create(t, keys.Request{Organization: "acme", Projects: []string{"shop"}, Scopes: attemptScopes()})
	_, elsewhere := a.create(t, keys.Request{Organization: "acme", Projects: []string{"till"}, Scopes: []keys.Scope{keys.ScopeWork}})
	a.server.keys = mustOpen(t, a.path)
	by := func(minter, project, organization string) string {
		return fmt.Sprintf(`{"project":%q,"organization":%q,"task":%q,"stage":0,"attempt":1,"key":%q,"startedMs":%d,"expiresMs":%d}`,
			project, organization, a.task.ID, minter, a.taken.UnixMilli(), time.Now().Add(time.Hour).UnixMilli())
	}
	whole := by(a.minter, "shop", "acme")
	if got := a.read(a.server, sealed(purposeAttemptKey, whole)); got != http.StatusOK {
		t.Fatalf("what the others are made from: %d", got)
	}
	for name, forged := range map[string]string{
		"nothing":                        attemptKeyPrefix,
		"rubbish":                        attemptKeyPrefix + "rubbish",
		"cut":                            key[:len(key)-1],
		"changed":                        key[:20] + "AAAA" + key[24:],
		"longer":                         key + "A",
		"an API key's prefix":            keys.Prefix + strings.TrimPrefix(key, attemptKeyPrefix),
		"no prefix":                      strings.TrimPrefix(key, attemptKeyPrefix),
		"a lease":                        sealed("lease", whole),
		"no JSON":                        sealed(purposeAttemptKey, "shop"),
		"empty":                          sealed(purposeAttemptKey, "{}"),
		"a minter of another project":    sealed(purposeAttemptKey, by(elsewhere, "shop", "acme")),
		"a minter that may not work":     sealed(purposeAttemptKey, by(idler, "shop", "acme")),
		"a minter that is not there":     sealed(purposeAttemptKey, by("key_none", "shop", "acme")),
		"another organization":           sealed(purposeAttemptKey, by(a.minter, "shop", "bank")),
		"the API key it was minted with": attemptKeyPrefix + strings.TrimPrefix(a.worker, keys.Prefix),
	} {
		if got := a.read(a.server, forged); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestAttemptKeyHasItsOwnLimit: an agent that spins does not starve its worker, nor other agents.
func TestAttemptKeyHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	first := a.minted(t, 0, 1).Key
	second := a.minted(t, 0, 1).Key
	a.server.limits, a.server.attempts = newLimits(0.001, 2, 10), newLimits(0.001, 3, 10)
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		if got := a.read(a.server, []string{first, second}[i%2]); got != want { // two keys of an attempt are one agent
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	if w := a.mint(a.worker, `{"attempt":1}`); w.Code != http.StatusCreated {
		t.Errorf("its worker: %d %s", w.Code, w.Body)
	}
	a.end(false)
	a.take(0, 2, a.taken)
	if got := a.read(a.server, a.minted(t, 0, 2).Key); got != http.StatusOK {
		t.Errorf("the next attempt: %d", got)
	}
}

func TestAttemptKeyIsNotLogged(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	a.read(a.server, key)
	a.end(false)
	w := call(a.server, http.MethodGet, "/v1/tasks/"+a.task.ID, "", bearing(key)...)
	secret := strings.TrimPrefix(key, attemptKeyPrefix)
	if strings.Contains(a.logs.String(), secret) || strings.Contains(w.Body.String(), secret) {
		t.Error("the log, or an answer, holds the key")
	}
	if want := fmt.Sprintf(`"key":%q,"attemptOf":%q`, a.minter, a.task.ID); !strings.Contains(a.logs.String(), want) {
		t.Errorf("the log does not hold %s:\n%s", want, a.logs)
	}
}

// TestSealingKeys: servers that share a file, or a data directory, take each other's keys.
func TestSealingKeys(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	dir := t.TempDir()
	var logs bytes.Buffer
	inDir := func(c *Config) { c.DataDir = dir }
	one, two := a.keyring.server(t, a.tasks, &logs, inDir), a.keyring.server(t, a.tasks, &logs, inDir)
	named := a.keyring.server(t, a.tasks, &logs, func(c *Config) { c.LeaseKeysFile, c.DataDir = dir+"/"+leaseKeysName, t.TempDir() })
	alone := a.keyring.server(t, a.tasks, &logs, func(c *Config) { c.DataDir = t.TempDir() })
	a.server = one
	key := a.minted(t, 0, 1).Key
	for i, s := range []*Server{one, two, named} {
		if got := a.read(s, key); got != http.StatusOK {
			t.Errorf("server %d: %d", i, got)
		}
	}
	if got := a.read(alone, key); got != http.StatusUnauthorized {
		t.Errorf("a server of another directory: %d", got)
	}
	if got := strings.Count(logs.String(), "ROLECALL_LEASE_KEYS_FILE"); got != 2 { // of one and of alone
		t.Errorf("the log warns %d times, want 2:\n%s", got, logs.String())
	}
	bad := Config{Addr: "127.0.0.1:0", KeysFile: a.path, LeaseKeysFile: a.path}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file of something else: %v", err)
	}
}
