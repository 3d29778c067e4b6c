package e2e_test

import (
	"strings"
	"testing"

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

func TestWhyATaskDoesNotRun(t *testing.T) {
	t.Parallel()
	const others = 30
	s := newScene(t, sharedStack(t))
	alone := s.delegate(nil, func(r *sdk.TaskRequest) { r.Role = sdk.RoleTester })
	s.waitsFor(alone.ID, sdk.WaitingNoAgent, "nobody asks for work of role tester")

	s.worker("ann", dev.Worker{Slots: 1})
	addressed := s.delegate(nil, func(r *sdk.TaskRequest) { r.AgentID = "ann" })
	s.waitsFor(addressed.ID, sdk.WaitingAgentAway, "agent ann of role coder")

	asks := s.delegate(script{"*": {"ask:Which port?"}})
	s.waitsFor(asks.ID, sdk.WaitingForInput, "Which port?")
	fails := s.delegate(script{"*": {"exit:1"}}, func(r *sdk.TaskRequest) { r.Retry = &sdk.Retry{InitialIntervalMs: 60_000} })
	s.waitsFor(fails.ID, sdk.WaitingBackingOff, "failed")

	runs := s.delegate(script{"*": {"stubborn", "pid", "hang"}})
	s.started("0.1.pid")
	s.is("it runs", runs.ID, func(task *sdk.Task) bool { return task.Status == sdk.StatusRunning && task.WaitingFor == nil })
	s.handOut(others, sdk.PriorityHigh)
	last := s.delegate(nil, func(r *sdk.TaskRequest) { r.Priority = sdk.PriorityLow })
	s.handOut(5, sdk.PriorityLow)
	s.waitsFor(last.ID, sdk.WaitingBehind, "behind up to ")
	s.is("counted", last.ID, func(task *sdk.Task) bool { return strings.Contains(task.WaitingFor.Detail, "up to 35 others") })

	_, err := s.client.CancelTask(t.Context(), runs.ID, "")
	s.do(err)
	s.waitsFor(runs.ID, sdk.WaitingStopping, "given time to stop")
}
