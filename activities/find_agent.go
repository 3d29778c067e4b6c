package activities

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/rolecall-dev/rolecall/sdk"
)

// FindAgentName is the activity that looks for an agent with capabilities; the control worker serves it. Its argument is a
// [FindAgentInput], its result a [FindAgentOutput], its heartbeat a [FindAgentReport]. It lasts until there is one.
const FindAgentName = "FindAgent"

// FindAgentInput says what an agent must be.
type FindAgentInput struct {
	Project      string   `json:"project"`
	Role         sdk.Role `json:"role"`
	AgentID      string   `json:"agentId,omitempty"` // the one that is addressed; "" is any
	Capabilities []string `json:"capabilities"`      // all of them
	// Passed are those that were asked and have not taken the task: another one goes before them.
	Passed []string `json:"passed,omitempty"`
	// Asked is who is being asked meanwhile. Only another one will do then: who is none of Passed, or has got a free slot while it was looked for.
	Asked string `json:"asked,omitempty"`
}

// FindAgentOutput is who was found.
type FindAgentOutput struct {
	AgentID string `json:"agentId"`
}

// FindAgentReport says, while it lasts, that there is nobody.
type FindAgentReport struct {
	Nobody bool `json:"nobody"`
}

const (
	findTry       = 24 * time.Hour // of one execution; Temporal tries on
	findHeartbeat = 30 * time.Second
	findPrefix    = "find-"
	anotherPrefix = "another-"
)

// FindAgent asks for an agent for an attempt, at most for the given time.
func FindAgent(ctx workflow.Context, stage, attempt int, atMost time.Duration, in FindAgentInput) workflow.Future {
	return find(ctx, findPrefix+AttemptID(stage, attempt), atMost, in)
}

// FindAnother asks for an agent for an attempt that another one is being asked for, which is the n-th ask. To cancel it is enough: nobody need
// wait until it has ended.
func FindAnother(ctx workflow.Context, stage, attempt, n int, atMost time.Duration, in FindAgentInput) workflow.Future {
	return find(ctx, anotherPrefix+AttemptID(stage, attempt)+"."+strconv.Itoa(n), atMost, in)
}

func find(ctx workflow.Context, id string, atMost time.Duration, in FindAgentInput) workflow.Future {
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID: id, ScheduleToCloseTimeout: atMost, StartToCloseTimeout: min(findTry, atMost), HeartbeatTimeout: findHeartbeat,
		RetryPolicy: &temporal.RetryPolicy{MaximumInterval: 10 * time.Second},
		Summary:     "looks for an agent with " + sdk.Cut(strings.Join(in.Capabilities, ", "), 128),
	}), FindAgentName, in)
}

// ParseFindID is the attempt that an activity of this id looks for an agent for; ok is false for the id of another activity.
func ParseFindID(id string) (stage, attempt int, ok bool) {
	rest, found := strings.CutPrefix(id, findPrefix)
	stage, attempt, ok = ParseAttemptID(rest)
	return stage, attempt, ok && found
}

// Agents is where agents are registered.
type Agents interface {
	// Find answers an agent of the role that can be addressed, is not offline, has all the capabilities and is none of except; "" when there
	// is none.
	Find(ctx context.Context, project, role string, capabilities []string, except []string) (agentID string, err error)
	// Fits reports whether Find could answer this very agent.
	Fits(ctx context.Context, project, role, agentID string, capabilities []string) (bool, error)
	// Free answers those of ids that Find could answer and that have a free slot, as far as is known.
	Free(ctx context.Context, project, role string, capabilities []string, ids []string) ([]string, error)
}

const (
	findPause   = time.Second      // between two looks
	findTimeout = 10 * time.Second // of one look; less than findHeartbeat
	findAgain   = 5 * time.Second  // until what finds no room is tried again
	maxFinders  = 200              // looks that last at once in a process; more are tried again later by Temporal, which costs a worker nothing
)

// Finder serves [FindAgentName]. It is safe for concurrent use.
type Finder struct {
	agents Agents        // nil: nobody is ever found
	room   chan struct{} // holds one for each look that lasts
}

// NewFinder looks among agents; nil is that there are none.
func NewFinder(agents Agents) *Finder {
	return &Finder{agents: agents, room: make(chan struct{}, maxFinders)}
}

// FindAgent is [FindAgentName].
func (f *Finder) FindAgent(ctx context.Context, in FindAgentInput) (FindAgentOutput, error) {
	l := &looks{agents: f.agents, in: in}
	id, err := l.look(ctx)
	if err != nil || id != "" {
		return FindAgentOutput{AgentID: id}, err
	}
	activity.RecordHeartbeat(ctx, FindAgentReport{Nobody: true})
	select {
	case f.room <- struct{}{}:
		defer func() { <-f.room }()
	default:
		return FindAgentOutput{}, later("too many look for an agent at once", findAgain)
	}
	return l.await(ctx)
}

// looks are those that one task has made for an agent.
type looks struct {
	agents Agents
	in     FindAgentInput
	full   []string // of Passed, who had no free slot at the last one
}

// await looks again and again until there is somebody.
func (l *looks) await(ctx context.Context) (FindAgentOutput, error) {
	again := time.NewTicker(findPause)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return FindAgentOutput{}, context.Cause(ctx)
		case <-activity.GetWorkerStopChannel(ctx):
			return FindAgentOutput{}, later("the control worker stops", 0)
		case <-again.C:
			activity.RecordHeartbeat(ctx, FindAgentReport{Nobody: true}) // Temporal's client sends few of them
			if id, err := l.look(ctx); err != nil || id != "" {
				return FindAgentOutput{AgentID: id}, err
			}
		}
	}
}

// look is one look.
func (l *looks) look(ctx context.Context) (string, error) {
	if l.agents == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	find := l.anybody
	switch {
	case l.in.AgentID != "":
		find = l.addressed
	case l.in.Asked != "":
		find = l.another
	}
	id, err := find(ctx)
	if err != nil {
		return "", later("the agents can not be looked at", findAgain)
	}
	return id, nil
}

// addressed is the agent that is addressed, or nobody.
func (l *looks) addressed(ctx context.Context) (string, error) {
	fits, err := l.agents.Fits(ctx, l.in.Project, string(l.in.Role), l.in.AgentID, l.in.Capabilities)
	if err != nil || !fits {
		return "", err
	}
	return l.in.AgentID, nil
}

// anybody is another one than those that were asked, else one of them.
func (l *looks) anybody(ctx context.Context) (string, error) {
	id, err := l.find(ctx, l.in.Passed)
	if err != nil || id != "" || len(l.in.Passed) == 0 {
		return id, err
	}
	return l.find(ctx, nil)
}

// another is one that was not asked, or one that was and has a free slot now that it had not at the last look.
func (l *looks) another(ctx context.Context) (string, error) {
	free, err := l.agents.Free(ctx, l.in.Project, string(l.in.Role), l.in.Capabilities, l.in.Passed)
	if err != nil {
		return "", err
	}
	except, full := []string{l.in.Asked}, []string(nil)
	for _, id := range l.in.Passed {
		isFree := slices.Contains(free, id)
		if !isFree {
			full = append(full, id)
		}
		if !isFree || !slices.Contains(l.full, id) {
			except = append(except, id)
		}
	}
	l.full = full
	return l.find(ctx, except)
}

func (l *looks) find(ctx context.Context, except []string) (string, error) {
	return l.agents.Find(ctx, l.in.Project, string(l.in.Role), l.in.Capabilities, except)
}

// later has Temporal try again after a while.
func later(why string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(why, string(sdk.CodeUnavailable), temporal.ApplicationErrorOptions{NextRetryDelay: after})
}
