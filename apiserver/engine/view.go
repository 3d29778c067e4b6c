package engine

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// openTask is the task of a run that is open.
func (r run) openTask(links sdk.Links) sdk.Task {
	t := r.base()
	t.Links = links
	switch {
	case r.pending != nil:
		r.pending.applyTo(&t, r.overall())
		if n := len(t.Attempts); r.pending.taken && !r.pending.paused && r.pending.stage == 0 && n > 0 && r.memo != nil {
			t.Attempts[n-1].Model = r.memo.Model
		}
	case r.finding != nil:
		r.finding.applyTo(&t)
	case r.settled: // about to end
		t.Status, t.InputRequest = sdk.StatusRunning, nil
	case r.state != nil && r.state.Status == sdk.StatusInputRequired && r.state.InputRequest != nil:
		t.Status = sdk.StatusInputRequired
	}
	if t.Status == sdk.StatusRunning {
		t.WaitingFor = nil
	}
	if w := t.WaitingFor; w != nil && w.Reason == sdk.WaitingForAgent && r.pending != nil {
		role, agentID := r.addressee()
		w.Detail, w.AgentID = notTaken(role, agentID), agentID
	}
	if r.pending != nil {
		t.InputRequest = nil
		if r.cancelRequested && r.pending.taken {
			t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingStopping, Since: r.pending.takenAt, Detail: "it was cancelled, and its agent is given time to stop"}
		}
	}
	return t
}

// base is the task as memo and state have it, queued.
func (r run) base() sdk.Task {
	t := r.memo.Task
	t.ID, t.CreatedAt, t.Status = r.id, r.created(), sdk.StatusQueued
	t.Attempts, t.Answers = []sdk.Attempt{}, []sdk.Answer{}
	s := r.state
	if s == nil {
		return withLists(t)
	}
	t.Stage, t.Attempt, t.Degraded, t.StartedAt = s.Stage, s.Attempt, s.Degraded, s.StartedAt
	if s.Stage > 0 && s.Stage <= len(t.Fallback) {
		t.Role = t.Fallback[s.Stage-1].Role
	}
	t.InputRequest, t.WaitingFor = s.InputRequest, s.WaitingFor
	if s.MaxAttempts > 0 {
		t.MaxAttempts = s.MaxAttempts
	}
	if s.AgentID != "" {
		t.AgentID = s.AgentID
	}
	for _, a := range s.Attempts {
		if a.EndedAt != nil { // an open one is told by the pending activity
			t.Attempts = append(t.Attempts, a)
		}
	}
	t.Answers = append(t.Answers, s.Answers...)
	return withLists(t)
}

// created is when the task was created: as its run's memo has it, else when the run started.
func (r run) created() time.Time {
	if r.memo != nil && !r.memo.Task.CreatedAt.IsZero() {
		return r.memo.Task.CreatedAt
	}
	return r.started
}

// overall is the highest percentage the run has recorded.
func (r run) overall() float64 {
	if r.state == nil {
		return 0
	}
	return r.state.Overall
}

// inStage puts a task into the stage of its current attempt, which its memo may not know yet, and answers the stage's role and model.
func inStage(t *sdk.Task, number int) (role sdk.Role, model string) {
	if number < 1 || number > len(t.Fallback) {
		return t.Role, ""
	}
	stage := t.Fallback[number-1]
	t.Role, t.Degraded = stage.Role, true
	if t.Stage != number { // the memo still speaks of the stage before
		t.AgentID = stage.AgentID
		if stage.Retry != nil {
			t.MaxAttempts = stage.Retry.MaxAttempts
		}
	}
	return stage.Role, stage.Model
}

// applyTo enters that an agent is looked for.
func (f *finding) applyTo(t *sdk.Task) {
	role, _ := inStage(t, f.stage)
	t.Stage, t.Attempt = f.stage, f.number
	t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForAgent, Since: f.since, Detail: "an agent that has what it needs is looked for"}
	if f.nobody {
		t.WaitingFor.Reason, t.WaitingFor.Detail = sdk.WaitingNoCapable, workflows.NobodyHas(role, t.Capabilities)
	}
}

// applyTo enters the attempt that the run waits for: who has it, since when, and how far it is.
func (a *attempt) applyTo(t *sdk.Task, overall float64) {
	role, model := inStage(t, a.stage)
	t.Stage, t.Attempt = a.stage, a.number
	if a.paused {
		t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingPaused, Since: a.scheduled, Detail: "an operator paused the attempt in Temporal"}
		return
	}
	if !a.taken {
		t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForAgent, Since: a.scheduled, Detail: notTaken(role, "")}
		return
	}
	t.AgentID = a.agent()
	t.Attempts = append(t.Attempts, sdk.Attempt{
		Stage: a.stage, Attempt: a.number, Role: role, AgentID: t.AgentID, Model: model, StartedAt: a.takenAt,
	})
	if a.report != nil && a.report.StartedAt == nil {
		t.WaitingFor = &sdk.WaitingFor{Reason: sdk.WaitingForSlot, Since: a.takenAt, Detail: "its agent has taken it and has no free slot yet"}
		return
	}
	t.Status = sdk.StatusRunning
	if a.report == nil {
		return
	}
	if t.StartedAt == nil {
		t.StartedAt = a.report.StartedAt
	}
	t.Progress = a.progress(overall)
}

// agent is who has the attempt: as it calls itself, else as Temporal knows its worker.
func (a *attempt) agent() string {
	if a.report != nil && a.report.AgentID != "" {
		return a.report.AgentID
	}
	return a.worker
}

// progress is the newest word of the attempt's agent, or nil; overall is the least it counts for.
func (a *attempt) progress(overall float64) *sdk.Progress {
	if a.report == nil || a.report.Progress == nil {
		return nil
	}
	p := a.report.Progress.Trim()
	p.Stage, p.Attempt = a.stage, a.number
	p.Overall = max(p.Overall, p.Percentage, overall)
	return &p
}
