package workflows

import (
	"os"
	"regexp"
	"testing"

	"github.com/rolecall-dev/rolecall/sdk"
)

// TestFollows_IsTheChartOfTheReadme holds the lifecycle and its chart together, edge by edge.
func TestFollows_IsTheChartOfTheReadme(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	charted := map[[2]sdk.Status]bool{}
	for _, edge := range regexp.MustCompile(`(?m)^\s+([a-z_]+) --> ([a-z_]+)`).FindAllStringSubmatch(string(page), -1) {
		charted[[2]sdk.Status{sdk.Status(edge[1]), sdk.Status(edge[2])}] = true
	}
	all := []sdk.Status{
		sdk.StatusQueued, sdk.StatusRunning, sdk.StatusInputRequired, sdk.StatusCompleted, sdk.StatusFailed, sdk.StatusCancelled,
	}
	edges := 0
	for _, from := range all {
		for _, to := range all {
			if follows(from, to) {
				edges++
			}
			if follows(from, to) != charted[[2]sdk.Status{from, to}] {
				t.Errorf("%s to %s: the code says %t, the chart %t", from, to, follows(from, to), charted[[2]sdk.Status{from, to}])
			}
		}
	}
	if edges != len(charted) {
		t.Errorf("the chart has %d edges, the lifecycle %d", len(charted), edges)
	}
}
