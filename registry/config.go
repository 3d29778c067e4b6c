package registry

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// The defaults and bounds of a registry.
const (
	DefaultInterval = 30 * time.Second
	MinInterval     = time.Second
	MaxInterval     = time.Hour
	// Missed is how many heartbeats an agent may miss before it is offline.
	Missed = 3

	defaultKeep = 7 * 24 * time.Hour
)

// Config sets a [Registry] up. The zero value of a field means its default.
type Config struct {
	// Interval is how often agents are to say that they are there. An agent keeps the one it was registered with. Default 30 s.
	Interval time.Duration `env:"ROLECALL_AGENT_HEARTBEAT_INTERVAL" envDefault:"30s" doc:"How often agents that register are to say that they are there, 1s to 1h; who misses three is offline."`
	// Keep is how long an agent that is offline stays registered. Default 7 days.
	Keep time.Duration `env:"-"`
	// Before is what an event goes through before it is written to the log. Default nil: it is written as it is.
	Before func(sdk.Event) sdk.Event `env:"-"`
	// Now is the time. Default [time.Now].
	Now func() time.Time `env:"-"`
	// Logger gets the registry's log. Default [slog.Default].
	Logger *slog.Logger `env:"-"`
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.Keep == 0 {
		c.Keep = defaultKeep
	}
	if c.Before == nil {
		c.Before = func(e sdk.Event) sdk.Event { return e }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate answers nil or what is wrong.
func (c Config) Validate() error {
	if i := c.withDefaults().Interval; i < MinInterval || i > MaxInterval {
		return fmt.Errorf("ROLECALL_AGENT_HEARTBEAT_INTERVAL must be from %s to %s", MinInterval, MaxInterval)
	}
	return nil
}
