package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
	"github.com/rolecall-dev/rolecall/workflows"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// storedPlan is a plan as it may be stored, which is also what its run reads: what stands beside expressions is redacted.
type storedPlan struct {
	clean    *redact.Redactor
	env      *expression.Env // nil until there is an expression
	plan     sdk.PlanRequest
	changed  bool
	together int         // texts of expressions that words stand beside, as far as they were looked at
	faults   []sdk.Fault // what can not be stored: names and expressions that hold a secret, since redacted they would be others
}

func (s *Server) redactPlan(r sdk.PlanRequest) storedPlan {
	p := storedPlan{clean: s.redaction.Redactor, plan: r}
	if p.clean == nil {
		return p
	}
	p.plan.Title, p.plan.Goal = p.line(r.Title, sdk.MaxTitle), p.text(r.Goal, sdk.MaxPlanGoal)
	p.plan.Inputs = p.fields("$.inputs", r.Inputs, nil)
	p.plan.Outputs = p.fields("$.outputs", r.Outputs, p.expressions("$.outputs"))
	p.plan.Steps = slices.Clone(r.Steps)
	for i := range p.plan.Steps {
		p.step(fmt.Sprintf("$.steps[%d]", i), &p.plan.Steps[i])
	}
	return p
}

// check refuses a plan that was valid and, with its secrets marked, is not.
func (p *storedPlan) check() error {
	if !p.changed {
		return nil
	}
	err := workflows.CheckPlan(p.plan)
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		e.Message = "the request is not valid once its secrets are redacted"
	}
	return err
}

func (p *storedPlan) refuse(path, message string) {
	p.faults = append(p.faults, sdk.Fault{Path: path, Message: message})
}

func (p *storedPlan) step(path string, step *sdk.PlanStep) {
	p.name(path+".id", step.ID)
	step.Title, step.Description = p.line(step.Title, sdk.MaxTitle), p.text(step.Description, sdk.MaxDescription)
	p.condition(path+".when", step.When)
	input := p.clean.JSONBut(step.Input, p.expressions(path+".input"))
	p.changed = p.changed || !bytes.Equal(input, step.Input)
	step.Input = input
	for i, stage := range step.Fallback[:min(len(step.Fallback), sdk.MaxFallback)] {
		at := fmt.Sprintf("%s.fallback[%d]", path, i)
		p.name(at+".agentId", stage.AgentID)
		p.name(at+".model", stage.Model)
	}
}

// holds reports whether a text has a secret in it.
func (p *storedPlan) holds(text string) bool { return p.clean.String(text) != text }

// name refuses a name that holds a secret.
func (p *storedPlan) name(path, name string) {
	if p.holds(name) {
		p.refuse(path, secretInID)
	}
}

// line is a text of at most so many characters.
func (p *storedPlan) line(text string, limit int) string { return p.cut(text, cutRunes, limit) }

// text is one of at most so many bytes.
func (p *storedPlan) text(text string, limit int) string { return p.cut(text, sdk.Cut, limit) }

// cut is a text without its secrets, and no longer than it may be because of that.
func (p *storedPlan) cut(text string, cut func(string, int) string, limit int) string {
	clean := p.clean.String(text)
	if clean == text {
		return text
	}
	p.changed = true
	return cut(clean, limit)
}

// fields are the fields of an object, each redacted among the others, whose names can say what it is.
func (p *storedPlan) fields(path string, m map[string]json.RawMessage, stays redact.Stays) map[string]json.RawMessage {
	if len(m) == 0 {
		return m
	}
	names := slices.Sorted(maps.Keys(m))
	object := []byte("{")
	for i, name := range names {
		if p.holds(name) {
			p.refuse(path, "has a name that "+secretInID)
			return m
		}
		if i > 0 {
			object = append(object, ',')
		}
		quoted, err := canonicalJSON(name)
		if err != nil || !json.Valid(m[name]) { // which the body's was
			return m
		}
		object = append(append(append(object, quoted...), ':'), m[name]...)
	}
	clean := p.clean.JSONBut(append(object, '}'), stays)
	out := make(map[string]json.RawMessage, len(m))
	if json.Unmarshal(clean, &out) != nil { // JSON stays JSON
		return m
	}
	for _, name := range names {
		p.changed = p.changed || !bytes.Equal(out[name], m[name])
	}
	return out
}
