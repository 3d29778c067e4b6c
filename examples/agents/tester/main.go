// Command tester runs the real `go test -json` in a folder and reports each test as it ends.
package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"

	"github.com/rolecall-dev/rolecall/examples/agents/lines"
)

// event is one line of go test -json.
type event struct {
	Action string
	Test   string
	Output string
}

func main() {
	var input struct {
		Dir string `json:"dir"`
	}
	if _, err := lines.Assignment(&input); err != nil {
		lines.Fail("invalid_input", false, "%v", err)
	}
	list := exec.Command("go", "test", "-list", ".", ".")
	list.Dir = input.Dir
	out, err := list.CombinedOutput()
	if err != nil {
		lines.Fail("build_failed", false, "go test -list: %v: %s", err, out)
	}
	passed, failed, err := run(input.Dir, countTests(string(out)))
	if err != nil {
		lines.Fail("test_run_failed", true, "%v", err)
	}
	lines.Result(map[string]any{"passed": passed, "failed": failed, "ok": len(failed) == 0})
}

// run runs the tests, reporting progress by test, and answers the names of what passed and failed.
func run(dir string, total int) (passed, failed []string, err error) {
	cmd := exec.Command("go", "test", "-json", "-count=1", ".")
	cmd.Dir = dir
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	passed, failed = []string{}, []string{}
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		switch e.Action {
		case "pass":
			passed = append(passed, e.Test)
		case "fail":
			failed = append(failed, e.Test)
		default:
			continue
		}
		done := len(passed) + len(failed)
		lines.Progress(100*float64(done)/float64(max(total, done)), "testing", "%s %s", e.Test, e.Action)
	}
	if err := scanner.Err(); err != nil {
		return nil, nil, err
	}
	if err := cmd.Wait(); err != nil && len(failed) == 0 {
		return nil, nil, err
	}
	return passed, failed, nil
}

// countTests counts the names in the output of go test -list.
func countTests(list string) int {
	n := 0
	for line := range strings.Lines(list) {
		if len(line) > 4 && line[:4] == "Test" {
			n++
		}
	}
	return n
}
