package expression

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// weighed is a name and how much it matters.
type weighed struct {
	name   string
	weight int
}

// or is the one of two names that matters more.
func (w weighed) or(other weighed) weighed {
	if other.weight > w.weight {
		return other
	}
	return w
}

func (r *literalReader) name(name string) weighed {
	if weight := r.weigh(name); weight > 0 {
		return weighed{name, weight}
	}
	return weighed{}
}

// nameOfValue is what an expression calls its value, or what it makes that of.
func (r *literalReader) nameOfValue(e ast.Expr) weighed {
	called, ok := r.known[e.ID()]
	if !ok {
		called = r.lookForName(e)
		r.known[e.ID()] = called
	}
	return called
}

func (r *literalReader) lookForName(e ast.Expr) (called weighed) {
	var of []ast.Expr
	switch e.Kind() {
	case ast.IdentKind:
		return r.name(e.AsIdent()).or(r.from[e.AsIdent()])
	case ast.SelectKind:
		if !e.AsSelect().IsTestOnly() {
			return r.name(e.AsSelect().FieldName())
		}
	case ast.ListKind:
		of = e.AsList().Elements()
	case ast.ComprehensionKind:
		return r.nameOfLoop(e.AsComprehension())
	case ast.CallKind:
		c := e.AsCall()
		of = operandsOf(c)
		switch name := c.FunctionName(); {
		case logical(name), compares(c):
			return weighed{}
		case name == operators.Conditional && len(of) == 3:
			of = of[1:]
		case name == operators.Index && len(of) == 2:
			if field, ok := literal(of[1]); ok {
				return r.name(field)
			}
			of = of[:1]
		}
	case ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
	}
	for _, part := range of {
		called = called.or(r.nameOfValue(part))
	}
	return called
}

// nameOfLoop knows what its variable goes through while it looks at what is made of that.
func (r *literalReader) nameOfLoop(c ast.ComprehensionExpr) weighed {
	outer, called := r.from[c.IterVar()], r.nameOfValue(c.IterRange())
	r.from[c.IterVar()] = called
	called = called.or(r.nameOfValue(c.LoopStep())).or(r.nameOfValue(c.Result()))
	r.from[c.IterVar()] = outer
	return called
}
