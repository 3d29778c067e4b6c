package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/apiserver/keys"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestAttemptKeyMay asks every route of the server, so that a new one that changes something is refused until it is thought of.
func TestAttemptKeyMay(t *testing.T) {
	t.Parallel()
	a := newAtWork(t, onLog(openLog(t)))
	if w := call(a.server, http.MethodPut, "/v1/subscriptions/coder", `{}`, bearing(a.shop)...); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	key := a.minted(t, 0, 1).Key
	sibling := taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	child := taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	a.tasks.change("shop", child.ID, false, func(task *sdk.Task) { task.ParentID = a.task.ID })
	for _, id := range []string{a.task.ID, sibling.ID, child.ID} {
		namesake(t, a.server, id, bearing(a.shop)...)
	}
	mayChange := map[string]bool{"/v1/tasks/{id}/cancel": true, "/v1/tasks/{id}/input": true}
	const nowhere = "0198c0de-0000-7000-8000-000000000000"
	for _, r := range routesOf(t, a.server) {
		for id, what := range map[string]string{a.task.ID: "its own task", sibling.ID: "another task", child.ID: "a child", nowhere: "no task"} {
			w := r.call(a.server, id, bearing(key)...)
			want := http.StatusForbidden
			switch {
			case r.method == http.MethodPost && r.path == "/v1/events":
				want = http.StatusCreated
			case r.method == http.MethodGet && (id != nowhere || !strings.Contains(r.path, "{id}")):
				want = http.StatusOK
			case (r.method == http.MethodGet || mayChange[r.path]) && id == nowhere:
				want = http.StatusNotFound
			case r.path == "/v1/tasks/{id}/cancel" && id == child.ID:
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

// lateTasks does not know a task when it is asked for the first time.
type lateTasks struct {
	*memoryTasks
	id   string
	seen atomic.Bool
}

func (l *lateTasks) GetTask(ctx context.Context, project, id string) (sdk.Task, error) {
	if id == l.id && !l.seen.Swap(true) {
		return sdk.Task{}, sdk.Errorf(sdk.CodeNotFound, "no such task")
	}
	return l.memoryTasks.GetTask(ctx, project, id)
}

// TestAttemptKeyAndATaskThatComes: a task that comes into being while its parent is checked is not changed.
func TestAttemptKeyAndATaskThatComes(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	other := taskFrom(t, call(a.server, http.MethodPost, "/v1/tasks", okBody, bearing(a.shop)...), http.StatusCreated)
	a.server.tasks = &lateTasks{memoryTasks: a.tasks, id: other.ID}
	w := call(a.server, http.MethodPost, "/v1/tasks/"+other.ID+"/cancel", `{"reason":"mine"}`, bearing(key)...)
	if p := problemOf(t, w); p.Code != sdk.CodeNotFound || a.tasks.reason != "" {
		t.Errorf("%+v, cancelled because of %q", p, a.tasks.reason)
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
		"its own, and wrong": {`,"parentId":"` + a.task.ID + `","x":1`, sdk.CodeInvalidInput, "not valid"},
	} {
		w := call(a.server, http.MethodPost, "/v1/tasks", strings.TrimSuffix(okBody, "}")+tc.more+"}", bearing(key)...)
		if p := problemOf(t, w); p.Code != tc.code || !strings.Contains(p.Detail, tc.says) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	w := call(a.server, http.MethodPost, "/v1/tasks", strings.TrimSuffix(okBody, "}")+`,"parentId":"`+a.task.ID+`"}`, bearing(key)...)
	if child := taskFrom(t, w, http.StatusCreated); child.ParentID != a.task.ID {
		t.Errorf("the child is of %q", child.ParentID)
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
	if strings.Contains(logs.String(), "every user") {
		t.Errorf("a file of its owner alone is warned of:\n%s", logs.String())
	}
	ways := map[string]func(*Config){"named": func(c *Config) { c.LeaseKeysFile = dir + "/" + leaseKeysName }, "the directory's": inDir}
	mode := func(m os.FileMode) {
		if err := os.Chmod(dir+"/"+leaseKeysName, m); err != nil {
			t.Fatal(err)
		}
	}
	for name, way := range ways {
		mode(0o644)
		logs.Reset()
		if a.keyring.server(t, a.tasks, &logs, way); !strings.Contains(logs.String(), "every user") {
			t.Errorf("%s: a file that everybody can read is not warned of", name)
		}
		mode(0o602)
		cfg := Config{Addr: "127.0.0.1:0", KeysFile: a.path}
		way(&cfg)
		if _, err := New(cfg, a.tasks, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "every user") {
			t.Errorf("%s: a file that everybody can write: %v", name, err)
		}
	}
	bad := Config{Addr: "127.0.0.1:0", KeysFile: a.path, LeaseKeysFile: a.path}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file of something else: %v", err)
	}
}
