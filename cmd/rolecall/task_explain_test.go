package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// waitingFor is a task that waits for a reason.
func waitingFor(reason, detail string) sdk.Task {
	return taskIn("queued", func(t *sdk.Task) {
		t.WaitingFor = &sdk.WaitingFor{Reason: reason, Detail: detail, Since: noon(1)}
	})
}

func TestTaskExplain(t *testing.T) {
	t.Parallel()
	failedOnce := sdk.Attempt{Attempt: 1, Role: "coder", StartedAt: noon(1), EndedAt: new(noon(2)), Outcome: "failed", Error: &sdk.TaskError{Code: "agent_failed", Message: "no \x1b ink"}}
	for name, tc := range map[string]struct {
		task sdk.Task
		want []string
	}{
		"nobody polls": {waitingFor("no_agent", "nobody asks for work of role coder"), []string{"Nobody asks for work of role coder. It has waited since 2026-01-02 12:00:01 UTC.", "rolecall worker --role coder"}},
		"a fallback": {taskIn("queued", func(t *sdk.Task) {
			t.Stage, t.Fallback = 1, []sdk.Stage{{Role: "debugger"}}
			t.WaitingFor = &sdk.WaitingFor{Reason: "no_agent"}
		}), []string{"No agent.", "rolecall worker --role debugger"}},
		"nobody is able": {waitingFor("no_capable_agent", "no agent of role coder is there that can be addressed and has go"), []string{"No agent of role coder is there", "addressable"}},
		"an agent away":  {waitingFor("agent_away", "agent bob of role coder does not ask for tasks addressed to it"), []string{"Agent bob of role coder does not ask", "--addressable"}},
		"behind others":  {waitingFor("behind_others", "behind up to 30 others of role coder"), []string{"Behind up to 30 others of role coder.", "--priority"}},
		"behind others of an agent": {taskIn("queued", func(t *sdk.Task) {
			t.AgentID = "bob"
			t.WaitingFor = &sdk.WaitingFor{Reason: "behind_others", AgentID: "bob", Detail: "behind up to 8 others addressed to agent bob"}
		}), []string{"Behind up to 8 others addressed to agent bob.", "hand it out without agentId"}},
		"a question that ran out": {taskIn("input_required", func(t *sdk.Task) {
			t.InputRequest = &sdk.InputRequest{ID: "q", Prompt: "Which port?", ExpiresAt: noon(30)}
			t.WaitingFor = &sdk.WaitingFor{Reason: "no_control_worker", Detail: "no control worker runs tasks"}
		}), []string{"No control worker runs tasks.", "rolecall serve --control"}},
		"not taken yet":  {waitingFor("waiting_for_agent", "no agent of role coder has taken it yet"), []string{"No agent of role coder has taken it yet.", "rolecall doctor"}},
		"no slot":        {waitingFor("waiting_for_slot", "its agent has taken it and has no free slot yet"), []string{"no free slot yet.", "--slots"}},
		"no control":     {waitingFor("no_control_worker", "no control worker runs tasks"), []string{"No control worker runs tasks.", "rolecall serve --control"}},
		"paused":         {waitingFor("paused", "an operator paused the attempt in Temporal"), []string{"An operator paused", "Unpause"}},
		"a later reason": {waitingFor("moon_phase", ""), []string{"Moon phase. It has waited since"}},
		"backing off": {taskIn("queued", func(t *sdk.Task) {
			t.Attempt, t.MaxAttempts, t.Attempts = 1, 3, []sdk.Attempt{failedOnce}
			t.WaitingFor = &sdk.WaitingFor{Reason: "backing_off", NextAttemptAt: new(noon(9)), Detail: "the last attempt failed; the next one follows"}
		}), []string{"It backs off until 2026-01-02 12:00:09 UTC (1 of 3 attempts so far). The last attempt failed; the next one follows. The last error: agent_failed: no   ink"}},
		"asks": {taskIn("input_required", func(t *sdk.Task) {
			t.InputRequest = &sdk.InputRequest{ID: "q", Prompt: "Which port?", ExpiresAt: noon(30)}
			t.WaitingFor = &sdk.WaitingFor{Reason: "waiting_for_input"}
		}), []string{"waits for the answer to a question", "asks: Which port?", "rolecall task input t1 --answer"}},
		"runs": {taskIn("running", func(t *sdk.Task) {
			t.Attempt, t.MaxAttempts, t.AgentID, t.Attempts = 2, 3, "ann", []sdk.Attempt{failedOnce, {Attempt: 2, StartedAt: noon(5)}}
		}), []string{"It runs: attempt 2 of 3 runs at ann since 2026-01-02 12:00:05 UTC."}},
		"stops": {taskIn("running", func(t *sdk.Task) {
			t.AgentID, t.WaitingFor = "ann", &sdk.WaitingFor{Reason: "stopping"}
		}), []string{"It was cancelled and waits for ann to stop."}},
		"is new":    {taskIn("queued", nil), []string{"It was just created"}},
		"failed":    {taskIn("failed", failed), []string{"It has ended", "Why: agent_failed: no", "rolecall task retry t1"}},
		"completed": {taskIn("completed", nil), []string{"It has ended, and will not run again: completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, tc.task)
			got := rolecall(t, s.URL, "", "task", "explain", "t1")
			for _, want := range append(tc.want, "task t1 ") {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("no %q", want)
				}
			}
			if w := tc.task.WaitingFor; w != nil && w.AgentID != "" && strings.Contains(got.stdout, "rolecall worker") {
				t.Error("another agent of the role would be of no use")
			}
			if got.code != 0 || got.stderr != "" || t.Failed() {
				t.Errorf("exit code %d, stderr %q, stdout\n%s", got.code, got.stderr, got.stdout)
			}
			var e explanation
			got = rolecall(t, s.URL, "", "task", "explain", "t1", "--json")
			if err := json.Unmarshal([]byte(got.stdout), &e); err != nil || e.TaskID != "t1" || e.Status != tc.task.Status || len(e.Explanation) == 0 {
				t.Errorf("as JSON: %v %+v", err, e)
			}
		})
	}
}
