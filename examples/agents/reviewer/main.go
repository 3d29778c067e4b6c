// Command reviewer runs the real `go vet` and `gofmt -l` in a folder and passes judgement by what they say: its quality gate is passed when
// they find nothing.
package main

import (
	"os/exec"
	"strings"

	"github.com/rolecall-dev/rolecall/examples/agents/lines"
)

func main() {
	var input struct {
		Dir string `json:"dir"`
	}
	if _, err := lines.Assignment(&input); err != nil {
		lines.Fail("invalid_input", false, "%v", err)
	}
	findings := []string{}
	for i, tool := range [][]string{{"go", "vet", "./..."}, {"gofmt", "-l", "."}} {
		lines.Progress(float64(i)*50, "reviewing", "%s", strings.Join(tool, " "))
		cmd := exec.Command(tool[0], tool[1:]...)
		cmd.Dir = input.Dir
		out, err := cmd.CombinedOutput()
		found := complaints(strings.Join(tool[:2], " "), string(out))
		if err != nil && len(found) == 0 {
			lines.Fail("tool_failed", true, "%s: %v", tool[0], err)
		}
		findings = append(findings, found...)
	}
	approved, summary := len(findings) == 0, "nothing to complain of"
	if !approved {
		summary = "it does not pass: " + findings[0]
	}
	lines.Progress(100, "reviewing", "%s", summary)
	lines.Verdict(approved, map[string]any{"approved": approved, "summary": summary, "findings": findings})
}

// complaints are the lines that a tool printed, with its name, without those that only name a package.
func complaints(tool, out string) (found []string) {
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, tool+": "+line)
		}
	}
	return found
}
