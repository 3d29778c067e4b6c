package sdktest

import (
	"errors"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestItKeepsSoManyTasks(t *testing.T) {
	t.Parallel()
	srv := New(t)
	srv.engine.keep = 3
	srv.Agent(sdk.RoleCoder, Script(Attempt().Complete(1)))
	c := srv.Client()
	ids := []string{}
	for _, role := range []sdk.Role{sdk.RoleTester, sdk.RoleCoder, sdk.RoleCoder, sdk.RoleTester, sdk.RoleTester} {
		task, err := c.DelegateToRole(t.Context(), role, sdk.TypeCodeWrite, "one of many")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, task.ID)
		srv.Settle()
	}
	for i, id := range ids {
		_, err := c.GetTask(t.Context(), id)
		if gone := i == 1 || i == 2; gone != errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("task %d of 5, the second and third of which have ended: %v", i+1, err)
		}
	}
	if _, err := srv.engine.ListTasks(t.Context(), "default", sdk.TaskFilter{}, ""); err != nil {
		t.Error(err)
	}
	srv.engine.mu.Lock()
	err := srv.engine.makeRoom()
	srv.engine.mu.Unlock()
	if !errors.Is(err, sdk.ErrUnavailable) {
		t.Errorf("with nothing to forget: %v", err)
	}
}
