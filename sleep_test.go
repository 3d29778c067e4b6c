package rolecall_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTestsSleepOnlyInBubbles keeps real sleeping out of tests: time.Sleep is called in function literals given to synctest.Test,
// whose clock moves by itself. Everything else waits for a fact.
func TestTestsSleepOnlyInBubbles(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, at := range sleeps(set, file) {
			t.Errorf("%s: time.Sleep outside a testing/synctest bubble: wait for a fact", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no files were looked at")
	}
}

// sleeps are the uses of time.Sleep in a file, under whatever name the file imports time, outside literals given to synctest.Test.
func sleeps(set *token.FileSet, file *ast.File) []token.Position {
	clocks, bubbles := importNames(file, "time"), importNames(file, "testing/synctest")
	var found []token.Position
	var look func(ast.Node) bool
	look = func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			if !refersTo(n.Fun, bubbles, "Test") {
				return true
			}
			for _, arg := range n.Args {
				if _, literal := arg.(*ast.FuncLit); !literal {
					ast.Inspect(arg, look)
				}
			}
			return false
		case *ast.SelectorExpr:
			if refersTo(n, clocks, "Sleep") {
				found = append(found, set.Position(n.Pos()))
			}
			_, qualified := n.X.(*ast.Ident)
			return !qualified // x.Sleep is no use of a plain Sleep
		case *ast.Ident:
			if refersTo(n, clocks, "Sleep") {
				found = append(found, set.Position(n.Pos()))
			}
		}
		return true
	}
	ast.Inspect(file, look)
	return found
}

// importNames are what a file calls a package: "." where it imports its names as if they were its own.
func importNames(file *ast.File, path string) map[string]bool {
	names := map[string]bool{}
	for _, spec := range file.Imports {
		if spec.Path.Value != strconv.Quote(path) {
			continue
		}
		name := packageName(path)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = true
	}
	return names
}

// refersTo reports whether an expression is a name of a package that the file knows by one of names.
func refersTo(expr ast.Expr, names map[string]bool, name string) bool {
	switch e := expr.(type) {
	case *ast.SelectorExpr:
		base, ok := e.X.(*ast.Ident)
		return ok && e.Sel.Name == name && names[base.Name]
	case *ast.Ident:
		return e.Name == name && names["."]
	}
	return false
}

func TestSleepsAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source string
		want   int
	}{
		"a sleep":                   {"import \"time\"\nfunc f() { time.Sleep(1) }", 1},
		"under another name":        {"import clock \"time\"\nfunc f() { clock.Sleep(1) }", 1},
		"without a name":            {"import . \"time\"\nfunc f() { Sleep(1) }", 1},
		"handed on":                 {"import \"time\"\nvar pause = time.Sleep", 1},
		"in a bubble":               {"import (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Test(t, func(t *testing.T) { go func() { time.Sleep(1) }() }) }", 0},
		"in a renamed bubble":       {"import (\"time\"; bubble \"testing/synctest\")\nfunc f() { bubble.Test(t, func(t *testing.T) { time.Sleep(1) }) }", 0},
		"beside a bubble":           {"import (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Test(t, func(t *testing.T) {}); time.Sleep(1) }", 1},
		"in an argument":            {"import (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Test(late(time.Sleep), func(t *testing.T) {}) }", 1},
		"in another call's literal": {"import (\"time\"; \"testing/synctest\")\nfunc f() { t.Run(\"x\", func(t *testing.T) { time.Sleep(1) }); synctest.Wait() }", 1},
		"somebody else's":           {"import \"example.com/time/v2\"\nfunc f() { bed.Sleep(1) }", 0},
		"no sleep":                  {"import \"time\"\nvar _ = time.Second", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "p.go", "package p\n"+test.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := sleeps(set, file); len(got) != test.want {
				t.Errorf("%d sleeps found, want %d", len(got), test.want)
			}
		})
	}
}
