package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// keyedScene is the project shop on a stack with keys: what is minted is tried against it.
type keyedScene struct {
	*scene
	file               string // of the keys
	shop, worker, bank madeKey
}

func newKeyedScene(t *testing.T) *keyedScene {
	t.Helper()
	k := &keyedScene{file: filepath.Join(t.TempDir(), "keys.json")}
	k.shop, k.bank = createKey(t, k.file, "acme", "shop"), createKey(t, k.file, "vault", "bank")
	k.worker = createKey(t, k.file, "acme", "shop", "--scope", "work")
	stack, err := dev.Start(t.Context(), dev.Options{Env: []string{"ROLECALL_KEYS_FILE=" + k.file}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("API: %s\ncontrol worker: %s", stack.API.LogTail(40), stack.Control.LogTail(20))
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	k.scene = newScene(t, stack)
	k.project, k.client = "shop", keyed(t, stack, k.shop.Key, "")
	return k
}

// keyedWorker starts a worker with the worker's key, which lets through to its agent whatever it can.
func (k *keyedScene) keyedWorker(name string) *dev.Process {
	k.t.Helper()
	return k.scene.worker(name, dev.Worker{Env: []string{"EVENTS_API_KEY=" + k.worker.Key, "ROLECALL_AGENT_ENV=PATH,EVENTS_*,EVENTS_API_KEY"}})
}

// keyOf is the key that an attempt's agent found in its environment.
func (k *keyedScene) keyOf(attempt string) string {
	k.t.Helper()
	k.appears(attempt + ".key")
	raw, err := os.ReadFile(k.path(attempt + ".key"))
	k.do(err)
	k.do(os.Remove(k.path(attempt + ".key"))) // for the next task
	if key := string(raw); strings.HasPrefix(key, "ra_") {
		return key
	}
	k.t.Fatalf("the agent of attempt %s has the key %.10q", attempt, raw)
	return ""
}

// reads is the status of a task read with a key.
func (k *keyedScene) reads(id, key string) int {
	k.t.Helper()
	status, _ := k.ask(route{http.MethodGet, "/v1/tasks/{id}"}, id, key, "")
	return status
}

// dies waits until a key is refused; it stays so.
func (k *keyedScene) dies(what, id, key string) {
	k.t.Helper()
	k.eventually(what, patience, func() error {
		if got := k.reads(id, key); got != http.StatusUnauthorized {
			return fmt.Errorf("the key is answered %d", got)
		}
		return nil
	})
	if got := k.reads(id, key); got != http.StatusUnauthorized {
		k.t.Errorf("%s: the key is answered %d again", what, got)
	}
}

// TestAttemptKeys: an agent gets a key of its attempt, which does what an agent needs and ends with the attempt.
func TestAttemptKeys(t *testing.T) {
	t.Parallel()
	k := newKeyedScene(t)
	w := k.keyedWorker("w1")
	task := k.delegate(script{"0.1": {"key", "until:fail", "fail:no_luck:retryable"}, "0.2": {"key", "until:go", `result:{"ok":true}`}})
	first := k.keyOf("0.1")
	k.mayOnly(task.ID, first)

	k.touch("fail")
	second := k.keyOf("0.2")
	if got := k.reads(task.ID, second); got != http.StatusOK {
		t.Errorf("the key of the running attempt is answered %d", got)
	}
	if got := k.is("running again", task.ID, func(t *sdk.Task) bool { return t.Attempt == 2 }); got.Status.Terminal() {
		t.Fatalf("the task is %s already", got.Status)
	}
	k.dies("the first attempt has ended", task.ID, first)
	if got := k.reads(task.ID, second); got != http.StatusOK {
		t.Errorf("the key of the running attempt is answered %d after that", got)
	}
	k.touch("go")
	if got := k.ended(task.ID); got.Status != sdk.StatusCompleted {
		t.Errorf("the task is %s: %+v", got.Status, got.Result)
	}
	k.dies("the task has ended", task.ID, second)
	next := k.delegate(script{"*": {"key", "until:over", "result:1"}})
	if status, body := k.ask(route{http.MethodPost, "/v1/tasks/{id}/retry"}, task.ID, k.keyOf("0.1"), ""); status != http.StatusForbidden {
		t.Errorf("a finished task retried with the key of an attempt: %d %s", status, body)
	}
	k.touch("over")
	k.ended(next.ID)

	k.lostWorker(w)
	k.revokedWorker(first, second)
}

// mayOnly tries what the key of a task's running attempt may do, and what it may not.
func (k *keyedScene) mayOnly(id, key string) {
	k.t.Helper()
	foreign, err := keyed(k.t, k.stack, k.bank.Key, "").CreateTask(k.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeWrite, Title: "another project's"})
	k.do(err)
	sibling, err := k.client.CreateTask(k.t.Context(), sdk.TaskRequest{Type: sdk.TypeCodeTest, Title: "of the same project"})
	k.do(err)
	for _, try := range []struct {
		method, path, id, project string
		want                      int
		says                      string
	}{
		{http.MethodGet, "/v1/tasks/{id}", id, "", http.StatusOK, id},
		{http.MethodGet, "/v1/tasks/{id}", id, "shop", http.StatusOK, id},
		{http.MethodGet, "/v1/tasks/{id}", sibling.ID, "", http.StatusOK, sibling.ID},
		{http.MethodGet, "/v1/tasks/{id}/progress", id, "", http.StatusOK, "items"},
		{http.MethodGet, "/v1/tasks", "", "", http.StatusOK, "items"},
		{http.MethodGet, "/v1/tasks/{id}", foreign.ID, "", http.StatusNotFound, ""},
		{http.MethodGet, "/v1/tasks/{id}", foreign.ID, "bank", http.StatusNotFound, ""},
		{http.MethodPost, "/v1/tasks", "", "", http.StatusForbidden, "parentId"},
		{http.MethodPost, "/v1/tasks/{id}/cancel", id, "", http.StatusForbidden, "children"},
		{http.MethodPost, "/v1/tasks/{id}/cancel", sibling.ID, "", http.StatusForbidden, "children"},
		{http.MethodPost, "/v1/tasks/{id}/cancel", foreign.ID, "", http.StatusNotFound, ""},
		{http.MethodPost, "/v1/tasks/{id}/input", id, "", http.StatusForbidden, "children"},
		{http.MethodPost, "/v1/tasks/{id}/retry", id, "", http.StatusForbidden, ""},
		{http.MethodPost, "/v1/tasks/{id}/key", id, "", http.StatusForbidden, "scope work"},
	} {
		status, body := k.ask(route{try.method, try.path}, try.id, key, try.project)
		if status != try.want || !strings.Contains(body, try.says) {
			k.t.Errorf("%s %s of %q in %q: %d, want %d saying %q: %s", try.method, try.path, try.id, try.project, status, try.want, try.says, body)
		}
	}
	if status, body := k.ask(route{http.MethodPost, "/v1/tasks/{id}/key"}, id, k.shop.Key, ""); status != http.StatusCreated {
		k.t.Errorf("another key of the project with the scope work: %d %s", status, body)
	}
}

// lostWorker kills a worker with SIGKILL: the key of its attempt ends when that is lost, and the next attempt has its own.
func (k *keyedScene) lostWorker(w *dev.Process) {
	k.t.Helper()
	task := k.delegate(script{"0.1": {"key", "hang"}, "0.2": {"key", "until:found", "result:1"}})
	lost := k.keyOf("0.1")
	if got := k.reads(task.ID, lost); got != http.StatusOK {
		k.t.Errorf("before the worker is lost: %d", got)
	}
	k.do(w.Kill())
	k.dies("the worker was lost", task.ID, lost)
	k.keyedWorker("w2")
	if got := k.reads(task.ID, k.keyOf("0.2")); got != http.StatusOK {
		k.t.Errorf("the key of the attempt after the lost one: %d", got)
	}
	k.dies("another attempt runs", task.ID, lost)
	k.touch("found")
	if got := k.ended(task.ID); got.Status != sdk.StatusCompleted || got.Attempts[0].Outcome != sdk.OutcomeLost {
		k.t.Errorf("the task is %s, its chain %q", got.Status, chain(got))
	}
}

// revokedWorker revokes the worker's key while an attempt runs, and looks for keys in the log.
func (k *keyedScene) revokedWorker(seen ...string) {
	k.t.Helper()
	task := k.delegate(script{"*": {"key", "until:end", "result:1"}})
	key := k.keyOf("0.1")
	if got := k.reads(task.ID, key); got != http.StatusOK {
		k.t.Errorf("before the worker's key is revoked: %d", got)
	}
	_, err := cli(k.t, []string{"ROLECALL_KEYS_FILE=" + k.file}, "keys", "revoke", k.worker.ID)
	k.do(err)
	k.dies("the worker's key was revoked", task.ID, key)
	if got := k.is("running", task.ID, func(t *sdk.Task) bool { return t.Status == sdk.StatusRunning }); got.Attempt != 1 {
		k.t.Errorf("it is attempt %d", got.Attempt)
	}
	k.touch("end")
	k.ended(task.ID)
	log, err := os.ReadFile(k.stack.API.LogFile())
	k.do(err)
	for _, secret := range append(seen, key, k.worker.Key, k.shop.Key) {
		if bytes.Contains(log, []byte(secret)) {
			k.t.Errorf("the API's log holds the key %.12s…", secret)
		}
	}
	if !bytes.Contains(log, []byte(k.worker.ID)) {
		k.t.Error("the API's log does not name the key that the attempts' keys were minted with")
	}
}
