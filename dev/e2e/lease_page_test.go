package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall-dev/rolecall/dev"
)

// The agent on the page about working over HTTP is the one that is tested.
func TestShellAgentOnItsPage(t *testing.T) {
	t.Parallel()
	root, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	agent, err := os.ReadFile(filepath.Join(root, "examples", "agents", "http-agent.sh"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "reference", "agents-over-http.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```sh\n"+string(agent)+"```\n") {
		t.Error("the page does not show examples/agents/http-agent.sh as it is")
	}
}
