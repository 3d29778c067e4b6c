package workers

import (
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// registration is what a worker says of itself.
func (c Config) registration() sdk.AgentRequest {
	return sdk.AgentRequest{
		ID: c.AgentID, Name: c.Name, Capabilities: c.Capabilities, Slots: c.Slots, Addressable: c.Addressable,
	}.ForRoles(c.Roles...)
}

// newPresence keeps a worker in a registry, or in none when that is nil.
func newPresence(cfg Config, registry sdk.Registry) *sdk.Presence {
	return sdk.NewPresence(sdk.PresenceConfig{
		Registry: registry, Agent: cfg.registration(), Interval: time.Duration(cfg.HeartbeatIntervalMs) * time.Millisecond, Logger: cfg.Logger,
	})
}
