package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// healthy is an installation in which all is well.
func healthy(change func(*examination)) examination {
	poller := []pollerSeen{{Identity: "w1", SeenMsAgo: 1500}}
	e := examination{
		Project:  "shop",
		Service:  serviceSeen{URL: "http://h", Reachable: true, Ready: true},
		Temporal: temporalSeen{Address: "t:7233", Namespace: "default", Reachable: true, RetentionMs: 30 * 24 * 3600 * 1000},
		Control:  &queueSeen{Queue: "rolecall", Pollers: poller},
		Roles:    []queueSeen{{Role: "coder", Queue: "shop.coder", Pollers: poller}, {Role: "tester", Queue: "shop.tester"}},
	}
	if change != nil {
		change(&e)
	}
	return e
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*examination)
		code   int
		says   []string // one for each finding
	}{
		"all well":           {nil, 0, nil},
		"API away":           {func(e *examination) { e.Service = serviceSeen{Problem: "refused"} }, 3, []string{"rolecall serve"}},
		"API not ready":      {func(e *examination) { e.Service.Ready, e.Temporal.Reachable = false, false }, 3, []string{"TEMPORAL_*", "TEMPORAL_ADDRESS"}},
		"Temporal elsewhere": {func(e *examination) { e.Temporal.Reachable, e.Control, e.Roles = false, nil, nil }, 0, nil},
		"no control worker":  {func(e *examination) { e.Control.Pollers = nil }, 1, []string{"rolecall serve --control"}},
		"tasks wait":         {func(e *examination) { e.Roles[1].Waiting = 7 }, 1, []string{"PROJECT_ID=shop rolecall worker --role tester"}},
		"a named role":       {func(e *examination) { e.RolesNamed = true }, 1, []string{"rolecall worker --role tester"}},
		"looked at in part":  {func(e *examination) { e.Temporal.Problem, e.Control, e.Roles = "task queue rolecall: denied", nil, nil }, 1, []string{"credentials"}},
		"a busy role":        {func(e *examination) { e.Roles[0].Waiting = 7 }, 0, nil},
		"no current version": {func(e *examination) { e.Versions = []versionSeen{{"d", "b2", ""}} }, 1, []string{"--deployment-name d --build-id b2"}},
		"an old version":     {func(e *examination) { e.Versions = []versionSeen{{"d", "b1", "b2"}, {"d", "b2", "b2"}} }, 1, []string{"--build-id b1"}},
	} {
		e := healthy(tc.change)
		found := diagnose(e)
		if code := worst(e, found); code != tc.code || len(found) != len(tc.says) {
			t.Errorf("%s: exit code %d, want %d; %+v", name, code, tc.code, found)
			continue
		}
		text := examinationText(e, found)
		for i, want := range tc.says {
			if !strings.Contains(found[i].Advice, want) || !strings.Contains(text, found[i].Advice) {
				t.Errorf("%s: %+v, want advice with %q in\n%s", name, found[i], want, text)
			}
		}
	}
	text := examinationText(healthy(nil), nil)
	for _, want := range []string{"keeps finished tasks for 30 days", "1 listening: w1, seen 1.5s ago", "nobody listens", "All is well", "Nobody works for tester:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestDoctorWithoutTemporal(t *testing.T) {
	t.Parallel()
	s := serving(t, taskIn("queued", nil))
	got := rolecall(t, s.URL, "", "doctor", "--json")
	var seen struct {
		Service  serviceSeen
		Temporal temporalSeen
		Findings []finding
	}
	if err := json.Unmarshal([]byte(got.stdout), &seen); err != nil || got.code != 0 || !seen.Service.Ready || seen.Temporal.Reachable || len(seen.Findings) != 0 {
		t.Errorf("%v %+v", err, got)
	}
	s.Close()
	if got := rolecall(t, s.URL, "", "doctor"); got.code != 3 || !strings.Contains(got.stdout, "✗ the API cannot be reached") || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if got := rolecall(t, s.URL, "", "doctor", "--role", "A.b"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}
