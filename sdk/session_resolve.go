package sdk

import (
	"cmp"
	"maps"
)

// DefaultIdleTimeoutMs is after how long without a task a session closes itself.
const DefaultIdleTimeoutMs = 30 * 60 * 1000

// The models of the tiers.
const (
	modelLocal = "ollama"
	modelCloud = "claude-sonnet-4"
)

// Models are the tier's own: of analyze, validate, reflect and skills, and of execute. "" is free; of an unknown tier they are "".
func (t CostTier) Models() (orchestrator, executor string) {
	switch t {
	case "", TierFree:
		return modelLocal, modelLocal
	case TierHybrid:
		return modelLocal, modelCloud
	case TierPremium:
		return modelCloud, modelCloud
	default:
		return "", ""
	}
}

// Below is the tier that a session falls back to; ok is false below the cheapest.
func (t CostTier) Below() (lower CostTier, ok bool) {
	switch t {
	case TierPremium:
		return TierHybrid, true
	case TierHybrid:
		return TierFree, true
	default:
		return "", false
	}
}

// Resolve answers the configuration with its defaults filled in, sharing nothing with the original. Resolving twice changes nothing.
func (c SessionConfig) Resolve() SessionConfig {
	c.CostTier = cmp.Or(c.CostTier, TierFree)
	orchestrator, executor := c.CostTier.Models()
	c.OrchestratorModel, c.ExecutorModel = cmp.Or(c.OrchestratorModel, orchestrator), cmp.Or(c.ExecutorModel, executor)
	retry := c.Retry.resolve(Retry{
		MaxAttempts: DefaultMaxAttempts, InitialIntervalMs: DefaultInitialIntervalMs,
		BackoffCoefficient: DefaultBackoffCoefficient, MaxIntervalMs: DefaultMaxIntervalMs,
	})
	c.Retry = &retry
	fallback := c.Fallback == nil || *c.Fallback
	c.Fallback = &fallback
	c.IdleTimeoutMs = orDefault(c.IdleTimeoutMs, DefaultIdleTimeoutMs)
	c.Metadata = maps.Clone(c.Metadata)
	return c
}
