package workflows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

func TestNewPlan(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{Title: "A parser", Goal: "all of it", Steps: []sdk.PlanStep{stepOf("a"), stepOf("b", "a")}}
	for name, tc := range map[string]struct{ says, want time.Time }{
		"nothing":    {time.Time{}, noon()},
		"earlier":    {noon().Add(-time.Hour), noon().Add(-time.Hour)},
		"later":      {noon().Add(time.Second), noon()},
		"no year":    {time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), noon()},
		"that is it": {noon(), noon()},
	} {
		if p := NewPlan(PlanInput{ID: "p1", Request: r, CreatedAt: tc.says}, noon()); !p.CreatedAt.Equal(tc.want) {
			t.Errorf("%s: created at %s", name, p.CreatedAt)
		}
	}
	p := NewPlan(PlanInput{ID: "p1", Request: r}, noon())
	if p.Status != sdk.StatusQueued || p.Priority != sdk.PriorityMedium || p.MaxParallel != sdk.DefaultMaxParallel || p.OnFailure != sdk.FailureStop || p.Outputs == nil {
		t.Errorf("%+v", p)
	}
	want := []sdk.Step{
		{ID: "a", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Title: "a", Needs: []string{}, Status: sdk.StepPending},
		{ID: "b", Type: sdk.TypeCodeWrite, Role: sdk.RoleCoder, Title: "b", Needs: []string{"a"}, Status: sdk.StepPending},
	}
	if d := cmp.Diff(want, p.Steps); d != "" {
		t.Error(d)
	}
	attributes := PlanStartAttributes("p", p)
	if v, _ := attributes.GetKeyword(AttrPlan); v != "p1" {
		t.Errorf("the plan is %q", v)
	}
	if v, _ := attributes.GetKeyword(AttrStatus); v != "queued" {
		t.Errorf("the status is %q", v)
	}
	if v, _ := attributes.GetInt64(AttrPriority); v != 3 {
		t.Errorf("the priority is %d", v)
	}
	if d := cmp.Diff(map[string]any{MemoPlan: p, MemoDigest: "d"}, PlanStartMemo(p, "d")); d != "" {
		t.Error(d)
	}
	if _, ok := PlanStartMemo(p, "")[MemoDigest]; ok {
		t.Error("a plan without a key has a digest")
	}
	for n, want := range []string{"plan · A parser", "plan of 1 step · A parser", "plan of 2 steps · A parser"} {
		p.Steps = make([]sdk.Step, n)
		if got := PlanSummary(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPlanCourse_TellsOfLargePlans: what no event can hold is left out of it.
func TestPlanCourse_TellsOfLargePlans(t *testing.T) {
	t.Parallel()
	r := sdk.PlanRequest{MaxSteps: sdk.MaxPlanSteps, OnFailure: sdk.FailureContinue, MaxParallel: sdk.MaxMaxParallel}
	for i := range sdk.MaxPlanSteps {
		s := stepOf(fmt.Sprintf("s%d", i))
		s.Title = strings.Repeat("t", sdk.MaxTitle)
		r.Steps = append(r.Steps, s)
	}
	tr := newTrial(t, r)
	d := eventData[sdk.PlanStarted](t, tr.events[1])
	if !d.StepsOmitted || d.Steps != nil || d.Links == nil || d.Links.Plan != "/v1/plans/p1" {
		t.Errorf("%+v", d)
	}
	for i := range sdk.MaxPlanSteps {
		tr.end(fmt.Sprintf("s%d", i), agentAnswer{Fail: sdk.CodeAgentFailed, Message: strings.Repeat("<", 2*maxStepMessage)})
	}
	p := tr.finish()
	if size, err := EncodedSize(p); err != nil || size > maxRecord {
		t.Errorf("the record has %d bytes, %v", size, err)
	}
	if size, err := EncodedSize(tr.state()); err != nil || size > 400<<10 {
		t.Errorf("the state has %d bytes, %v", size, err)
	}
}
