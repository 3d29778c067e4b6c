package workflows

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows/expression"
)

// CheckPlan answers nil or an [sdk.Error] of code invalid_input whose Faults name everything that is wrong with a plan: its fields and how
// its steps need one another, as [sdk.PlanRequest.Validate] does, and its expressions. Where nothing is, it names what keeps a plan without
// steps from being planned.
func CheckPlan(r sdk.PlanRequest) error {
	if _, err := checkPlan(r); err != nil {
		return err
	}
	if found := unplannable(r); len(found) > 0 {
		return &sdk.Error{Code: sdk.CodeInvalidInput, Message: invalidRequest, Faults: found}
	}
	return nil
}

const invalidRequest = "the request is not valid"

// checkPlan answers the plan's expressions where nothing is wrong with its fields, its graph and those, and otherwise as CheckPlan does. It is
// what a run asks: it says nothing of what a coordinator can be given.
func checkPlan(r sdk.PlanRequest) (code planCode, err error) {
	var wrong *sdk.Error
	if err := r.Validate(); err != nil && !errors.As(err, &wrong) {
		return planCode{}, err
	}
	var found []sdk.Fault
	if len(r.Steps) <= sdk.MaxPlanSteps { // what has more is refused in any case
		code, found = compilePlan(r)
	}
	if wrong == nil {
		if len(found) == 0 {
			return code, nil
		}
		wrong = sdk.Errorf(sdk.CodeInvalidInput, invalidRequest)
	}
	said := make(map[sdk.Fault]bool, len(wrong.Faults))
	for _, fault := range wrong.Faults {
		said[fault] = true
	}
	for _, fault := range found {
		if !said[fault] { // JSON that is none, or too large, is named by both
			wrong.Faults = append(wrong.Faults, fault)
		}
	}
	wrong.Faults = nameSome(wrong.Faults)
	return planCode{}, wrong
}

// maxPlanFaults is how many faults of a plan are named, beside the one that counts the others. There can be as many as there are strings in it.
const maxPlanFaults = 99

// nameSome are the first faults of a plan, and where there are more, one that says how many.
func nameSome(faults []sdk.Fault) []sdk.Fault {
	if more := len(faults) - maxPlanFaults; more > 0 {
		return append(faults[:maxPlanFaults], sdk.Fault{Path: "$", Message: fmt.Sprintf("has %d more faults", more)})
	}
	return faults
}

// planCode is a plan's expressions, ready to be evaluated. It is not safe for concurrent use.
type planCode struct {
	steps   []stepCode // as in the request
	outputs map[string]*expression.Template
}

// stepCode is the expressions of a step; nil where it has none.
type stepCode struct {
	when  *expression.Condition
	input *expression.Template
}

// compilePlan compiles every expression of a plan. The faults name those that are wrong, or read what they can not: where there are any,
// the code is not to be used. Where the steps are not known yet, outputs may read any.
func compilePlan(r sdk.PlanRequest) (planCode, []sdk.Fault) {
	code := planCode{steps: make([]stepCode, len(r.Steps)), outputs: make(map[string]*expression.Template, len(r.Outputs))}
	env, err := expression.NewEnv()
	if err != nil {
		return code, []sdk.Fault{{Path: "$", Message: fmt.Sprintf("can not be compiled: %v", err)}}
	}
	c := planCompiler{env: env, request: r, known: map[string]bool{}}
	for _, s := range r.Steps {
		c.known[s.ID] = true
	}
	all := r.AllNeeds()
	for i, s := range r.Steps {
		code.steps[i] = c.step(fmt.Sprintf("$.steps[%d]", i), s, all[i])
	}
	names := make([]string, 0, len(r.Outputs))
	//workflowcheck:ignore
	for name := range r.Outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		code.outputs[name] = c.template("$.outputs"+sdk.FieldPath(name), r.Outputs[name], c.anyStep)
	}
	return code, c.faults
}

type planCompiler struct {
	env     *expression.Env
	request sdk.PlanRequest
	known   map[string]bool // the ids of its steps
	faults  []sdk.Fault
}

func (c *planCompiler) refuse(path, format string, args ...any) {
	c.faults = append(c.faults, sdk.Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// step compiles a step that needs, directly or through others, those steps.
func (c *planCompiler) step(path string, s sdk.PlanStep, needs []string) stepCode {
	var code stepCode
	readable := func(at, id string) {
		switch {
		case !c.known[id]:
			c.refuse(at, "reads the step %q, which is not in this plan", sdk.Cut(id, sdk.MaxStepID))
		case id == s.ID:
			c.refuse(at, "reads the step itself, which has not ended then")
		case !slices.Contains(needs, id):
			c.refuse(at, "reads the step %q, which this step does not need: add it to needs, so that it has ended", id)
		}
	}
	if s.When != "" {
		at := path + ".when"
		when, err := c.env.Condition(s.When)
		if err != nil {
			c.refuse(at, "%v", err)
		} else {
			code.when = when
			c.reads(expression.Used{Path: at, Steps: when.Reads(), Inputs: when.ReadsInputs()}, readable)
		}
	}
	if len(s.Input) > 0 {
		code.input = c.template(path+".input", s.Input, readable)
	}
	return code
}

// anyStep is what the outputs of the plan read.
func (c *planCompiler) anyStep(at, id string) {
	if len(c.request.Steps) > 0 && !c.known[id] {
		c.refuse(at, "reads the step %q, which is not in this plan", sdk.Cut(id, sdk.MaxStepID))
	}
}

func (c *planCompiler) template(path string, raw []byte, readable func(at, id string)) *expression.Template {
	t, faults := c.env.Template(path, raw)
	c.faults = append(c.faults, faults...)
	for _, used := range t.Uses() {
		c.reads(used, readable)
	}
	return t
}

// reads checks what an expression reads.
func (c *planCompiler) reads(used expression.Used, readable func(at, id string)) {
	for _, id := range used.Steps {
		readable(used.Path, id)
	}
	for _, name := range used.Inputs {
		if _, ok := c.request.Inputs[name]; !ok {
			c.refuse(used.Path, "reads inputs.%s, which the plan does not have: add it to inputs, or ask with has(inputs.%s)", sdk.Cut(name, sdk.MaxMetadataKey), sdk.Cut(name, sdk.MaxMetadataKey))
		}
	}
}
