package e2e_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// waitsFor waits until the API says why a task does not run, in these words.
func (s *scene) waitsFor(id, reason, words string) {
	s.t.Helper()
	s.is(reason, id, func(task *sdk.Task) bool {
		w := task.WaitingFor
		return w != nil && w.Reason == reason && strings.Contains(w.Detail, words) && !w.Since.IsZero()
	})
}

// moments are the times in what task explain says.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)

// explained waits until the program says of a task exactly these sentences after its headline, whatever the times are.
func (s *scene) explained(task *sdk.Task, status string, sentences ...string) {
	s.t.Helper()
	want := fmt.Sprintf("task %s %s: code.write for %s, %s · %s\n", task.ID, status, task.Role, task.Priority, task.Title)
	for _, line := range sentences {
		want += "  " + line + "\n"
	}
	env := []string{"EVENTS_SERVICE_URL=" + s.stack.URL(), "PROJECT_ID=" + s.project}
	s.eventually("explain", patience, func() error {
		said, err := cli(s.t, env, "task", "explain", task.ID)
		if err != nil {
			return dev.GiveUp(err)
		}
		if diff := cmp.Diff(want, moments.ReplaceAllString(said, "<then>")); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

func TestWhyATaskDoesNotRun(t *testing.T) {
	t.Parallel()
	const others = 30
	s := newScene(t, sharedStack(t))
	alone := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.waitsFor(alone.ID, sdk.WaitingNoAgent, "nobody asks for work of role tester")
	s.explained(alone, "queued", "Nobody asks for work of role tester. It has waited since <then>.",
		"Either no agent of the role is there, or all are busy.", "Start one with: rolecall worker --role tester --agent command -- <program>")

	s.worker("ann", dev.Worker{Slots: 1})
	addressed := s.delegate(nil, func(r *sdk.TaskRequest) { r.AgentID = "ann" })
	s.waitsFor(addressed.ID, sdk.WaitingAgentAway, "agent ann of role coder")
	s.explained(addressed, "queued", "Agent ann of role coder does not ask for tasks addressed to it. It has waited since <then>.",
		"It is away, busy, or was started without --addressable.",
		"To let any agent of the role have the task, cancel it and hand it out without agentId, or give it a fallback.")

	asks := s.delegate(script{"*": {"ask:Which port?"}})
	s.waitsFor(asks.ID, sdk.WaitingForInput, "Which port?")
	s.explained(asks, "input required", "It waits for the answer to a question, and holds no agent meanwhile.", "asks: Which port?",
		"answer by <then> with: rolecall task input "+asks.ID+" --answer '<JSON>'")
	fails := s.delegate(script{"*": {"exit:1"}}, func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 60_000} })
	s.waitsFor(fails.ID, sdk.WaitingBackingOff, "failed")
	s.explained(fails, "queued", "It backs off until <then> (1 of 3 attempts so far). The last attempt failed; the next one follows. It has waited since <then>."+
		" The last error: agent_failed: the program ended with exit code 1: leaving as the script says")

	runs := s.delegate(script{"*": {"stubborn", "pid", "hang"}})
	s.started("0.1.pid")
	s.is("it runs", runs.ID, func(task *sdk.Task) bool { return task.Status == sdk.StatusRunning && task.WaitingFor == nil })
	s.explained(runs, "running", "It runs: attempt 1 of 3 runs at ann since <then>.")
	s.handOut(others, sdk.PriorityHigh)
	last := s.delegate(nil, func(r *sdk.TaskRequest) { r.Priority = sdk.PriorityLow })
	s.explained(last, "queued", "Behind up to 30 others of role coder. It has waited since <then>.",
		"Agents of the role ask for work: it is taken when its turn comes.",
		"More slots or agents make it sooner: rolecall worker --role coder; a higher --priority overtakes.")
	s.handOut(5, sdk.PriorityLow)
	s.waitsFor(last.ID, sdk.WaitingBehind, "behind up to ")
	s.is("counted", last.ID, func(task *sdk.Task) bool { return strings.Contains(task.WaitingFor.Detail, "up to 35 others") })

	_, err := s.client.CancelTask(t.Context(), runs.ID, "")
	s.do(err)
	s.waitsFor(runs.ID, sdk.WaitingStopping, "given time to stop")
	s.explained(runs, "running", "It was cancelled and waits for ann to stop. After 15 s it ends all the same.")
}
