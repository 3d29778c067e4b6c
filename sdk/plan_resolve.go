package sdk

import (
	"encoding/json"
	"slices"
)

// Resolve answers the request with its aliases and defaults filled in, sharing nothing with the original. Retry, timeouts and fallback of a
// step stay as they are: the step's task fills them in. Resolving twice changes nothing.
func (r PlanRequest) Resolve() PlanRequest {
	if p, ok := r.Priority.Canonical(); ok {
		r.Priority = p
	}
	if r.OnFailure == "" {
		r.OnFailure = FailureStop
	}
	if r.MaxParallel == 0 {
		r.MaxParallel = DefaultMaxParallel
	}
	if r.MaxSteps == 0 {
		r.MaxSteps = DefaultMaxSteps
	}
	r.Inputs, r.Outputs, r.Budget = cloneFields(r.Inputs), cloneFields(r.Outputs), slices.Clone(r.Budget)
	r.Steps = slices.Clone(r.Steps)
	for i := range r.Steps {
		r.Steps[i] = r.Steps[i].resolve(r.Priority)
	}
	return r
}

// resolve fills in the defaults of a step of a plan with this priority.
func (s PlanStep) resolve(priority Priority) PlanStep {
	if s.Role == "" {
		s.Role, _ = s.Type.DefaultRole()
	}
	if s.Priority == "" {
		s.Priority = priority
	} else if p, ok := s.Priority.Canonical(); ok {
		s.Priority = p
	}
	s.Needs, s.Input = slices.Clone(s.Needs), slices.Clone(s.Input)
	if s.Gate != nil {
		s.Gate = &Gate{Rework: s.Gate.Rework, MaxReworks: new(s.Gate.reworks())}
	}
	s.Retry, s.Timeouts = cloneOf(s.Retry), cloneOf(s.Timeouts)
	s.Fallback = slices.Clone(s.Fallback)
	for i, stage := range s.Fallback {
		s.Fallback[i].Retry, s.Fallback[i].Timeouts = cloneOf(stage.Retry), cloneOf(stage.Timeouts)
	}
	return s
}

// reworks is how often the gate sends back.
func (g Gate) reworks() int {
	if g.MaxReworks == nil {
		return DefaultMaxReworks
	}
	return *g.MaxReworks
}

func cloneOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

func cloneFields(m map[string]json.RawMessage) map[string]json.RawMessage {
	if m == nil {
		return nil
	}
	out := make(map[string]json.RawMessage, len(m))
	//workflowcheck:ignore
	for name, raw := range m {
		out[name] = slices.Clone(raw)
	}
	return out
}
