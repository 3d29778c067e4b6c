package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestProjects(t *testing.T) {
	t.Parallel()
	tasks := newMemoryTasks()
	s := newTestServer(t, tasks, io.Discard)
	tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "not now")
	for i := range maxProjects + 1 {
		problemOf(t, call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", fmt.Sprintf("failed%d", i)))
	}
	tasks.failure = nil
	for i := range maxProjects {
		if w := call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", fmt.Sprintf("p%d", i)); w.Code != http.StatusCreated {
			t.Fatalf("project %d: %d %s", i, w.Code, w.Body)
		}
	}
	if p := problemOf(t, call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", "one-more")); p.Code != sdk.CodeForbidden {
		t.Errorf("one project too many: %+v", p)
	}
	if w := call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", "p7"); w.Code != http.StatusCreated {
		t.Errorf("a project that is there: %d", w.Code)
	}
	tasks.failure = sdk.Errorf(sdk.CodeUnavailable, "not now")
	problemOf(t, call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", "p7"))
	tasks.failure = nil
	if p := problemOf(t, call(s, http.MethodPost, "/v1/tasks", okBody, "Rolecall-Project", "p7", "Rolecall-Organization", "other")); p.Code != sdk.CodeNotFound {
		t.Errorf("a project of two organizations: %+v", p)
	}
}

// TestForeignTaskLooksLikeNone: an organization can not tell a task of another one from a task that is not there, whatever it
// sends.
func TestForeignTaskLooksLikeNone(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newMemoryTasks(), io.Discard)
	id := mustCreate(t, s).ID
	for _, tt := range []struct{ method, path, body string }{
		{http.MethodGet, "/v1/tasks/" + id, ""},
		{http.MethodGet, "/v1/tasks/" + id + "?waitMs=10", ""},
		{http.MethodGet, "/v1/tasks/" + id + "?waitMs=x", ""},
		{http.MethodGet, "/v1/tasks/" + id + "/progress", ""},
		{http.MethodPost, "/v1/tasks/" + id + "/cancel", `{}`},
		{http.MethodPost, "/v1/tasks/" + id + "/cancel", `{"nope":1}`},
		{http.MethodPost, "/v1/tasks/" + id + "/input", `{"requestId":"q","answer":1}`},
	} {
		foreign := problemOf(t, call(s, tt.method, tt.path, tt.body, "Rolecall-Organization", "other"))
		none := problemOf(t, call(s, tt.method, tt.path, tt.body, "Rolecall-Organization", "other", "Rolecall-Project", "nobodys"))
		foreign.Instance, none.Instance = "", ""
		if diff := cmp.Diff(none, foreign); diff != "" {
			t.Errorf("%s %s (-none +foreign):\n%s", tt.method, tt.path, diff)
		}
		if foreign.Status != http.StatusNotFound && foreign.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s %s: %+v", tt.method, tt.path, foreign)
		}
	}
}

func TestProjectEntersOneOrganization(t *testing.T) {
	t.Parallel()
	for range 200 {
		p := newProjects(maxProjects)
		var start, all sync.WaitGroup
		start.Add(1)
		refused := make(chan *sdk.Error, 2)
		for _, organization := range []string{"a", "b"} {
			all.Go(func() {
				start.Wait()
				e, err := p.enter(caller{project: "p", organization: organization})
				refused <- err
				if err == nil {
					e.created = true
					e.leave()
				}
			})
		}
		start.Done()
		all.Wait()
		if first, second := <-refused, <-refused; (first == nil) == (second == nil) {
			t.Fatalf("both or none entered: %v, %v", first, second)
		}
	}
}

// TestProjectKeepsItsPlaceWhileEntering: the place is neither given away nor lost between two creations that overlap.
func TestProjectKeepsItsPlaceWhileEntering(t *testing.T) {
	t.Parallel()
	p := newProjects(1)
	mine, other := caller{project: "p", organization: "a"}, caller{project: "p", organization: "b"}
	failing, err := p.enter(mine)
	if err != nil {
		t.Fatal(err)
	}
	good, err := p.enter(mine)
	if err != nil {
		t.Fatal(err)
	}
	failing.leave()
	if _, err := p.enter(other); err == nil || err.Code != sdk.CodeNotFound || p.belongs(other) {
		t.Errorf("taken by another organization meanwhile: %v", err)
	}
	if _, err := p.enter(caller{project: "q", organization: "a"}); err == nil || err.Code != sdk.CodeForbidden {
		t.Errorf("one project too many: %v", err)
	}
	good.leave()
	if e, err := p.enter(caller{project: "q", organization: "a"}); err != nil {
		t.Errorf("the place was not given back: %v", err)
	} else {
		e.leave()
	}
}
