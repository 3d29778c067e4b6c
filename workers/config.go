package workers

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// The defaults and bounds of a role worker.
const (
	DefaultProject    = "default"
	DefaultSlots      = 1
	MaxSlots          = 1000
	DefaultDrainGrace = 30 * time.Second
	MaxDrainGrace     = time.Hour

	defaultHeartbeatMs = 30_000 // of the registry of agents
)

// Config is a role worker. Only Roles is required; every other zero value means its default.
//
// A role worker is never versioned, whatever TEMPORAL_WORKER_DEPLOYMENT_NAME says: a queue that a versioned worker once served is
// closed to every unversioned poller for good, agents over HTTP among them. What it takes and answers is JSON that only ever grows.
type Config struct {
	// Project whose tasks are worked on. Default "default".
	Project string `env:"PROJECT_ID" envDefault:"default" doc:"The project whose tasks are worked on."`
	// Roles to serve, each once.
	Roles []sdk.Role `env:"ROLECALL_ROLES" doc:"Roles to work for, comma-separated; --role wins."`
	// AgentID names the agent in a task's attempts and is the worker's identity in Temporal. Default: host name and process id.
	AgentID string `env:"AGENT_ID" doc:"The id this agent works as. Default: host name and process id."`
	// Name is what people call the agent in the registry. Default: AgentID.
	Name string `env:"ROLECALL_AGENT_NAME" doc:"What people call the agent in the registry. Default: its id."`
	// Capabilities is what the agent can do, for tasks that ask for it; at most 50.
	Capabilities []string `env:"ROLECALL_CAPABILITIES" doc:"What the agent can do, comma-separated, for tasks that ask for it; --capability wins."`
	// Slots is how many tasks run at once, over all roles; 1 to 1000. Default 1.
	Slots int `env:"ROLECALL_SLOTS" envDefault:"1" doc:"How many tasks run at once, over all roles, 1 to 1000; --slots wins."`
	// Addressable also serves tasks that ask for this very AgentID, which should then be one that stays.
	Addressable bool `env:"ROLECALL_ADDRESSABLE" doc:"true also takes tasks that address this agent's id, which should then be one that stays."`
	// DrainGrace is how long running tasks may go on once the worker is told to stop; at most 1 h. Default 30 s; negative is none.
	DrainGrace time.Duration `env:"ROLECALL_DRAIN_GRACE" envDefault:"30s" doc:"How long running tasks may go on once the worker is told to stop, at most 1h; negative is none."`

	// AcknowledgeStart has Temporal acknowledge each attempt's first heartbeat before the handler begins. Then an attempt names its
	// agent in the task's chain even when the worker is killed at once; without it, one that is killed in the attempt's first 50 ms
	// leaves a lost attempt of nobody. It costs one call to Temporal, which is nothing to a handler that starts a program. Default no.
	AcknowledgeStart bool `env:"-"`
	// Redact says what secrets look like that are taken out of progress, resume data, errors, questions, live output and the worker's log:
	// empty is the common formats, "off" is none, and anything else are regular expressions beside them, as [redact.Parse] reads it. A
	// result's output stays as it is.
	Redact string `env:"ROLECALL_REDACT" secret:"true" doc:"What is taken out of prompts, progress, errors, live output, events and logs before they are stored. Empty: the common formats of keys and passwords. off: nothing. Else regular expressions beside those, separated by newlines or ;;."`
	// ServiceURL is the API that live output of agents goes to, for whoever follows a task, and where the worker is registered as an agent of
	// its first role. Default "": output goes nowhere, and the worker is not registered.
	ServiceURL string `env:"EVENTS_SERVICE_URL" doc:"Where the rolecall API is."`
	// APIKey is the worker's own key of the API at ServiceURL, with the scope work. Default "": none.
	APIKey string `env:"EVENTS_API_KEY" secret:"true" json:"-" doc:"The API key; none where the service has no keys."`

	// HeartbeatIntervalMs is how often the worker says at ServiceURL that it is there, more often where the service asks for it; 1000 to
	// 3600000. Default 30000.
	HeartbeatIntervalMs int64 `env:"AGENT_HEARTBEAT_INTERVAL" envDefault:"30000" doc:"Milliseconds, 1000 to 3600000: how often an agent says that it is there."`

	// Temporal says where Temporal is; make it with [TemporalFromEnv]. Its DataConverter is used for everything. Identity is
	// replaced by AgentID.
	Temporal client.Options `env:"-"`
	// Logger gets the worker's log and Temporal's. It never sees inputs, outputs or keys. Default [slog.Default].
	Logger *slog.Logger `env:"-"`
	// Metrics takes the worker's metrics; one serves one worker. Default nil: they are not shown.
	Metrics prometheus.Registerer `env:"-"`
}

// Validate checks the configuration and names every fault at once.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !sdk.ValidProject(c.Project) {
		fault("project %q: must start with a lower-case letter or digit and hold at most 63 of a-z, 0-9, _ and - (PROJECT_ID)", c.Project)
	}
	if len(c.Roles) == 0 {
		fault("roles: name at least one role to serve, such as coder (--role or ROLECALL_ROLES)")
	}
	seen := map[sdk.Role]bool{}
	for _, r := range c.Roles {
		switch {
		case !r.Valid():
			fault("role %q: must start with a lower-case letter and hold at most 63 of a-z, 0-9 and -", r)
		case seen[r]:
			fault("role %q: is named twice", r)
		}
		seen[r] = true
	}
	if !sdk.ValidID(c.AgentID) {
		fault("agent id %q: must start with a letter or digit and hold at most 128 of A-Z, a-z, 0-9, _ and - (AGENT_ID)", c.AgentID)
	}
	if c.Slots < 1 || c.Slots > MaxSlots {
		fault("slots %d: must be from 1 to %d (--slots or ROLECALL_SLOTS)", c.Slots, MaxSlots)
	}
	if c.DrainGrace > MaxDrainGrace {
		fault("drain grace %s: must be at most %s (ROLECALL_DRAIN_GRACE)", c.DrainGrace, MaxDrainGrace)
	}
	if _, err := redact.Parse(c.Redact); err != nil {
		fault("ROLECALL_REDACT: %w", err)
	}
	if ms := c.HeartbeatIntervalMs; ms < sdk.MinHeartbeatIntervalMs || ms > sdk.MaxHeartbeatIntervalMs {
		fault("heartbeat interval %d: must be from %d to %d milliseconds (AGENT_HEARTBEAT_INTERVAL)", ms, sdk.MinHeartbeatIntervalMs, sdk.MaxHeartbeatIntervalMs)
	}
	faults = append(faults, c.registryFaults()...)
	if _, err := c.service(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the role worker's configuration is not valid:\n%w", errors.Join(faults...))
}

// registryFaults are what the registry of agents would refuse of the worker's name and capabilities.
func (c Config) registryFaults() (faults []error) {
	e, _ := errors.AsType[*sdk.Error](c.registration().Validate())
	if e == nil {
		return nil
	}
	for _, f := range e.Faults {
		switch {
		case f.Path == "$.name":
			faults = append(faults, fmt.Errorf("agent name: %s (ROLECALL_AGENT_NAME)", f.Message))
		case strings.HasPrefix(f.Path, "$.capabilities"):
			faults = append(faults, fmt.Errorf("capabilities%s: %s (--capability or ROLECALL_CAPABILITIES)", strings.TrimPrefix(f.Path, "$.capabilities"), f.Message))
		}
	}
	return faults
}

// service is a client of the API at ServiceURL, or nil without one.
func (c Config) service() (*sdk.Client, error) {
	if c.ServiceURL == "" {
		return nil, nil
	}
	return sdk.NewClient(sdk.Config{URL: c.ServiceURL, APIKey: c.APIKey, ProjectID: c.Project, UserAgent: "rolecall-worker"})
}

func (c Config) withDefaults() Config {
	if c.Project == "" {
		c.Project = DefaultProject
	}
	if c.AgentID == "" {
		c.AgentID = DefaultAgentID()
	}
	if c.Slots == 0 {
		c.Slots = DefaultSlots
	}
	if c.HeartbeatIntervalMs == 0 {
		c.HeartbeatIntervalMs = defaultHeartbeatMs
	}
	switch {
	case c.DrainGrace == 0:
		c.DrainGrace = DefaultDrainGrace
	case c.DrainGrace < 0:
		c.DrainGrace = 0
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// DefaultAgentID is the agent id of a worker that is given none: host name and process id.
func DefaultAgentID() string { return sdk.DefaultAgentID() }
