package workflows

import (
	"cmp"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Stands is where a child of the task stands.
func (c *Course) Stands() DelegateTaskOutput {
	return DelegateTaskOutput{RootID: cmp.Or(c.in.RootID, c.in.ID), Depth: c.in.Depth + 1}
}

// Count enters a task below this one that CheckDelegation let through to be counted only.
func (c *Course) Count(id string) { c.enterFamily(id) }

// Delegate takes a child that CheckDelegation let through: its run is to be started, and then Delegated to be called. The task tells of it
// now, and nobody hears of that or of what follows before it is decided. Why: which messages come into one workflow task is settled only
// when that is recorded, and the start of a run is always in a later one.
func (c *Course) Delegate(now time.Time, in DelegateTaskInput) *Delegation {
	child, stands := in.Child, c.Stands()
	child.RootID, child.Depth = stands.RootID, stands.Depth
	c.enterFamily(child.ID)
	c.written += weightOf(child)
	c.family.open++
	r := child.Request.Resolve()
	c.tell(now, sdk.EventAIDelegation, sdk.TaskDelegated{
		TaskID: c.in.ID, ChildID: child.ID, RootID: child.RootID, Depth: child.Depth, Type: r.Type, Role: r.Role, Title: r.Title,
		AgentID: r.AgentID, Detached: r.Detached, Stage: c.task.Stage, Attempt: c.task.Attempt,
	}, len(r.Title))
	d := &Delegation{Child: child, seq: c.seq}
	c.family.undecided = append(c.family.undecided, d)
	return d
}
