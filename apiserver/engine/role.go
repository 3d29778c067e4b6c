package engine

import (
	"context"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// LookAtRole answers what is seen of a role's queue; a look serves everybody for a second.
func (e *Engine) LookAtRole(ctx context.Context, project string, role sdk.Role) sdk.RoleState {
	q := e.queue(ctx, workflows.RoleQueue(project, role), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	state := sdk.RoleState{Role: role, Unknown: q.unknown, OldestMs: q.oldest.Milliseconds(), Pollers: slices.Clone(q.pollers)}
	for _, n := range q.waiting {
		state.Waiting += n
	}
	if state.Waiting <= 0 {
		state.Waiting, state.OldestMs = 0, 0
	}
	return state
}

// note enters somebody who asked the queue for work: each once, with the last time.
func (q *queueSeen) note(identity string, at time.Time) {
	for i, p := range q.pollers {
		if p.Identity == identity {
			if at.After(p.LastSeenAt) {
				q.pollers[i].LastSeenAt = at
			}
			return
		}
	}
	q.pollers = append(q.pollers, sdk.Poller{Identity: identity, LastSeenAt: at})
}
