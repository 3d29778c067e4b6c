package rolecall_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/rolecall-dev/rolecall"

// graph is what each package imports, test files left out. Our packages are written with "@" for the module's path.
type graph map[string][]string

func (g graph) ours() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(g)), func(pkg string) bool { return !strings.HasPrefix(pkg, "@/") })
}

// importGraph asks the go command for the packages of the modules in the given directories and everything they import.
func importGraph(t *testing.T, dirs ...string) graph {
	t.Helper()
	g := graph{}
	for _, pkg := range goList(t, dirs...) {
		g[short(pkg.ImportPath)] = nil
		for _, path := range pkg.Imports {
			g[short(pkg.ImportPath)] = append(g[short(pkg.ImportPath)], short(path))
		}
	}
	return g
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func goList(t *testing.T, dirs ...string) []listed {
	t.Helper()
	var packages []listed
	for _, dir := range dirs {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,Imports", "./...")
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "GOWORK=off")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list in %s: %v\n%s", dir, err, stderr.String())
		}
		for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
			var pkg listed
			if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("go list in %s: %v", dir, err)
			}
			packages = append(packages, pkg)
		}
	}
	return packages
}

func short(path string) string {
	if rest, ok := strings.CutPrefix(path, modulePath+"/"); ok {
		return "@/" + rest
	}
	return path
}

// rule is about what packages import. Either only or never is set.
type rule struct {
	from    []string // the packages it is about
	except  []string // and those of them that it is not about
	only    []string // all they may import, the standard library aside
	never   []string // what they may not import
	through bool     // nor reach through other packages
	why     string
}

// matches tells whether a path is the pattern's, or below it where the pattern ends in "/...".
func matches(pattern, path string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return path == base || below && strings.HasPrefix(path, base+"/")
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

// check answers each breach of the rule in words.
func (r rule) check(g graph) []string {
	var breaches []string
	for _, pkg := range g.ours() {
		if !matchesAny(r.from, pkg) || matchesAny(r.except, pkg) {
			continue
		}
		for _, path := range g[pkg] {
			if r.only != nil && !standard(path) && !matchesAny(r.only, path) || matchesAny(r.never, path) {
				breaches = append(breaches, fmt.Sprintf("%s imports %s", pkg, path))
			}
		}
		if r.through {
			breaches = append(breaches, r.reached(g, pkg)...)
		}
	}
	return breaches
}

// reached answers the shortest way to each forbidden package that is not imported directly. Behind a forbidden package it looks
// no further.
func (r rule) reached(g graph, start string) []string {
	var breaches []string
	seen := map[string]bool{start: true}
	for ways := [][]string{{start}}; len(ways) > 0; ways = ways[1:] {
		way := ways[0]
		for _, next := range g[way[len(way)-1]] {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(way), next)
			switch {
			case !matchesAny(r.never, next):
				ways = append(ways, longer)
			case len(longer) > 2:
				breaches = append(breaches, strings.Join(longer, " → "))
			}
		}
	}
	return breaches
}

// standard tells whether a path is the standard library's: its first element is no domain.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != "@" && !strings.Contains(first, ".")
}
