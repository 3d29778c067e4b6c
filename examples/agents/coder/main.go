// Command coder stands in for a coding agent: it applies a change that was prepared beforehand, and says so. At first that is a draft; when a
// reviewer has sent its work back it is the final one.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rolecall-dev/rolecall/examples/agents/lines"
)

// input is that of the task. Feedback is what a gate of the plan adds to it.
type input struct {
	Dir      string `json:"dir"`
	Feedback *struct {
		From   string `json:"from"`
		Round  int    `json:"round"`
		Output struct {
			Findings []string `json:"findings"`
		} `json:"output"`
		Previous json.RawMessage `json:"previous"`
	} `json:"feedback"`
}

func main() {
	changes := flag.String("changes", "", "the folder of prepared changes: draft and final")
	flag.Parse()
	var in input
	if _, err := lines.Assignment(&in); err != nil {
		lines.Fail("invalid_input", false, "%v", err)
	}
	change := "draft"
	if f := in.Feedback; f != nil {
		change = "final"
		lines.Progress(5, "reading", "round %d, %s found: %s", f.Round, f.From, strings.Join(f.Output.Findings, "; "))
	}
	lines.Progress(10, "reading", "no AI agent is used here: the prepared change %s is applied", change)
	files, err := apply(filepath.Join(*changes, change), in.Dir)
	if err != nil {
		lines.Fail("no_such_change", false, "%v", err)
	}
	lines.Progress(60, "building", "%s changed, now go build", strings.Join(files, ", "))
	build := exec.Command("go", "build", "./...")
	build.Dir = in.Dir
	if out, err := build.CombinedOutput(); err != nil {
		lines.Fail("build_failed", true, "%s: %s", err, out)
	}
	lines.Progress(100, "done", "it builds")
	lines.Result(map[string]any{"summary": "applied the prepared change " + change, "files": files})
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
