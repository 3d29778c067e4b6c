package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// What expressions read, and what they read of a step.
const (
	namedInputs = "inputs"
	namedSteps  = "steps"
	namedOutput = "output"
	namedStatus = "status"
)

// reads is what an expression reads, each sorted and named once.
type reads struct {
	steps    []string // their outputs or statuses
	statuses []string // the steps of which it reads the status
	inputs   []string // that it reads without asking whether they are there
}

// add adds those of another expression; what comes of that is not in order.
func (r *reads) add(other reads) {
	r.steps, r.statuses, r.inputs = append(r.steps, other.steps...), append(r.statuses, other.statuses...), append(r.inputs, other.inputs...)
}

// inOrder answers them sorted, and each once.
func (r reads) inOrder() reads {
	return reads{steps: ordered(r.steps), statuses: ordered(r.statuses), inputs: ordered(r.inputs)}
}

func ordered(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// readsOf answers what an expression reads, or why that can not be told: the order of the steps is made from it, so steps has to be
// followed by the id of one.
func readsOf(root ast.Expr) (reads, error) {
	r := reader{}
	r.expr(root)
	if len(r.wrong) > 0 {
		return reads{}, errors.New(strings.Join(slices.Compact(r.wrong), "; "))
	}
	r.inputs = slices.DeleteFunc(r.inputs, func(name string) bool { return slices.Contains(r.asked, name) })
	return r.inOrder(), nil
}

type reader struct {
	reads
	asked []string // inputs that has() asks for
	wrong []string
}

func (r *reader) refuse(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func (r *reader) expr(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		if variable(e, namedSteps) {
			r.refuse(`reads steps without the id of one and what of it: write steps.<id>.output or steps.<id>.status, steps["<id>"].output for an id with a hyphen`)
		}
	case ast.SelectKind:
		r.selected(e.AsSelect())
	case ast.CallKind:
		r.call(e.AsCall())
	case ast.ListKind:
		r.all(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.expr(entry.AsMapEntry().Key())
			r.expr(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		r.refuse("makes a message of type %s: write an object, such as {\"name\": 1}", e.AsStruct().TypeName())
	case ast.ComprehensionKind:
		r.comprehension(e.AsComprehension())
	default: // a literal reads nothing
	}
}

func (r *reader) all(list []ast.Expr) {
	for _, e := range list {
		r.expr(e)
	}
}

func (r *reader) comprehension(c ast.ComprehensionExpr) {
	for _, name := range []string{c.IterVar(), c.IterVar2()} {
		if name == namedSteps || name == namedInputs {
			r.refuse("names a variable %s: give it another name", name)
			return
		}
	}
	r.all([]ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()})
}

// selected is operand.field, or has(operand.field).
func (r *reader) selected(s ast.SelectExpr) {
	id, isStep := step(s.Operand())
	switch field := s.FieldName(); {
	case isStep && s.IsTestOnly():
		r.refuse("asks has(steps.%s.%s), which is always so: ask whether steps.%s.output is null, or has() for a field of it", id, field, id)
	case isStep && field == namedOutput:
		r.steps = append(r.steps, id)
	case isStep && field == namedStatus:
		r.steps, r.statuses = append(r.steps, id), append(r.statuses, id)
	case variable(s.Operand(), namedInputs) && s.IsTestOnly():
		r.asked = append(r.asked, field)
	case variable(s.Operand(), namedInputs):
		r.inputs = append(r.inputs, field)
	default:
		r.expr(s.Operand())
	}
}

func (r *reader) call(c ast.CallExpr) {
	args := c.Args()
	if c.FunctionName() == operators.Index && len(args) == 2 && variable(args[0], namedInputs) {
		if name, ok := literal(args[1]); ok {
			r.inputs = append(r.inputs, name)
			return
		}
	}
	if zoned(c.FunctionName()) && c.IsMemberFunction() && len(args) == 1 {
		if zone, ok := literal(args[0]); !ok || zone != "UTC" && !strings.Contains(zone, ":") {
			r.refuse(`asks %s for a zone by name, which changes with the machine: write its offset, such as "+02:00"`, c.FunctionName())
		}
	}
	if c.FunctionName() == overloads.Matches && len(args) > 0 {
		if pattern, ok := literal(args[len(args)-1]); ok {
			if _, err := measure(pattern); err != nil {
				r.refuse("has %v", err)
			}
		}
	}
	if c.IsMemberFunction() {
		r.expr(c.Target())
	}
	r.all(args)
}

// step answers the id in steps.<id> and steps["<id>"].
func step(e ast.Expr) (id string, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		return s.FieldName(), variable(s.Operand(), namedSteps) && !s.IsTestOnly()
	case ast.CallKind:
		if args := e.AsCall().Args(); e.AsCall().FunctionName() == operators.Index && len(args) == 2 && variable(args[0], namedSteps) {
			return literal(args[1])
		}
	default: // nothing else is one
	}
	return "", false
}

// variable tells whether e is the variable of this name, which may be written with a dot before it.
func variable(e ast.Expr, name string) bool {
	return e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == name
}

// literal answers a text that is written in the expression.
func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// zoned tells whether a function takes a time zone.
func zoned(function string) bool {
	switch function {
	case "getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds":
		return true
	default:
		return false
	}
}
