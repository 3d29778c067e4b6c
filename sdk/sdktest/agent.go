package sdktest

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workers"
	"github.com/rolecall-dev/rolecall/workflows"
)

// maxGiven is how many assignments an agent remembers: the newest.
const maxGiven = 1000

// Agent is an agent at work for a [Server].
type Agent struct {
	engine      *engine
	id          string
	role        sdk.Role
	project     string
	slots       int
	addressable bool
	can         []string
	drainGrace  time.Duration
	handler     sdk.Handler

	// Under the engine's lock.
	holds   map[*attempt]struct{} // whose handlers have not returned
	given   []sdk.Assignment      // a ring: the one with the number n is at n % maxGiven
	takes   int                   // how many there were
	stopped bool
}

// AgentOption changes an agent before it begins.
type AgentOption func(*Agent)

// AgentID names the agent, as tasks show it. Default: its role and a number.
func AgentID(id string) AgentOption { return func(a *Agent) { a.id = id } }

// Slots is how many tasks the agent works on at once. Default 1.
func Slots(n int) AgentOption { return func(a *Agent) { a.slots = n } }

// DrainGrace is how long what the agent has may go on after [Agent.Stop], by the clock; 0 is not at all. Default
// [workers.DefaultDrainGrace], as of a role worker.
func DrainGrace(d time.Duration) AgentOption { return func(a *Agent) { a.drainGrace = d } }

// Addressable also takes tasks that ask for this very agent.
func Addressable() AgentOption { return func(a *Agent) { a.addressable = true } }

// Capabilities are what the agent can do, for tasks that ask for it: those go to agents that are [Addressable] as well.
func Capabilities(can ...string) AgentOption {
	return func(a *Agent) { a.can = append(a.can, can...) }
}

// Agent puts an agent to work for a role of the server's project: what waits for it is taken at once. The handler is called as a role worker calls it, in a
// goroutine of its own for each attempt; where it waits for the test it has to say so, see [Wait]. It is told to stop at the end of the
// test. Agents that could take the same task are asked in the order in which they came.
func (s *Server) Agent(role sdk.Role, h sdk.Handler, opts ...AgentOption) *Agent {
	s.tb.Helper()
	e := s.engine
	e.mu.Lock()
	defer e.done()
	a := &Agent{
		engine: e, role: role, project: s.project, slots: 1, drainGrace: workers.DefaultDrainGrace, handler: h, holds: map[*attempt]struct{}{},
	}
	a.id = fmt.Sprintf("%s-%d", role, len(e.agents)+1)
	for _, o := range opts {
		o(a)
	}
	switch {
	case h == nil:
		s.tb.Fatalf("sdktest: an agent needs a handler")
	case !role.Valid() || !sdk.ValidID(a.id) || a.slots < 1:
		s.tb.Fatalf("sdktest: role %q or id %q of an agent is not well-formed, or it has no slot", role, a.id)
	}
	e.agents = append(e.agents, a)
	e.dispatch()
	return a
}

// ID is the agent's id.
func (a *Agent) ID() string { return a.id }

// Given is what the agent was given so far, oldest first: each attempt with its resume data and its answers, as it was before the
// handler had it. Only the newest 1000 are kept.
func (a *Agent) Given() []sdk.Assignment {
	a.engine.mu.Lock()
	defer a.engine.seen()
	list := make([]sdk.Assignment, len(a.given))
	for i := range list {
		n := a.takes - len(a.given) + i
		if err := a.engine.carry(a.given[n%maxGiven], &list[i]); err != nil {
			a.engine.tb.Errorf("sdktest: the assignment can not be carried: %v", err)
		}
	}
	return list
}

// Stop lets the agent take no more work, as a role worker does that is told to stop. What it has may go on for its [DrainGrace], by the
// clock, and is interrupted then: such an attempt is given back and uses none of its stage's attempts up, as long as the stage has not
// had five of them already.
func (a *Agent) Stop() {
	e := a.engine
	e.mu.Lock()
	defer e.done()
	if a.stopped {
		return
	}
	a.stopped = true
	for held := range a.holds {
		if a.drainGrace <= 0 {
			held.tellToStop(sdk.ErrInterruptedAttempt)
		} else if !held.over {
			held.timers = append(held.timers, e.after(a.drainGrace, plainTimer, func() { held.tellToStop(sdk.ErrInterruptedAttempt) }))
		}
	}
}

// Vanish is the end of the agent's machine: it takes no more work, and nothing is heard of what it has. heartbeatMs later, by the clock,
// those attempts are seen as lost. Its handlers are told to stop with [sdk.ErrLeaseLost]; what they answer is dropped.
func (a *Agent) Vanish() {
	e := a.engine
	e.mu.Lock()
	defer e.done()
	a.stopped = true
	for held := range a.holds {
		held.tellToStop(sdk.ErrLeaseLost)
		if held.over { // its task has gone on without it already
			continue
		}
		held.lost = true
		held.due(held.terms.Heartbeat, enumspb.TIMEOUT_TYPE_HEARTBEAT)
	}
}

// polls tells whether the agent asks a queue for work.
func (a *Agent) polls(queue string) bool {
	return !a.stopped && (queue == workflows.RoleQueue(a.project, a.role) ||
		a.addressable && queue == workflows.AgentQueue(a.project, a.role, a.id))
}

// fits tells whether an attempt may go to the agent.
func (a *Agent) fits(t *attempt) bool {
	needs := t.assignment.Task.Capabilities
	if len(needs) == 0 {
		return a.polls(t.terms.Queue)
	}
	if a.stopped || !a.addressable || slices.ContainsFunc(needs, func(c string) bool { return !slices.Contains(a.can, c) }) {
		return false
	}
	return t.terms.Queue == workflows.RoleQueue(a.project, a.role) || a.polls(t.terms.Queue)
}

// next is the attempt that the agent takes now, or nil.
func (a *Agent) next() *attempt {
	if a.stopped || len(a.holds) >= a.slots {
		return nil
	}
	var best *attempt
	for _, waiting := range a.engine.queue {
		if a.fits(waiting) && (best == nil || waiting.terms.Priority < best.terms.Priority) {
			best = waiting
		}
	}
	return best
}

func (a *Agent) record(given sdk.Assignment) {
	if len(a.given) < maxGiven {
		a.given = append(a.given, given)
	} else {
		a.given[a.takes%maxGiven] = given
	}
	a.takes++
}
