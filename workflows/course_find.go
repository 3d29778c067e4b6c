package workflows

import (
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// Needs are the capabilities that an agent of the task must have; empty is none.
func (c *Course) Needs() []string { return c.task.Capabilities }

// wanted is the agent that the attempt needs.
func (c *Course) wanted(passed []string) activities.FindAgentInput {
	return activities.FindAgentInput{
		Project: c.in.Project, Role: c.stage().Role, AgentID: c.stage().AgentID, Capabilities: c.task.Capabilities, Passed: passed,
	}
}

// wantedInstead is another agent than the one that is asked, when these were.
func (c *Course) wantedInstead(agentID string, all []string) activities.FindAgentInput {
	in := c.wanted(all)
	in.Asked = agentID
	return in
}

// addressed reports whether no other agent will do than the one that the stage names.
func (c *Course) addressed() bool { return c.stage().AgentID != "" }

// queuedUntil is until when the attempt may wait for somebody to take it.
func (c *Course) queuedUntil(now time.Time) time.Time {
	left := c.left(now)
	if queued := milliseconds(c.stage().Timeouts.QueueMs); queued > 0 && queued < left {
		left = queued
	}
	return now.Add(left)
}

// termsFor are the terms of the attempt for an agent that was found.
func (c *Course) termsFor(now time.Time, agentID string) AttemptTerms {
	terms := c.Terms(now)
	terms.Queue = AgentQueue(c.in.Project, c.stage().Role, agentID)
	return terms
}

// maxAsks is how many agents, or one again, are asked for one attempt. It bounds the history of an attempt that nobody takes: to half an
// hour where there are always others to be asked, and to more than two days where there is one.
const maxAsks = 64

// lastAsk reports whether the attempt is asked for no more after it was asked for so often: whoever is asked last has all the time that
// is left. The history keeps room for one attempt more of each stage that is left, this one included.
func (c *Course) lastAsk(asked int) bool {
	reserve := (len(c.stages) - c.task.Stage) * (c.weight() + attemptEvents)
	return asked >= maxAsks || c.written+c.family.results+c.weight()+2*asked*passedWeight+reserve > maxWritten
}

// attemptEvents is about how many bytes the events of an attempt that fails put into history.
const attemptEvents = 64 << 10

// passedWeight is at most how many bytes an agent that was asked is in the next look for one; there may be another look beside the next ask.
const passedWeight = 192

// askAgain counts the attempt once more, and those who were asked before as often as looks name them.
func (c *Course) askAgain(named int) {
	c.written += c.weight() + named*passedWeight
}

// notFound is the end of an attempt that no agent with the capabilities was there for.
func (c *Course) notFound(now time.Time) attemptEnd {
	if c.left(now) <= 0 {
		return failed(sdk.OutcomeNotTaken, sdk.CodeTotalTimeout, "the task's time was used up")
	}
	return failed(sdk.OutcomeNotTaken, sdk.CodeNoAgent, NobodyHas(c.stage().Role, c.task.Capabilities))
}

// NobodyHas says that there is no agent of a role with capabilities.
func NobodyHas(role sdk.Role, capabilities []string) string {
	return "no agent of role " + string(role) + " is there that can be addressed and has " + sdk.Cut(strings.Join(capabilities, ", "), 512)
}
