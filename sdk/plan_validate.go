package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// stepIDPattern is the shape of a step's id: one that can be written in an expression.
var stepIDPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)

// ValidStepID reports whether s can be the id of a step of a plan.
func ValidStepID(s string) bool { return stepIDPattern.MatchString(s) }

// Validate checks every bound of the request and how its steps need one another, and answers nil or an [Error] of code invalid_input whose
// Faults name everything that is wrong. It does not look at expressions: the API and the workflow do. Call it before or after Resolve.
func (r PlanRequest) Validate() error {
	var f faults
	f.title(r.Title)
	f.text("$.goal", r.Goal, MaxPlanGoal)
	if len(r.Steps) == 0 && strings.TrimSpace(r.Goal) == "" {
		f.add("$.steps", "or goal is required: the steps, or what a coordinator is asked to make steps of")
	}
	f.fields("$.inputs", r.Inputs, MaxPlanInputs)
	f.fields("$.outputs", r.Outputs, MaxPlanInputs)
	if r.MaxParallel < 0 || r.MaxParallel > MaxMaxParallel {
		f.add("$.maxParallel", "must be from 1 to %d", MaxMaxParallel)
	}
	switch r.OnFailure {
	case "", FailureStop, FailureContinue:
	default:
		f.add("$.onFailure", "must be stop or continue")
	}
	f.priority("$.priority", r.Priority)
	if b := strings.TrimSpace(string(r.Budget)); b != "" && b != "null" {
		f.add("$.budget", "is reserved: leave it out")
	}
	f.planSteps(r)
	return f.err()
}

func (f *faults) priority(path string, p Priority) {
	if _, ok := p.Canonical(); !ok {
		f.add(path, "must be low, medium (or normal), high or critical (or urgent)")
	}
}

// fields checks the values of an object, and how large they are together.
func (f *faults) fields(path string, m map[string]json.RawMessage, limit int) {
	names := make([]string, 0, len(m))
	size := 0
	//workflowcheck:ignore
	for name, raw := range m {
		names = append(names, name)
		size += len(name) + len(raw)
	}
	if size > limit {
		f.add(path, "is larger than %d bytes", limit)
		return
	}
	slices.Sort(names)
	for _, name := range names {
		at := path + FieldPath(name)
		if !utf8.ValidString(name) {
			f.add(at, "has a name that is not valid UTF-8")
		}
		f.json(at, m[name], limit)
	}
}

func (f *faults) planSteps(r PlanRequest) {
	limit := r.MaxSteps
	switch {
	case limit < 0 || limit > MaxPlanSteps:
		f.add("$.maxSteps", "must be from 1 to %d", MaxPlanSteps)
		limit = MaxPlanSteps
	case limit == 0:
		limit = DefaultMaxSteps
	}
	if len(r.Steps) > limit {
		f.add("$.steps", "has %d steps, and maxSteps is %d; it can be %d at most", len(r.Steps), limit, MaxPlanSteps)
		if len(r.Steps) > MaxPlanSteps {
			return
		}
	}
	g := newPlanGraph(r.Steps)
	for i, s := range r.Steps {
		f.planStep(fmt.Sprintf("$.steps[%d]", i), s)
	}
	f.stepIDs(r.Steps)
	for i, s := range r.Steps {
		f.needs(fmt.Sprintf("$.steps[%d].needs", i), s, g)
	}
	for _, around := range g.cycles() {
		if len(around) > 2 { // a step that needs itself has its fault where it says so
			f.add(fmt.Sprintf("$.steps[%d].needs", g.place[around[0]]), "is a cycle, each needs the next: %s", arrows(around))
		}
	}
	f.gates(g)
}

// planStep checks a step by itself: as the task that it is, and what it has beside that.
func (f *faults) planStep(path string, s PlanStep) {
	task := TaskRequest{
		Type: s.Type, Role: s.Role, Title: s.Title, Description: s.Description, Input: s.Input, Priority: s.Priority,
		Retry: s.Retry, Timeouts: s.Timeouts, Fallback: s.Fallback,
	}
	switch {
	case s.ID == "":
		f.add(path+".id", "is required")
	case !ValidStepID(s.ID):
		f.add(path+".id", "must start with a letter and hold at most %d of A-Z, a-z, 0-9, _ and -", MaxStepID)
	}
	if err, ok := errors.AsType[*Error](task.Validate()); ok {
		for _, fault := range err.Faults {
			f.add(path+strings.TrimPrefix(fault.Path, "$"), "%s", fault.Message)
		}
	}
	f.text(path+".when", s.When, MaxStepWhen)
}

// stepIDs names each id that several steps have, at the second of them.
func (f *faults) stepIDs(steps []PlanStep) {
	places := map[string][]string{}
	second := map[string]int{}
	for i, s := range steps {
		places[s.ID] = append(places[s.ID], fmt.Sprintf("steps[%d]", i))
		if len(places[s.ID]) == 2 {
			second[s.ID] = i
		}
	}
	for i, s := range steps {
		if at, several := second[s.ID]; several && at == i && s.ID != "" {
			f.add(fmt.Sprintf("$.steps[%d].id", i), "%q is the id of %s: give each its own", Cut(s.ID, MaxStepID), strings.Join(places[s.ID], " and "))
		}
	}
}

func (f *faults) needs(path string, s PlanStep, g *planGraph) {
	if len(s.Needs) > MaxStepNeeds {
		f.add(path, "has more than %d entries", MaxStepNeeds)
		return
	}
	for i, id := range s.Needs {
		at := fmt.Sprintf("%s[%d]", path, i)
		_, known := g.place[id]
		switch {
		case id == s.ID && id != "":
			f.add(at, "is the step itself: %s", arrows([]string{Cut(id, MaxStepID), Cut(id, MaxStepID)}))
		case !known || id == "":
			f.add(at, "%q is no step of this plan", Cut(id, MaxStepID))
		case slices.Index(s.Needs, id) < i:
			f.add(at, "%q is there twice", id)
		}
	}
}

// gates checks whom gates send back, how often, and how many tasks that can make.
func (f *faults) gates(g *planGraph) {
	ancestors := g.ancestors()
	sendsBack := map[int]string{} // the first gate that sends back a step
	for i, s := range g.steps {
		if s.Gate == nil {
			continue
		}
		path := fmt.Sprintf("$.steps[%d].gate", i)
		if n := s.Gate.reworks(); n < 0 || n > MaxMaxReworks {
			f.add(path+".maxReworks", "must be from 0 to %d", MaxMaxReworks)
		}
		target, known := g.place[s.Gate.Rework]
		switch {
		case s.Gate.Rework == "":
			f.add(path+".rework", "is required: the step that is sent back")
		case !known:
			f.add(path+".rework", "%q is no step of this plan", Cut(s.Gate.Rework, MaxStepID))
		case target == i:
			f.add(path+".rework", "is the step itself: name one that it needs")
		case !ancestors[i].has(target):
			f.add(path+".rework", "%q is a step that this one does not need, directly or through others", s.Gate.Rework)
		}
		if _, named := sendsBack[target]; known && !named && s.Gate.reworks() != 0 {
			sendsBack[target] = s.ID
		}
	}
	for i, s := range g.steps {
		if gate, ok := sendsBack[i]; ok {
			f.takesFeedback(fmt.Sprintf("$.steps[%d].input", i), s.Input, gate)
		}
	}
	if n := g.runs(ancestors); n > MaxPlanRuns {
		f.add("$.steps", "can have %d tasks, every possible rework counted, and may have %d: lower maxReworks, or send back a step that fewer need", n, MaxPlanRuns)
	}
}

// takesFeedback checks the input of a step that a gate sends back: it gets another field.
func (f *faults) takesFeedback(path string, input json.RawMessage, gate string) {
	text := strings.TrimSpace(string(input))
	if text == "" || text == "null" || checkJSON(input) != "" { // what is no JSON is said elsewhere
		return
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(input, &fields) != nil {
		f.add(path, "must be an object, or left out: the gate of %s sends this step back, with a field feedback in its input", Cut(gate, MaxStepID))
		return
	}
	if _, taken := fields["feedback"]; taken {
		f.add(path+".feedback", "must have another name: the gate of %s sends this step back, with a field feedback in its input", Cut(gate, MaxStepID))
	}
}

// Validate checks the filter and answers nil or an [Error] of code invalid_input whose Faults name each wrong field as the API's
// parameter. The client and the API both call it.
func (f PlanFilter) Validate() error {
	var wrong faults
	switch f.Status {
	case "", StatusOpen, StatusQueued, StatusRunning, StatusCompleted, StatusFailed, StatusCancelled:
	default:
		wrong.add("query.status", "must be open, queued, running, completed, failed or cancelled")
	}
	if f.Limit < 0 || f.Limit > MaxPage {
		wrong.add("query.limit", "must be a whole number from 1 to %d", MaxPage)
	}
	return wrong.err()
}
