package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDemo is `make demo`: the coordinator's tasks complete, the first one degraded, or it ends with an error. At its end the log tells all
// of that, in its order.
func TestDemo(t *testing.T) {
	var replayed strings.Builder
	if err := run(t.Context(), config{Replay: &replayed}); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^  \d\d:\d\d:\d\d\.\d{3}  +(\d+)  ([a-z_.]+) +(….{8})$`)
	stories, last := map[string][]string{}, 0
	var order []string
	for _, m := range line.FindAllStringSubmatch(replayed.String(), -1) {
		sequence, err := strconv.Atoi(m[1])
		if err != nil || sequence <= last {
			t.Errorf("the sequence %s follows %d", m[1], last)
		}
		last = sequence
		if stories[m[3]] == nil {
			order = append(order, m[3])
		}
		stories[m[3]] = append(stories[m[3]], m[2])
	}
	if len(order) != 3 {
		t.Fatalf("the stories of %d tasks were replayed:\n%s", len(order), &replayed)
	}
	for i, done := range []string{"code.generated", "code.tested", "code.reviewed"} {
		story := stories[order[i]]
		n := len(story)
		if n < 5 || story[0] != "task.created" || story[n-2] != "task.completed" || story[n-1] != done {
			t.Errorf("task %d: %q", i+1, story)
		}
	}
	if !slices.Contains(stories[order[0]], "task.fallback") {
		t.Errorf("the first one fell back, and its story does not tell: %q", stories[order[0]])
	}
}
