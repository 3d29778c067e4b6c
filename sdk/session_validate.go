package sdk

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The bounds of what a caller knows, in bytes; of each list there are at most [MaxContextItems].
const (
	MaxContextItems   = 50
	MaxContextName    = 128     // the id of an episode, the name of a skill
	MaxContextOutcome = 256     // of an episode
	MaxContextText    = 2 << 10 // a summary, a discovery, an entry of the working set
	MaxContextGoal    = 4 << 10
	MaxPromptTokens   = 1_000_000 // the largest budget of a prompt, in tokens
)

// Validate checks every bound of the configuration and answers nil or an [Error] of code invalid_input whose Faults name each wrong
// field. The client, the API and the workflow all call it. Call it before or after Resolve.
func (c SessionConfig) Validate() error {
	var f faults
	if !c.CostTier.valid() {
		f.add("$.costTier", "must be free, hybrid or premium")
	}
	f.text("$.orchestratorModel", c.OrchestratorModel, MaxModel)
	f.text("$.executorModel", c.ExecutorModel, MaxModel)
	if c.Retry != nil {
		f.retry("$.retry", *c.Retry)
	}
	f.timeout("$.idleTimeoutMs", c.IdleTimeoutMs, MinTimeoutMs)
	f.optionalID("$.clientId", c.ClientID)
	f.metadata(c.Metadata)
	return f.err()
}

// valid reports whether t is a tier, or none is named.
func (t CostTier) valid() bool {
	switch t {
	case "", TierFree, TierHybrid, TierPremium:
		return true
	default:
		return false
	}
}

// Validate checks every bound of the request and answers nil or an [Error] of code invalid_input whose Faults name each wrong field.
// The client, the API and the workflow all call it.
func (r SessionTaskRequest) Validate() error {
	var f faults
	f.typeAndRole(TaskRequest{Type: r.Type, Role: r.Role})
	f.sessionPrompt(r.Prompt)
	if r.Context != nil {
		f.sessionContext(*r.Context)
	}
	if _, ok := r.Priority.Canonical(); !ok {
		f.add("$.priority", "must be low, medium (or normal), high or critical (or urgent)")
	}
	if r.MaxPromptTokens < 0 || r.MaxPromptTokens > MaxPromptTokens {
		f.add("$.maxPromptTokens", "must be from 0, which is no budget, to %d", MaxPromptTokens)
	}
	return f.err()
}

func (f *faults) sessionPrompt(s string) {
	const path = "$.prompt"
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		f.add(path, "is not valid UTF-8")
	case strings.TrimSpace(s) == "":
		f.add(path, "is required: %d to %d characters", MinSessionPrompt, MaxSessionPrompt)
	case n < MinSessionPrompt:
		f.add(path, "has %d characters; it must have at least %d", n, MinSessionPrompt)
	case n > MaxSessionPrompt:
		f.add(path, "has %d characters; it must have at most %d", n, MaxSessionPrompt)
	}
}

func (f *faults) sessionContext(c SessionContext) {
	const path = "$.context"
	if f.few(path+".episodes", len(c.Episodes)) {
		for i, e := range c.Episodes {
			at := fmt.Sprintf("%s.episodes[%d]", path, i)
			f.named(at+".id", e.ID)
			f.text(at+".summary", e.Summary, MaxContextText)
			f.text(at+".outcome", e.Outcome, MaxContextOutcome)
		}
	}
	if m := c.Memory; m != nil {
		f.text(path+".memory.goal", m.Goal, MaxContextGoal)
		f.texts(path+".memory.discoveries", m.Discoveries)
		f.texts(path+".memory.workingSet", m.WorkingSet)
	}
	if f.few(path+".skillHints", len(c.SkillHints)) {
		for i, h := range c.SkillHints {
			at := fmt.Sprintf("%s.skillHints[%d]", path, i)
			f.named(at+".name", h.Name)
			if !(h.SuccessRate >= 0 && h.SuccessRate <= 1) { // not a number is neither
				f.add(at+".successRate", "must be from 0 to 1")
			}
		}
	}
	f.pairs(path+".metadata", c.Metadata)
}

// few refuses a list that is too long; what is in it is not looked at then.
func (f *faults) few(path string, n int) bool {
	if n > MaxContextItems {
		f.add(path, "has more than %d entries", MaxContextItems)
		return false
	}
	return true
}

func (f *faults) named(path, s string) {
	if s == "" {
		f.add(path, "is required")
	}
	f.text(path, s, MaxContextName)
}

func (f *faults) texts(path string, list []string) {
	if !f.few(path, len(list)) {
		return
	}
	for i, s := range list {
		f.text(fmt.Sprintf("%s[%d]", path, i), s, MaxContextText)
	}
}

// Validate checks the filter and answers nil or an [Error] of code invalid_input whose Faults name each wrong field as the API's
// parameter. The client and the API both call it.
func (s SessionFilter) Validate() error {
	var f faults
	f.optionalID("query.clientId", s.ClientID)
	switch s.Status {
	case "", SessionOpen, SessionClosing, SessionClosed:
	default:
		f.add("query.status", "must be open, closing or closed")
	}
	if s.Limit < 0 || s.Limit > MaxPage {
		f.add("query.limit", "must be a whole number from 1 to %d", MaxPage)
	}
	return f.err()
}
