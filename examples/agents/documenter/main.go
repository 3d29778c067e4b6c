// Command documenter runs the real `go doc` in a folder and writes what it says into a page of that folder.
package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rolecall-dev/rolecall/examples/agents/lines"
)

// page is the file that is written.
const page = "API.md"

func main() {
	var input struct {
		Dir   string `json:"dir"`
		Notes string `json:"notes"`
	}
	if _, err := lines.Assignment(&input); err != nil {
		lines.Fail("invalid_input", false, "%v", err)
	}
	lines.Progress(20, "reading", "go doc -all .")
	doc := exec.Command("go", "doc", "-all", ".")
	doc.Dir = input.Dir
	said, err := doc.Output()
	if err != nil {
		lines.Fail("doc_failed", true, "go doc: %v", err)
	}
	lines.Progress(80, "writing", "%s", page)
	content := "# API\n\n" + input.Notes + "\n\n```\n" + string(bytes.TrimSpace(said)) + "\n```\n"
	if err := os.WriteFile(filepath.Join(input.Dir, page), []byte(content), 0o644); err != nil {
		lines.Fail("write_failed", true, "%v", err)
	}
	lines.Result(map[string]any{"file": page, "lines": bytes.Count([]byte(content), []byte("\n"))})
}
