package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDemo is `make demo`: the plan completes, with the work sent back once, or it ends with an error. At its end the log tells all of that, in its
// order.
func TestDemo(t *testing.T) {
	var replayed strings.Builder
	if err := run(t.Context(), config{Replay: &replayed}); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^  \d\d:\d\d:\d\d\.\d{3}  +(\d+)  ([a-z_.]+) +(.*)$`)
	last, tasks, plan, ran, done := 0, map[string][]string{}, []string{}, map[string]int{}, map[string]int{}
	for _, m := range line.FindAllStringSubmatch(replayed.String(), -1) {
		sequence, err := strconv.Atoi(m[1])
		if err != nil || sequence <= last {
			t.Errorf("the sequence %s follows %d", m[1], last)
		}
		last = sequence
		switch kind, whose := m[2], m[3]; {
		case strings.HasPrefix(whose, "…"):
			tasks[whose] = append(tasks[whose], kind)
			done[kind]++
		case strings.HasPrefix(kind, "plan."):
			plan = append(plan, kind)
			if step, running := strings.CutSuffix(whose, " is running"); running {
				ran[step]++
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"write": 2, "review": 2, "test": 2, "document": 1}, ran); diff != "" {
		t.Errorf("how often the steps began: %s", diff)
	}
	if n := len(plan); n < 4 || plan[0] != "plan.created" || plan[1] != "plan.started" || plan[n-1] != "plan.completed" {
		t.Errorf("the plan's own story: %q", plan)
	}
	if len(tasks) != 7 || done["code.generated"] != 2 || done["code.reviewed"] != 2 || done["code.tested"] < 1 {
		t.Errorf("%d tasks, of which came %v", len(tasks), done)
	}
	for id, story := range tasks {
		if story[0] != "task.created" || !slices.Contains(story, "task.completed") && !slices.Contains(story, "task.cancelled") {
			t.Errorf("task %s: %q", id, story)
		}
	}
	if t.Failed() {
		t.Log(replayed.String())
	}
}
