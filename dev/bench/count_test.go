package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/bench"
)

// wanted is what one short task costs at each level. A change that makes a task dearer or cheaper changes it here and in
// docs/performance.md.
func wanted() []bench.Counts {
	workflows := map[string]int{"PollWorkflowTaskQueue": 2, "RespondWorkflowTaskCompleted": 2}
	handlers := map[string]int{"PollActivityTaskQueue": 1, "RespondActivityTaskCompleted": 1}
	caller := map[string]int{"StartWorkflowExecution": 1, "GetWorkflowExecutionHistory": 1}
	return []bench.Counts{
		{Level: bench.Bare, Events: 11, Calls: map[bench.Part]map[string]int{
			bench.Caller: caller, bench.PartBareWorkflows: workflows, bench.PartBareActivities: handlers,
		}},
		{Level: bench.TaskRun, Events: 14, Calls: map[bench.Part]map[string]int{
			bench.Caller: caller, bench.PartControl: workflows, bench.PartRole: handlers,
		}},
		{Level: bench.API, Events: 14, Calls: map[bench.Part]map[string]int{
			bench.Caller: {}, bench.PartControl: workflows, bench.PartRole: handlers,
			bench.PartAPI: {"StartWorkflowExecution": 1, "GetWorkflowExecutionHistory": 1},
		}},
	}
}

// The bytes are bounded only: times and ids in them differ in length.
const (
	mostHistoryBytes = 6500
	mostCallBytes    = 16_000
	runDiffers       = 64 // of the histories of a run that the API started and one that was started in its stead
)

func TestWhatOneShortTaskCosts(t *testing.T) {
	t.Parallel()
	got, err := bench.CountTasks(t.Context(), dev.Options{Report: func(what string) { t.Log(what) }}, bench.Settings{Counted: 15})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", bench.CountTable(got))
	started := 0
	for i, c := range got {
		if c.HistoryBytes > mostHistoryBytes || c.AllBytes() > mostCallBytes {
			t.Errorf("%s: %d bytes of history, %d in calls; want at most %d and %d", c.Level, c.HistoryBytes, c.AllBytes(), mostHistoryBytes, mostCallBytes)
		}
		if c.Level == bench.TaskRun {
			started = c.HistoryBytes
		}
		if c.Level == bench.API && max(started-c.HistoryBytes, c.HistoryBytes-started) > runDiffers {
			t.Errorf("a run of the API has %d bytes of history, one that was started as the API would has %d", c.HistoryBytes, started)
		}
		if c.Events > got[0].Events+3 {
			t.Errorf("%s: %d history events, more than 3 beyond the %d of the bare run", c.Level, c.Events, got[0].Events)
		}
		got[i].HistoryBytes, got[i].CallBytes = 0, nil
	}
	if diff := cmp.Diff(wanted(), got); diff != "" {
		t.Errorf("what one short task costs has changed (-want +got); if that is meant, change the test and docs/performance.md:\n%s", diff)
	}
}

// TestPageSaysWhatATaskCosts holds docs/performance.md to the counts above and to the kept histories.
func TestPageSaysWhatATaskCosts(t *testing.T) {
	t.Parallel()
	page := performancePage(t)
	for line := range strings.Lines(bench.CountTable(wanted())) {
		if !strings.Contains(line, "bytes") && !strings.Contains(page, line) {
			t.Errorf("docs/performance.md does not have the line %s", line)
		}
	}
	for name, row := range keptEvents(t) {
		if !strings.Contains(page, row) {
			t.Errorf("docs/performance.md does not have %q for the kept history %s", row, name)
		}
	}
}

func performancePage(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root(t), "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := dev.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
