package rolecall_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readers are the functions that read the environment, by import path; "*" at the end stands for any ending.
var readers = map[string][]string{
	"os":                                   {"Getenv", "LookupEnv", "ExpandEnv", "Environ"},
	"syscall":                              {"Getenv", "Environ"},
	"github.com/caarlos0/env/v11":          {"Parse*", "Must"},
	"go.temporal.io/sdk/contrib/envconfig": {"Load*", "Must*"},
}

// mayRead are the packages that read the environment, and what for. Everybody else is given values.
var mayRead = []struct {
	pattern string
	calls   []string
	why     string
}{
	{"@/sdk", []string{"env.Parse"}, "ConfigFromEnv"},
	{"@/apiserver", []string{"env.Parse*"}, "its Config"},
	{"@/workers", []string{"env.Parse*", "envconfig.Load*"}, "its Configs, and Temporal's official variables"},
	{"@/workers/agents/...", []string{"env.Parse*", "os.Environ"}, "its Config, and what the allow-list passes on to an agent"},
	{"@/cmd/...", []string{"env.Parse*", "envconfig.Load*", "os.Getenv", "os.LookupEnv", "os.Environ"}, "a program's own surroundings, such as TERM"},
	{"@/dev", []string{"os.Environ"}, "what the processes it starts inherit"},
	{"@/dev/cmd/...", []string{"env.Parse*", "os.Getenv", "os.LookupEnv", "os.Environ"}, "a program's own surroundings"},
	{"@/examples/...", []string{"os.Getenv", "os.Environ"}, "programs of their own"},
}

func TestEnvironmentIsReadWhereConfigsAreParsed(t *testing.T) {
	t.Parallel()
	files := 0
	for _, pkg := range goList(t, ".", "dev") {
		name := short(pkg.ImportPath)
		if !strings.HasPrefix(name, "@/") {
			continue
		}
		for _, file := range pkg.GoFiles {
			files++
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, filepath.Join(pkg.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, read := range environmentReads(set, parsed) {
				if !mayReadWith(name, read.call) {
					t.Errorf("%s: %s calls %s: a package is given its configuration; a Config is parsed by the program's own package", read.at, name, read.call)
				}
			}
		}
	}
	if files == 0 {
		t.Fatal("no files were looked at")
	}
}

func mayReadWith(pkg, call string) bool {
	for _, allowed := range mayRead {
		if matches(allowed.pattern, pkg) && slices.ContainsFunc(allowed.calls, func(p string) bool { return wildcard(p, call) }) {
			return true
		}
	}
	return false
}

func wildcard(pattern, name string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return name == pattern || open && strings.HasPrefix(name, prefix)
}

type environmentRead struct {
	call string // such as os.Getenv, with the package's own name whatever the import calls it
	at   token.Position
}

// environmentReads are the uses in a file of functions that read the environment, under whatever name the file imports them.
func environmentReads(set *token.FileSet, file *ast.File) []environmentRead {
	imported := map[string]string{} // the file's name for a package → its path
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || readers[path] == nil {
			continue
		}
		name := packageName(path)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imported[name] = path
	}
	var reads []environmentRead
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		base, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		path := imported[base.Name]
		if slices.ContainsFunc(readers[path], func(p string) bool { return wildcard(p, selector.Sel.Name) && !isType(selector.Sel.Name) }) {
			reads = append(reads, environmentRead{fmt.Sprintf("%s.%s", packageName(path), selector.Sel.Name), set.Position(selector.Pos())})
		}
		return true
	})
	return reads
}

// isType keeps env.ParseError and its like apart from the functions beside them.
func isType(name string) bool { return strings.HasSuffix(name, "Error") }

func packageName(path string) string {
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if strings.HasPrefix(last, "v") && strings.Trim(last[1:], "0123456789") == "" {
		last = parts[len(parts)-2]
	}
	return last
}

func TestEnvironmentReadsAreFound(t *testing.T) {
	t.Parallel()
	const source = `package p
import (
	"os"
	system "os"
	conf "github.com/caarlos0/env/v11"
	"example.com/env"
)
var _ = os.Getenv("A")
var _ = system.LookupEnv
var _, _ = conf.ParseAs[struct{}]()
var _ conf.ParseError
var _ = env.Parse()
var _ = os.Args
`
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, read := range environmentReads(set, file) {
		got = append(got, fmt.Sprintf("%s:%d", read.call, read.at.Line))
	}
	want := []string{"os.Getenv:8", "os.LookupEnv:9", "env.ParseAs:10"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if mayReadWith("@/workflows", "os.Getenv") {
		t.Error("workflows may read the environment")
	}
}
