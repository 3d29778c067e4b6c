package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestPlanOnATerminal: the table is drawn over itself as the events come, and taken off at the end.
func TestPlanOnATerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := &console{stdout: &out, stderr: &out, width: func() int { return 70 }, height: func() int { return 40 }}
	service := &planService{}
	plan := service.plan(sdk.StatusRunning)
	s := newPlanScreen(c, &plan, false)
	var got []string
	for _, e := range service.planEvents() {
		out.Reset()
		if err := s.take(&e); err != nil {
			t.Fatal(err)
		}
		before := ""
		if len(got) > 0 {
			before = "\x1b[4A"
		}
		if text := out.String(); !strings.HasPrefix(text, before+"\rWrite it,  [31mreviewed") || strings.Count(text, "\x1b[K\n") != 4 || !strings.HasSuffix(text, "\n"+clearBelow) {
			t.Fatalf("%q", text)
		}
		got = append(got, strings.Join(s.table(noon(9), 0)[1:], "\n"))
	}
	want := map[int]string{
		0: "  write   pending  -  (coder)     Write it\n  review  pending  -  (reviewer)  Review it\n  deploy  pending  -  (devops)    Deploy it",
		3: "  write   running  8s  (coder)     Write it\n  review  pending  -   (reviewer)  Review it\n  deploy  pending  -   (devops)    Deploy it",
		5: "  write   running  8s  agent-1     25 %  typing  [31m\n  review  pending  -   (reviewer)  Review it\n  deploy  pending  -   (devops)    Deploy it",
		7: "  write   completed  3s  agent-1     Write it\n  review  pending    -   (reviewer)  Review it\n  deploy  pending    -   (devops)    Deploy it",
		9: "  write   pending (rework 1)  -   (coder)     Write it\n  review  running             5s  (reviewer)  Review it\n  deploy  pending             -   (devops)    Deploy it",
		13: "  write   running (rework 1)  3s  (coder)     Write it\n  review  failed              3s  (reviewer)  agent_failed: no  [31mink\n" +
			"  deploy  skipped             -   (devops)    the plan stopped: review failed",
	}
	for i, text := range want {
		if diff := cmp.Diff(text, got[i]); diff != "" {
			t.Errorf("after event %d: %s", i, diff)
		}
	}
	out.Reset()
	if err := s.clear(); err != nil || out.String() != "\x1b[4A\r"+clearBelow {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestPlanOnASmallTerminal: what is left out is what tells least.
func TestPlanOnASmallTerminal(t *testing.T) {
	t.Parallel()
	p := sdk.Plan{Title: "t", CreatedAt: noon(0)}
	for _, s := range []sdk.Step{{ID: "a", Status: "completed"}, {ID: "b", Status: "pending"}, {ID: "c", Status: "running"}, {ID: "d", Status: "ready"}, {ID: "e", Status: "failed"}, {ID: "f", Status: "running"}} {
		s.Role = "r"
		p.Steps = append(p.Steps, s)
	}
	screen := &planScreen{plan: p}
	for room, want := range map[int]string{0: "abcdef", 7: "abcdef", 6: "cdef+2", 5: "cef+3", 3: "c+5", 2: "+6", 1: "+6"} {
		lines, got := screen.table(noon(1), room), ""
		for _, l := range lines[1:] {
			if _, more, ok := strings.Cut(l, "and "); ok {
				got += "+" + more[:1]
				continue
			}
			got += strings.TrimSpace(l)[:1]
		}
		if got != want || room > 1 && len(lines) > room {
			t.Errorf("in %d lines: %q, want %s", room, lines, want)
		}
	}
	screen.plan.Steps = nil
	if lines := screen.table(noon(1), 0); len(lines) != 1 || lines[0] != "t  1s, a coordinator is asked for its steps" {
		t.Errorf("%q", lines)
	}
}

// TestPlannedStepsAppear: the steps of a plan that had only a goal come with its events.
func TestPlannedStepsAppear(t *testing.T) {
	t.Parallel()
	s := newPlanScreen(&console{}, &sdk.Plan{ID: "pl1", CreatedAt: noon(0)}, false)
	s.apply(&sdk.Event{Type: sdk.EventPlanStarted, Data: encoded(sdk.PlanStarted{Steps: []sdk.PlanStartedStep{{ID: "a", Type: "code.write", Role: "coder", Title: "A"}}})})
	s.apply(&sdk.Event{Type: sdk.EventPlanStep, Time: noon(1), Data: encoded(sdk.PlanStepped{Step: "a", To: "running", TaskID: "x"})})
	if got := stepTable(s.plan.Steps, noon(3), nil); len(got) != 1 || got[0] != "a  running  2s  (coder)  A" {
		t.Errorf("%q", got)
	}
}

// TestStepsThatWereOmittedAppear: those that plan.started has no room for come as something happens to them.
func TestStepsThatWereOmittedAppear(t *testing.T) {
	t.Parallel()
	s := newPlanScreen(&console{}, &sdk.Plan{ID: "pl1", Title: "t", CreatedAt: noon(0)}, false)
	s.apply(&sdk.Event{Type: sdk.EventPlanStarted, Data: encoded(sdk.PlanStarted{StepsOmitted: true})})
	if diff := cmp.Diff([]string{"t  3s, 0 steps ended"}, s.table(noon(3), 0)); diff != "" {
		t.Error(diff)
	}
	for _, to := range []sdk.StepStatus{sdk.StepReady, sdk.StepRunning} {
		s.apply(&sdk.Event{Type: sdk.EventPlanStep, Time: noon(1), Data: encoded(sdk.PlanStepped{Step: "a", To: to, TaskID: "x"})})
	}
	if diff := cmp.Diff([]string{"t  3s, 0 steps ended", "  a  running  2s  -"}, s.table(noon(3), 0)); diff != "" {
		t.Error(diff)
	}
}

// TestPlanWatchedOn: who goes on after an event sees the steps as they stand, and whose task is meant.
func TestPlanWatchedOn(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := &console{stdout: &out, stderr: &out, width: func() int { return 0 }}
	service := &planService{}
	plan := service.plan(sdk.StatusRunning)
	plan.Steps[1].Status, plan.Steps[1].StartedAt, plan.Steps[1].CompletedAt = sdk.StepSkipped, nil, nil
	s := newPlanScreen(c, &plan, true)
	for _, e := range service.planEvents()[5:7] {
		if err := s.take(&e); err != nil {
			t.Fatal(err)
		}
	}
	table := strings.Join(s.table(noon(9), 0)[1:], "\n")
	if want := "  write   running  8s  (coder)     asks: which one? (answer with: rolecall task input pl1-p-1 --answer '<JSON>')\n" +
		"  review  skipped  -   (reviewer)\n  deploy  pending  -   (devops)    Deploy it"; table != want {
		t.Error(cmp.Diff(want, table))
	}
	if want := "12:00:03  write asks: which one? (answer with: rolecall task input pl1-p-1 --answer '<JSON>')\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	if err := s.take(&sdk.Event{Type: sdk.EventTaskInputRequired, Time: noon(3), Task: "older", Data: encoded(sdk.TaskInputRequired{Prompt: "and?"})}); err != nil || !strings.HasPrefix(out.String(), "12:00:03  task older asks: and?") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
