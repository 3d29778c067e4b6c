package activities

import (
	"context"
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
)

// FindAgent asks for an agent for an attempt, at most for the given time.
func FindAgent(ctx workflow.Context, stage, attempt int, atMost time.Duration, in FindAgentInput) workflow.Future {
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID: findPrefix + AttemptID(stage, attempt), ScheduleToCloseTimeout: atMost, StartToCloseTimeout: min(findTry, atMost), HeartbeatTimeout: findHeartbeat,
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
	id, err := f.look(ctx, in)
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
	return f.await(ctx, in)
}

// await looks again and again until there is somebody.
func (f *Finder) await(ctx context.Context, in FindAgentInput) (FindAgentOutput, error) {
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
			if id, err := f.look(ctx, in); err != nil || id != "" {
				return FindAgentOutput{AgentID: id}, err
			}
		}
	}
}

// look is one look: for another one than those that were asked, else for one of them.
func (f *Finder) look(ctx context.Context, in FindAgentInput) (string, error) {
	if f.agents == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	id, err := f.find(ctx, in)
	if err != nil {
		return "", later("the agents can not be looked at", findAgain)
	}
	return id, nil
}

// find is the addressed agent or nobody, where one is addressed, and otherwise any.
func (f *Finder) find(ctx context.Context, in FindAgentInput) (string, error) {
	role := string(in.Role)
	if in.AgentID != "" {
		fits, err := f.agents.Fits(ctx, in.Project, role, in.AgentID, in.Capabilities)
		if err != nil || !fits {
			return "", err
		}
		return in.AgentID, nil
	}
	id, err := f.agents.Find(ctx, in.Project, role, in.Capabilities, in.Passed)
	if err != nil || id != "" || len(in.Passed) == 0 {
		return id, err
	}
	return f.agents.Find(ctx, in.Project, role, in.Capabilities, nil)
}

// later has Temporal try again after a while.
func later(why string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(why, string(sdk.CodeUnavailable), temporal.ApplicationErrorOptions{NextRetryDelay: after})
}
