package workflows

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/sdk"
)

// NewPlan is the plan of an input as it stands at its creation, request resolved, links left to whoever serves it. Its run started, or
// starts, at the given time, which is when it was created where the input does not say, or says what can not be.
func NewPlan(in PlanInput, started time.Time) sdk.Plan {
	r, createdAt := in.Request.Resolve(), in.CreatedAt
	if createdAt.After(started) || createdAt.UTC().Year() < 1 || createdAt.IsZero() {
		createdAt = started
	}
	return sdk.Plan{
		ID: in.ID, Title: r.Title, Goal: r.Goal, Status: sdk.StatusQueued, Priority: r.Priority, MaxParallel: r.MaxParallel,
		OnFailure: r.OnFailure, Steps: newSteps(r.Steps), Outputs: map[string]json.RawMessage{}, CreatedAt: createdAt,
	}
}

// newSteps are the steps of a plan before the first of them begins.
func newSteps(asked []sdk.PlanStep) []sdk.Step {
	steps := make([]sdk.Step, 0, len(asked))
	for _, s := range asked {
		needs := s.Needs
		if needs == nil {
			needs = []string{}
		}
		steps = append(steps, sdk.Step{ID: s.ID, Type: s.Type, Role: s.Role, Title: s.Title, Needs: needs, Status: sdk.StepPending})
	}
	return steps
}

// PlanStartAttributes are the search attributes that the run of a new plan starts with.
func PlanStartAttributes(project string, p sdk.Plan) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		AttrProject.ValueSet(project), AttrPlan.ValueSet(p.ID), AttrStatus.ValueSet(string(p.Status)),
		AttrPriority.ValueSet(int64(PriorityKey(p.Priority))),
	)
}

// PlanStartMemo is the memo that the run of a new plan starts with. The digest of the canonical request is set for one with an idempotency
// key.
func PlanStartMemo(p sdk.Plan, digest string) map[string]any {
	memo := map[string]any{MemoPlan: p}
	if digest != "" {
		memo[MemoDigest] = digest
	}
	return memo
}

// PlanSummary is the one line a plan's run shows in the Temporal UI.
func PlanSummary(p sdk.Plan) string {
	switch len(p.Steps) {
	case 0:
		return "plan · " + p.Title
	case 1:
		return "plan of 1 step · " + p.Title
	default:
		return fmt.Sprintf("plan of %d steps · %s", len(p.Steps), p.Title)
	}
}

// PlanEvent is event seq of a plan's own story, which began when the plan was created.
func PlanEvent(in PlanInput, seq int, at time.Time, t sdk.EventType, data any) sdk.Event {
	e := sdk.Event{
		SpecVersion: sdk.EventSpecVersion, ID: in.ID + "." + strconv.Itoa(seq), Source: "/projects/" + in.Project + "/plans/" + in.ID,
		Type: t, Subject: "plan/" + in.ID, Time: at.UTC(), Project: in.Project, Plan: in.ID, Seq: seq,
	}
	if len(in.Organization) <= sdk.MaxEventID {
		e.Organization = in.Organization
	}
	return withData(e, data)
}
