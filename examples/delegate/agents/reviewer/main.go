// Command reviewer runs the real `go vet` and `gofmt -l` in a folder and passes judgement by what they say.
package main

import (
	"os/exec"
	"strings"

	"github.com/rolecall-dev/rolecall/examples/delegate/agents/lines"
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
		if text := strings.TrimSpace(string(out)); text != "" {
			findings = append(findings, tool[0]+": "+text)
		} else if err != nil {
			lines.Fail("tool_failed", true, "%s: %v", tool[0], err)
		}
	}
	lines.Progress(100, "reviewing", "%d findings", len(findings))
	lines.Result(map[string]any{"approved": len(findings) == 0, "findings": findings})
}
