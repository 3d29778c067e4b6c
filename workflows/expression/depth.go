package expression

import (
	"maps"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

// maxTypeDepth is how deep lists and maps may nest in what an expression makes. To check types takes a time that grows with the third power
// of that: of an expression of 1 KiB, a second.
const maxTypeDepth = 8

// typeDepth answers at least how deep lists and maps nest in the type of what an expression or any part of it makes, 0 for what is neither or
// not known.
type typeDepth struct {
	deepest int
}

func (d *typeDepth) expr(e ast.Expr, known map[string]int) int {
	n := d.node(e, known)
	d.deepest = max(d.deepest, n)
	return n
}

func (d *typeDepth) node(e ast.Expr, known map[string]int) int {
	switch e.Kind() {
	case ast.IdentKind:
		return known[e.AsIdent()]
	case ast.SelectKind:
		return max(d.expr(e.AsSelect().Operand(), known)-1, 0)
	case ast.ListKind:
		return 1 + d.most(e.AsList().Elements(), known)
	case ast.MapKind:
		n := 0
		for _, entry := range e.AsMap().Entries() {
			n = max(n, d.expr(entry.AsMapEntry().Key(), known), d.expr(entry.AsMapEntry().Value(), known))
		}
		return 1 + n
	case ast.CallKind:
		return d.call(e.AsCall(), known)
	case ast.ComprehensionKind:
		return d.comprehension(e.AsComprehension(), known)
	default:
		return 0
	}
}

func (d *typeDepth) most(list []ast.Expr, known map[string]int) (n int) {
	for _, e := range list {
		n = max(n, d.expr(e, known))
	}
	return n
}

func (d *typeDepth) call(c ast.CallExpr, known map[string]int) int {
	n := d.most(c.Args(), known)
	if c.IsMemberFunction() {
		n = max(n, d.expr(c.Target(), known))
	}
	switch c.FunctionName() {
	case overloads.TypeConvertDyn:
		return 0
	case operators.Index:
		return max(n-1, 0)
	default:
		return max(n, 1)
	}
}

func (d *typeDepth) comprehension(c ast.ComprehensionExpr, known map[string]int) int {
	inner := maps.Clone(known)
	inner[c.IterVar()] = max(d.expr(c.IterRange(), known)-1, 0)
	inner[c.AccuVar()] = d.expr(c.AccuInit(), known)
	d.expr(c.LoopCondition(), inner)
	inner[c.AccuVar()] = max(inner[c.AccuVar()], d.expr(c.LoopStep(), inner))
	return d.expr(c.Result(), inner)
}
