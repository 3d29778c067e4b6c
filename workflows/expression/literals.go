package expression

import (
	"errors"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Literal is a text that is written in an expression; texts that are joined to one are one.
type Literal struct {
	Text  string
	Name  string // what the expression calls it: the name of a field that has it, or of what it is compared with; of several the one that weighs most
	Value bool   // whether it can be the value of the expression, or a part of that
}

// Literals answers the texts of an expression, those of its comments left out. weigh says how much a name matters; one that weighs nothing is
// none, and no name is weighed more often than it is written. The error says only that the expression can not be compiled.
func (e *Env) Literals(source string, weigh func(name string) int) ([]Literal, error) {
	trimmed := strings.TrimSpace(source)
	if e.left -= max(len(trimmed), MinText); len(source) > sdk.MaxStepWhen || e.left < 0 {
		return nil, errors.New("is too large")
	}
	parsed, issues := e.cel.Parse(trimmed)
	if err := complaint(issues); err != nil {
		return nil, err
	}
	r := literalReader{weigh: weigh, loops: map[string]weighed{}, from: map[string]weighed{}, known: map[int64]weighed{}}
	r.expr(parsed.NativeRep().Expr(), literalPlace{value: true})
	return r.found, nil
}

// literalPlace is what is known of the place of a text.
type literalPlace struct {
	called weighed
	keys   weighed // what the keys are called of a map that stands here
	value  bool
}

type literalReader struct {
	weigh func(string) int
	found []Literal
	loops map[string]weighed // what variables are called where they are read
	from  map[string]weighed // what that is called which variables go through
	known map[int64]weighed  // what the values of expressions are called, by the expression's id
}

func (r *literalReader) expr(e ast.Expr, at literalPlace) {
	switch e.Kind() {
	case ast.LiteralKind:
		if text, ok := writtenText(e); ok {
			r.found = append(r.found, Literal{Text: text, Name: at.called.name, Value: at.value})
		}
	case ast.IdentKind:
		r.loops[e.AsIdent()] = r.loops[e.AsIdent()].or(at.called)
	case ast.SelectKind:
		r.expr(e.AsSelect().Operand(), literalPlace{called: at.called, value: at.value})
	case ast.CallKind:
		r.call(e.AsCall(), at)
	case ast.ListKind:
		r.list(e.AsList().Elements(), at)
	case ast.MapKind:
		r.entries(e.AsMap().Entries(), at)
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.expr(field.AsStructField().Value(), literalPlace{called: at.called.or(r.name(field.AsStructField().Name())), value: at.value})
		}
	case ast.ComprehensionKind:
		r.loop(e.AsComprehension(), at)
	case ast.UnspecifiedExprKind:
	}
}

// list takes elements: one behind the name of an option is called so.
func (r *literalReader) list(elements []ast.Expr, at literalPlace) {
	at.keys = weighed{}
	for i, e := range elements {
		inner := at
		if i > 0 {
			if option, ok := literal(elements[i-1]); ok && strings.HasPrefix(option, "--") {
				inner.called = at.called.or(r.name(option))
			}
		}
		if text, ok := literal(e); ok && strings.HasPrefix(text, "--") { // an option behind another has none
			inner = at
		}
		r.expr(e, inner)
	}
}

// entries takes those of an object: its value is also called what its name says.
func (r *literalReader) entries(entries []ast.EntryExpr, at literalPlace) {
	said, keys := at.called, at.keys
	at.keys = weighed{}
	for _, entry := range entries {
		key, _ := literal(entry.AsMapEntry().Key())
		if name, ok := literal(entry.AsMapEntry().Value()); ok && (strings.EqualFold(key, "name") || strings.EqualFold(key, "key")) {
			said = said.or(r.name(name))
		}
	}
	for _, entry := range entries {
		key, inner := entry.AsMapEntry().Key(), at
		if name, ok := literal(key); ok {
			inner.called = at.called.or(r.name(name))
			if strings.EqualFold(name, "value") {
				inner.called = said
			}
		}
		r.expr(key, literalPlace{called: keys})
		r.expr(entry.AsMapEntry().Value(), inner)
	}
}

// loop takes what is gone through last: it is called what the variable of the loop is, as are the keys of a map.
func (r *literalReader) loop(c ast.ComprehensionExpr, at literalPlace) {
	outer, from := r.loops[c.IterVar()], r.from[c.IterVar()]
	r.loops[c.IterVar()], r.from[c.IterVar()] = weighed{}, r.nameOfValue(c.IterRange())
	r.expr(c.LoopCondition(), literalPlace{})
	r.all([]ast.Expr{c.AccuInit(), c.LoopStep(), c.Result()}, at)
	at.called, at.keys = at.called.or(r.loops[c.IterVar()]), r.loops[c.IterVar()]
	r.loops[c.IterVar()], r.from[c.IterVar()] = outer, from
	r.expr(c.IterRange(), at)
}

func (r *literalReader) all(list []ast.Expr, at literalPlace) {
	for _, e := range list {
		r.expr(e, at)
	}
}

func (r *literalReader) call(c ast.CallExpr, at literalPlace) {
	switch args := c.Args(); {
	case c.FunctionName() == operators.Index && len(args) == 2:
		at.keys = r.nameOfValue(args[1])
		r.expr(args[0], at)
		r.expr(args[1], literalPlace{})
	case c.FunctionName() == operators.Conditional && len(args) == 3:
		r.expr(args[0], literalPlace{})
		r.all(args[1:], at)
	case c.FunctionName() == operators.Add:
		r.sum(summands(nil, c), at)
	case logical(c.FunctionName()):
		r.all(args, literalPlace{})
	case compares(c):
		operands := operandsOf(c)
		first, second := r.nameOfValue(operands[0]), r.nameOfValue(operands[1])
		r.expr(operands[0], literalPlace{called: second})
		inner := literalPlace{called: first}
		if c.FunctionName() == operators.In {
			inner.keys = first
		}
		r.expr(operands[1], inner)
	default:
		for i, operand := range operandsOf(c) {
			if i > 0 && !makes(c.FunctionName(), i) {
				r.expr(operand, literalPlace{})
				continue
			}
			r.expr(operand, at)
		}
	}
}

// sum takes what is joined; texts beside one another are one.
func (r *literalReader) sum(operands []ast.Expr, at literalPlace) {
	last := -1 // the text that the operand before has made
	for _, operand := range operands {
		text, ok := writtenText(operand)
		switch {
		case !ok:
			r.expr(operand, at)
			last = -1
		case last >= 0:
			r.found[last].Text += text
		default:
			last = len(r.found)
			r.found = append(r.found, Literal{Text: text, Name: at.called.name, Value: at.value})
		}
	}
}

func summands(all []ast.Expr, c ast.CallExpr) []ast.Expr {
	for _, e := range c.Args() {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Add {
			all = summands(all, e.AsCall())
			continue
		}
		all = append(all, e)
	}
	return all
}

func operandsOf(c ast.CallExpr) []ast.Expr {
	if c.IsMemberFunction() {
		return append([]ast.Expr{c.Target()}, c.Args()...)
	}
	return c.Args()
}

// makes tells whether a function makes its value of that operand too, or only looks for it in the first.
func makes(function string, operand int) bool {
	switch function {
	case "split", "indexOf", "lastIndexOf", "substring", overloads.Matches:
		return false
	case "replace":
		return operand == 2
	default:
		return true
	}
}

// logical tells whether a function takes truths alone.
func logical(function string) bool {
	return function == operators.LogicalAnd || function == operators.LogicalOr || function == operators.LogicalNot || function == operators.NotStrictlyFalse
}

// compares tells whether a call answers how two operands are to one another.
func compares(c ast.CallExpr) bool {
	switch c.FunctionName() {
	case operators.Equals, operators.NotEquals, operators.In, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return len(c.Args()) == 2
	case overloads.StartsWith, overloads.EndsWith, overloads.Contains:
		return c.IsMemberFunction() && len(c.Args()) == 1
	default:
		return false
	}
}

// writtenText answers a text, or bytes, that are written in the expression.
func writtenText(e ast.Expr) (string, bool) {
	if e.Kind() == ast.LiteralKind {
		if b, ok := e.AsLiteral().(types.Bytes); ok {
			return string(b), true
		}
	}
	return literal(e)
}
