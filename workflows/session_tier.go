package workflows

import (
	"cmp"

	"github.com/rolecall-dev/rolecall/sdk"
)

// ResolveSession is a session's configuration with everything filled in: a model that it names wins over the installation's own, and that
// over the tier's. Resolving twice changes nothing.
func ResolveSession(c sdk.SessionConfig, overrides ModelOverrides) sdk.SessionConfig {
	c.OrchestratorModel = cmp.Or(c.OrchestratorModel, overrides.Orchestrator)
	c.ExecutorModel = cmp.Or(c.ExecutorModel, overrides.Executor)
	return c.Resolve()
}

// stageModels are the models of a task's stages: the session's own, and, where it falls back, those of the tiers below, each that is another
// than the one before. What a session names for itself is for the first stage alone; what the installation names holds in every tier.
func stageModels(c sdk.SessionConfig, overrides ModelOverrides, t sdk.TaskType) []string {
	models := []string{modelFor(t, c.OrchestratorModel, c.ExecutorModel)}
	if c.Fallback != nil && !*c.Fallback {
		return models
	}
	for tier, ok := c.CostTier.Below(); ok; tier, ok = tier.Below() {
		orchestrator, executor := tier.Models()
		model := modelFor(t, cmp.Or(overrides.Orchestrator, orchestrator), cmp.Or(overrides.Executor, executor))
		if model != models[len(models)-1] {
			models = append(models, model)
		}
	}
	return models
}

// modelFor chooses by what a task is: the orchestrator thinks about the work, the executor does it.
func modelFor(t sdk.TaskType, orchestrator, executor string) string {
	switch t {
	case sdk.TypeAnalyze, sdk.TypeValidate, sdk.TypeReflect, sdk.TypeSkills:
		return orchestrator
	default:
		return executor
	}
}
