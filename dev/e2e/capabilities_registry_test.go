package e2e_test

import (
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// TestATaskLeavesAnAgentThatIsKilled: of two role workers in the registry that have what a task needs, the one that has it is killed: the other
// one is found for the next attempt. Once that one is gone too, a task waits until another worker registers.
func TestATaskLeavesAnAgentThatIsKilled(t *testing.T) {
	t.Parallel()
	stack, err := dev.Start(t.Context(), dev.Options{Env: []string{"ROLECALL_AGENT_HEARTBEAT_INTERVAL=5s"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newScene(t, stack)
	able := func(id string) *dev.Process {
		p := s.worker(id, dev.Worker{Flags: []string{"--addressable", "--capability", "go,sql"}})
		s.agentIs(s.client, id, func(a *sdk.Agent) bool { return a.Status == sdk.AgentIdle && a.Addressable && a.Polling })
		return p
	}
	workers := map[string]*dev.Process{"ann": able("ann"), "bob": able("bob")}
	s.worker("plain", dev.Worker{}) // asks the role's queue, and has none of it
	needs := func(r *sdk.TaskRequest) { r.Capabilities, r.Timeouts.QueueMs = []string{"sql"}, 600_000 }

	task := s.delegate(script{"0.1": {"touch:started", "until:never"}, "*": {`result:"done"`}}, needs)
	s.appears("started")
	first := s.is("taken", task.ID, func(task *sdk.Task) bool { return task.AgentID != "" }).AgentID
	if workers[first] == nil {
		t.Fatalf("%q has it", first)
	}
	s.agentIs(s.client, first, func(a *sdk.Agent) bool { return a.Status == sdk.AgentBusy }) // else it would not be the other one that is chosen
	s.do(workers[first].Kill())
	other := map[string]string{"ann": "bob", "bob": "ann"}[first]
	if got := s.completed(task.ID, "0.1 lost", "0.2 completed"); got.AgentID != other {
		t.Errorf("%s has done it, after %s was killed", got.AgentID, first)
	}
	s.agentIs(s.client, first, func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })
	s.do(workers[other].Kill())
	s.agentIs(s.client, other, func(a *sdk.Agent) bool { return a.Status == sdk.AgentOffline })

	waits := s.delegate(script{"*": {`result:"done"`}}, needs)
	s.waitsFor(waits.ID, sdk.WaitingNoCapable, "sql")
	able("cid")
	s.touch("never") // should the killed worker's program still wait for it
	if got := s.completed(waits.ID, "0.1 completed"); got.AgentID != "cid" {
		t.Errorf("%s has done it", got.AgentID)
	}
}
