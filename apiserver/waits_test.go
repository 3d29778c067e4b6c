package apiserver

import (
	"net/http"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestWaitsOfAnAttemptAreBounded: an agent can not use up what its worker's key has for all of its agents.
func TestWaitsOfAnAttemptAreBounded(t *testing.T) {
	t.Parallel()
	a := newAtWork(t)
	key := a.minted(t, 0, 1).Key
	agent := caller{project: "shop", key: a.minter, attempt: &attemptClaims{Project: "shop", Task: a.task.ID, Attempt: 1}}
	leaving := make([]func(), maxWaitsOfAnAttempt)
	for i := range leaving {
		leave, err := a.server.waits.enter(agent)
		if err != nil {
			t.Fatalf("wait %d: %v", i, err)
		}
		leaving[i] = leave
	}
	path := "/v1/tasks/" + a.task.ID
	w := call(a.server, http.MethodGet, path+"?waitMs=1", "", bearing(key)...)
	if p := problemOf(t, w); p.Code != sdk.CodeRateLimited || w.Header().Get("Retry-After") == "" {
		t.Errorf("one wait too many: %+v", p)
	}
	taskFrom(t, call(a.server, http.MethodGet, path, "", bearing(key)...), http.StatusOK)
	other := agent
	other.attempt = &attemptClaims{Project: "shop", Task: a.task.ID, Attempt: 2}
	for name, who := range map[string]caller{"another attempt": other, "the worker": {project: "shop", key: a.minter}} {
		leave, err := a.server.waits.enter(who)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		leave()
	}
	leaving[0]()
	taskFrom(t, call(a.server, http.MethodGet, path+"?waitMs=1", "", bearing(key)...), http.StatusOK)
	for _, leave := range leaving[1:] {
		leave()
	}
	if w := &a.server.waits; w.all != 0 || len(w.ofKey) != 0 || len(w.ofAttempt) != 0 {
		t.Errorf("counted when they are over: %d, %v, %v", w.all, w.ofKey, w.ofAttempt)
	}
}
