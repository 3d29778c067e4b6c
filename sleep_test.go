package rolecall_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTestsSleepOnlyInBubbles keeps real sleeping out of tests: time.Sleep is called in files that use testing/synctest, whose
// clock moves by itself. Everything else waits for a fact.
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

// sleeps are the uses of time.Sleep in a file that does not use testing/synctest.
func sleeps(set *token.FileSet, file *ast.File) []token.Position {
	if slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` }) {
		return nil
	}
	var found []token.Position
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && selector.Sel.Name == "Sleep" {
			if base, ok := selector.X.(*ast.Ident); ok && base.Name == "time" {
				found = append(found, set.Position(selector.Pos()))
			}
		}
		return true
	})
	return found
}

func TestSleepsAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source string
		want   int
	}{
		"a sleep":             {"package p\nimport \"time\"\nfunc f() { time.Sleep(1) }", 1},
		"a sleep in a bubble": {"package p\nimport (\"time\"; \"testing/synctest\")\nfunc f() { synctest.Wait(); time.Sleep(1) }", 0},
		"no sleep":            {"package p\nimport \"time\"\nvar _ = time.Second", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "p.go", test.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := sleeps(set, file); len(got) != test.want {
				t.Errorf("%d sleeps found, want %d", len(got), test.want)
			}
		})
	}
}
