package e2e_test

import (
	"slices"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestRolesThatOnlyTasksName: a role that is not built in, and that no agent is registered for, is among the roles while a task for it is open,
// be it behind a page of tasks for another one. Temporal's own visibility answers which.
func TestRolesThatOnlyTasksName(t *testing.T) {
	t.Parallel()
	s := newScene(t, sharedStack(t))
	create := func(role sdk.Role) string { return s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = role }).ID }
	ended := create("potter")
	s.cancel(ended)
	s.ended(ended)
	open := []string{create("baker"), create(sdk.RoleCoder)} // the oldest come last
	for range 12 {
		open = append(open, create("welder"))
	}
	s.listed("the open tasks", sdk.TaskFilter{Status: sdk.StatusOpen}, slices.Clone(open)...)
	s.listed("the cancelled one", sdk.TaskFilter{Status: sdk.StatusCancelled}, ended)
	roles, err := s.client.Roles(t.Context()) // once: what it finds serves for a while
	s.do(err)
	times := map[sdk.Role]int{}
	for _, r := range roles {
		times[r.Role]++
	}
	for role, want := range map[sdk.Role]int{"baker": 1, "welder": 1, "potter": 0, sdk.RoleCoder: 1, sdk.RoleTester: 1} {
		if times[role] != want {
			t.Errorf("%s is there %d times, want %d: %+v", role, times[role], want, roles)
		}
	}
	for _, id := range open {
		s.cancel(id)
	}
}
