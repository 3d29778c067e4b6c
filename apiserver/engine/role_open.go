package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	openRolesAsks  = 5                // questions of one look: they are of the project's lists, of which there are few a second
	openRolesPage  = 10               // tasks of each
	openRolesTTL   = 30 * time.Second // for how long a look serves
	openRolesAgain = 2 * time.Second  // and one that Temporal did not answer to the end
	openRolesTry   = 3 * time.Second  // bounds one
	openRolesBytes = 1 << 20
)

// OpenRoles answers roles beside the built-in ones that open tasks are for, by name; a look serves everybody for half a minute. Each
// question asks for a few tasks of roles that are not known yet, until there are none. Where Temporal does not answer, it is what was found until
// then, which serves for 2 s.
func (e *Engine) OpenRoles(ctx context.Context, project string) []sdk.Role {
	if roles, ok := e.openRoles.get(project); ok {
		return slices.Clone(roles)
	}
	answer := e.lookingForRoles.DoChan(project, guarded(func() (any, error) {
		if roles, ok := e.openRoles.get(project); ok {
			return roles, nil
		}
		roles, err := e.findOpenRoles(project)
		asOf := time.Now()
		if err != nil {
			asOf = asOf.Add(openRolesAgain - openRolesTTL)
		}
		e.openRoles.put(project, roles, 512+len(project)+128*len(roles), asOf)
		return roles, nil
	}))
	select {
	case r := <-answer:
		if roles, ok := r.Val.([]sdk.Role); ok && r.Err == nil {
			return slices.Clone(roles)
		}
	case <-ctx.Done():
	}
	return nil
}

// findOpenRoles answers what it has found, also beside an error.
func (e *Engine) findOpenRoles(project string) (found []sdk.Role, err error) {
	ctx, cancel := context.WithTimeout(e.life, openRolesTry)
	defer cancel()
	size := openRolesPage
	for range openRolesAsks {
		resp, _, failed := e.listChunk(ctx, project, otherRolesQuery(project, found), size, nil)
		if isTooLarge(failed) {
			size = 1
			continue
		}
		if failed != nil {
			err = failed
			break
		}
		for _, run := range resp.GetExecutions() {
			if task, ok := e.summary(project, run); ok && task.Role != "" && !slices.Contains(found, task.Role) {
				found = append(found, task.Role)
			}
		}
		if len(resp.GetExecutions()) < size {
			break
		}
	}
	slices.Sort(found)
	return found, err
}

// otherRolesQuery chooses the open tasks that are neither for a built-in role nor for one of those that were found.
func otherRolesQuery(project string, found []sdk.Role) string {
	var known []string
	for _, r := range sdk.BuiltinRoles() {
		known = append(known, quote(string(r.Role)))
	}
	for _, r := range found {
		known = append(known, quote(string(r)))
	}
	return ListQuery(project, sdk.TaskFilter{Status: sdk.StatusOpen}) + " AND " + workflows.AttrRole.GetName() + " NOT IN (" + strings.Join(known, ", ") + ")"
}
