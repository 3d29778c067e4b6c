// Command coder stands in for a coding agent: it applies a change that was prepared beforehand, and says so. Its first model has
// a change that does not compile; it finds that out as an agent would, by building.
package main

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/examples/delegate/agents/lines"
)

func main() {
	changes := flag.String("changes", "", "the folder of prepared changes, one folder a model")
	flag.Parse()
	var input struct {
		Dir string `json:"dir"`
	}
	a, err := lines.Assignment(&input)
	if err != nil {
		lines.Fail("invalid_input", false, "%v", err)
	}
	model := a.Model
	if model == "" {
		model = "draft"
	}
	lines.Progress(10, "reading", "no AI agent is used here: %s applies a prepared change", model)
	files, err := apply(filepath.Join(*changes, model), input.Dir)
	if err != nil {
		lines.Fail("no_such_change", false, "%v", err)
	}
	lines.Progress(60, "building", "%s changed, now go build", strings.Join(files, ", "))
	build := exec.Command("go", "build", "./...")
	build.Dir = input.Dir
	if out, err := build.CombinedOutput(); err != nil {
		lines.Fail("build_failed", true, "%s: %s", err, out)
	}
	lines.Progress(100, "done", "it builds")
	lines.Result(map[string]any{"summary": "applied the prepared change of " + model, "files": files})
}

// apply copies every file of the change over the one in dir and answers their names.
func apply(change, dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(change, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(change, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		names = append(names, name)
		return os.WriteFile(filepath.Join(dir, name), content, 0o644)
	})
	if err == nil && len(names) == 0 {
		err = errors.New("the change is empty: " + change)
	}
	return names, err
}
