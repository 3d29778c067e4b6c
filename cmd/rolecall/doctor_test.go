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
		Service:  serviceSeen{URL: "http://h", Reachable: true, Ready: true, Clock: &clockSeen{-400, 600}},
		Temporal: temporalSeen{Address: "t:7233", Namespace: "default", Reachable: true, RetentionMs: 30 * 24 * 3600 * 1000, Fairness: fairnessOn, Clock: &clockSeen{-20, 30}},
		Events:   &eventsSeen{URL: "nats://n:4222", Status: "reachable", Streams: 3, Events: 12, Bytes: 5 << 20},
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
		"Temporal's clock":   {func(e *examination) { e.Temporal.Clock = &clockSeen{2500, 2600} }, 1, []string{"NTP"}},
		"the API's clock":    {func(e *examination) { e.Service.Clock = &clockSeen{-9000, -8000} }, 1, []string{"NTP"}},
		"both of them": {func(e *examination) {
			e.Service.Clock, e.Temporal.Clock = &clockSeen{2000, 3000}, &clockSeen{2500, 2600}
		}, 1, []string{"NTP"}},
		"both, the API's by more": {func(e *examination) {
			e.Service.Clock, e.Temporal.Clock = &clockSeen{2500, 3000}, &clockSeen{1500, 2600}
		}, 1, []string{"NTP"}},
		"both, behind": {func(e *examination) {
			e.Service.Clock, e.Temporal.Clock = &clockSeen{-3000, -2500}, &clockSeen{-2600, -1500}
		}, 1, []string{"NTP"}},
		"two that differ": {func(e *examination) {
			e.Service.Clock, e.Temporal.Clock = &clockSeen{2000, 3000}, &clockSeen{-2600, -2500}
		}, 1, []string{"NTP", "NTP"}},
		"a clock a bit off":  {func(e *examination) { e.Temporal.Clock = &clockSeen{1500, 1600} }, 0, nil},
		"no clock":           {func(e *examination) { e.Service.Clock, e.Temporal.Clock = nil, nil }, 0, nil},
		"fairness off":       {func(e *examination) { e.Temporal.Fairness = fairnessOff }, 0, nil},
		"the log away":       {func(e *examination) { e.Events = &eventsSeen{URL: "nats://n", Status: eventsAway, Problem: "refused"} }, 1, []string{"ROLECALL_NATS_URL"}},
		"the API's log away": {func(e *examination) { e.Events = &eventsSeen{Status: eventsAway} }, 1, []string{"rolecall serve"}},
		"no log":             {func(e *examination) { e.Events = nil }, 0, nil},
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
	for _, want := range []string{"keeps finished tasks and idempotency keys for 30 days", "on: tasks of different keys take turns", "this machine's agrees with the API's and Temporal's", "reachable, 12 events in 3 streams, 5.0 MiB", "1 listening: w1, seen 1.5s ago", "nobody listens", "All is well", "Nobody works for tester:"} {
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

func TestDoctorRemarks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*examination)
		says   []string // in the text
		count  int      // remarks
	}{
		"nothing":         {nil, nil, 0},
		"fairness off":    {func(e *examination) { e.Temporal.Fairness = fairnessOff }, []string{"· fairness is switched off in Temporal", "matching.enableFairness", "off: tasks of one key wait"}, 1},
		"fairness untold": {func(e *examination) { e.Temporal.Fairness = fairnessUntold }, []string{"this Temporal does not tell"}, 0},
		"fairness unseen": {func(e *examination) { e.Temporal.Fairness = fairnessNotSeen }, []string{"not to be told before a task has waited"}, 0},
		"a clock":         {func(e *examination) { e.Temporal.Clock = &clockSeen{-1600, -1500} }, []string{"· Temporal's clock is at least 1.5s behind this machine's", "this machine's agrees with the API's; Temporal's is"}, 1},
		"this one": {func(e *examination) {
			e.Service.Clock, e.Temporal.Clock = &clockSeen{1000, 2000}, &clockSeen{1500, 1600}
		}, []string{"this machine's clock is at least 1.5s behind those of the API and of Temporal"}, 1},
		"no clock":        {func(e *examination) { e.Temporal.Clock = nil }, []string{"Temporal's could not be read"}, 0},
		"a wrong clock":   {func(e *examination) { e.Temporal.Clock = &clockSeen{5000, 5100} }, []string{"✗ Temporal's clock is at least 5s ahead of this machine's"}, 0},
		"a key's project": {func(e *examination) { e.ProjectGuessed, e.Project = true, "default" }, []string{"· the roles looked at are those of project default", "PROJECT_ID"}, 1},
		"a day":           {func(e *examination) { e.Temporal.RetentionMs = 24 * 3600 * 1000 }, []string{"keeps finished tasks and idempotency keys for 1 day\n"}, 0},
	} {
		e := healthy(tc.change)
		text := examinationText(e, diagnose(e))
		for _, want := range tc.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if got := remarks(e); len(got) != tc.count {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
