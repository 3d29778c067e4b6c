package expression

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Literal is a text that is written in an expression; texts that are joined to one are one.
type Literal struct {
	Text  string
	Names []string // what the expression calls it: the name of a field that has it, or of what it is compared with or handed to
	Value bool     // whether it can be the value of the expression, or a part of that
}

// Literals answers the texts of an expression, those of its comments left out. The error says only that the expression can not be compiled.
func (e *Env) Literals(source string) ([]Literal, error) {
	trimmed := strings.TrimSpace(source)
	if e.left -= max(len(trimmed), MinText); len(source) > sdk.MaxStepWhen || e.left < 0 {
		return nil, errors.New("is too large")
	}
	parsed, issues := e.cel.Parse(trimmed)
	if err := complaint(issues); err != nil {
		return nil, err
	}
	var r literalReader
	r.expr(parsed.NativeRep().Expr(), literalPlace{value: true})
	return r.found, nil
}

// literalPlace is what is known of the place of a text.
type literalPlace struct {
	names []string
	value bool
}

// called is the place with more names.
func (p literalPlace) called(names ...string) literalPlace {
	p.names = slices.Concat(p.names, names)
	return p
}

type literalReader struct {
	found []Literal
}

func (r *literalReader) expr(e ast.Expr, at literalPlace) {
	switch e.Kind() {
	case ast.LiteralKind:
		if text, ok := writtenText(e); ok {
			r.found = append(r.found, Literal{Text: text, Names: at.names, Value: at.value})
		}
	case ast.SelectKind:
		r.expr(e.AsSelect().Operand(), at)
	case ast.CallKind:
		r.call(e.AsCall(), at)
	case ast.ListKind:
		r.all(e.AsList().Elements(), at)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			key, inner := entry.AsMapEntry().Key(), at
			if name, ok := literal(key); ok {
				inner = at.called(name)
			}
			r.expr(key, literalPlace{})
			r.expr(entry.AsMapEntry().Value(), inner)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.expr(field.AsStructField().Value(), at.called(field.AsStructField().Name()))
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		r.expr(c.IterRange(), at.called(namesIn(c.LoopStep())...))
		r.all([]ast.Expr{c.AccuInit(), c.LoopStep(), c.Result()}, at)
		r.expr(c.LoopCondition(), literalPlace{})
	case ast.IdentKind, ast.UnspecifiedExprKind:
	}
}

func (r *literalReader) all(list []ast.Expr, at literalPlace) {
	for _, e := range list {
		r.expr(e, at)
	}
}

func (r *literalReader) call(c ast.CallExpr, at literalPlace) {
	switch args := c.Args(); {
	case c.FunctionName() == operators.Index && len(args) == 2:
		r.expr(args[0], at)
		r.expr(args[1], literalPlace{})
	case c.FunctionName() == operators.Conditional && len(args) == 3:
		r.expr(args[0], literalPlace{})
		r.all(args[1:], at)
	case c.FunctionName() == operators.Add:
		r.sum(summands(nil, c), at)
	case logical(c.FunctionName()):
		r.all(args, literalPlace{})
	default:
		if compares(c.FunctionName()) {
			at = literalPlace{}
		}
		operands := operandsOf(c)
		for i, operand := range operands {
			inner := at
			for j, other := range operands {
				if j != i {
					inner = inner.called(namesOfValue(other)...)
				}
			}
			r.expr(operand, inner)
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
			r.found = append(r.found, Literal{Text: text, Names: at.names, Value: at.value})
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

// namesOfValue are the names of what an expression has as its value, or makes it of.
func namesOfValue(e ast.Expr) (names []string) {
	switch e.Kind() {
	case ast.IdentKind:
		return []string{e.AsIdent()}
	case ast.SelectKind:
		if !e.AsSelect().IsTestOnly() {
			return []string{e.AsSelect().FieldName()}
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			names = append(names, namesOfValue(element)...)
		}
	case ast.ComprehensionKind:
		return namesIn(e)
	case ast.CallKind:
		c := e.AsCall()
		operands := operandsOf(c)
		switch name := c.FunctionName(); {
		case logical(name), compares(name):
			return nil
		case name == operators.Conditional && len(operands) == 3:
			operands = operands[1:]
		case name == operators.Index && len(operands) == 2:
			if field, ok := literal(operands[1]); ok {
				return []string{field}
			}
			operands = operands[:1]
		}
		for _, operand := range operands {
			names = append(names, namesOfValue(operand)...)
		}
	case ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	return names
}

// namesIn are all the names in an expression.
func namesIn(e ast.Expr) (names []string) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			names = append(names, e.AsIdent())
		case ast.SelectKind:
			names = append(names, e.AsSelect().FieldName())
		case ast.CallKind:
			if c := e.AsCall(); c.FunctionName() == operators.Index && len(c.Args()) == 2 {
				if field, ok := literal(c.Args()[1]); ok {
					names = append(names, field)
				}
			}
		case ast.ComprehensionKind, ast.ListKind, ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
		}
	}))
	return names
}

// logical tells whether a function takes truths alone.
func logical(function string) bool {
	return function == operators.LogicalAnd || function == operators.LogicalOr || function == operators.LogicalNot || function == operators.NotStrictlyFalse
}

// compares tells whether a function answers how its operands are to one another.
func compares(function string) bool {
	switch function {
	case operators.Equals, operators.NotEquals, operators.In, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return true
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
