package engine

import (
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// Kept is what is known of a task's run, for an engine that keeps its runs elsewhere than in Temporal: what it answers is made here from
// the same facts in the same way. It is for sdk/sdktest, with [Pending], [Queue] and the refusals that are exported, and may change with
// any release.
type Kept struct {
	Project string
	Created sdk.Task             // as [workflows.NewTask] made it
	State   *workflows.TaskState // nil before anything has happened
	Pending *Pending             // nil when no attempt is under way
	// CancelRequested says that the task was asked to stop.
	CancelRequested bool
}

// Pending is the attempt that a run waits for.
type Pending struct {
	Stage, Number int
	Scheduled     time.Time
	TakenAt       time.Time                 // zero while nobody has it
	Report        *activities.AttemptReport // the newest; nil before the first
	Queue         Queue
	// Nobody says that nobody is there who has the capabilities that it needs.
	Nobody bool
}

// Queue is how the queue of a pending attempt stands.
type Queue struct {
	Polled  bool        // somebody asks it for work
	Waiting map[int]int // attempts that nobody has taken yet, by [workflows.PriorityKey], this one included
}

// Open is the task while its run is open.
func (k Kept) Open(links sdk.Links) sdk.Task {
	r := k.run()
	t := r.openTask(links)
	if t.Status == sdk.StatusQueued && t.WaitingFor != nil && t.WaitingFor.Reason == sdk.WaitingForAgent {
		seen := queueSeen{polled: k.Pending.Queue.Polled, waiting: map[int32]int64{}}
		for key, n := range k.Pending.Queue.Waiting {
			seen.waiting[int32(key)] = int64(n) //nolint:gosec // 1 to 5
		}
		role, agentID := r.addressee()
		t.WaitingFor.Reason, t.WaitingFor.Detail = seen.reason(role, agentID, int32(workflows.PriorityKey(t.Priority))) //nolint:gosec // 1 to 5
	}
	return t
}

// Closed is the task whose run has ended with the record.
func (k Kept) Closed(record sdk.Task, links sdk.Links) sdk.Task {
	t := k.run().complete(record)
	t.Links = links
	return t
}

func (k Kept) run() run {
	r := run{
		project: k.Project, id: k.Created.ID, started: k.Created.CreatedAt, cancelRequested: k.CancelRequested,
		memo: &workflows.TaskMemo{Task: k.Created}, state: k.State,
	}
	if p := k.Pending; p != nil && p.Nobody {
		r.finding = &finding{stage: p.Stage, number: p.Number, since: p.Scheduled, nobody: true}
	} else if p != nil {
		r.pending = &attempt{
			stage: p.Stage, number: p.Number, scheduled: p.Scheduled, taken: !p.TakenAt.IsZero(), takenAt: p.TakenAt, report: p.Report,
		}
	}
	return r
}
