package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/bench"
)

// TestMeasure is a run as short as there is: every level is done, in processes of its own.
func TestMeasure(t *testing.T) {
	t.Parallel()
	set := bench.Settings{Callers: []int{2}, Rounds: 1, Block: time.Second, WarmUp: 100 * time.Millisecond}.WithDefaults()
	site, err := bench.Open(t.Context(), dev.Options{Report: func(what string) { t.Log(what) }}, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	}()
	said := 0
	blocks, err := site.Measure(t.Context(), set, func(string) { said++ })
	if err != nil {
		t.Fatal(err)
	}
	report := bench.Report{Settings: set, Figures: bench.Figures(set, blocks), Blocks: blocks}
	if len(report.Figures) != 3 || said != 3 {
		t.Fatalf("%d figures, %d blocks said", len(report.Figures), said)
	}
	for _, f := range report.Figures {
		if f.Tasks == 0 || f.P50 <= 0 || f.PerSecond <= 0 {
			t.Errorf("%s: %+v", f.Level, f)
		}
		if !strings.Contains(report.Markdown(), "| 2 | "+f.Level.String()+" |") {
			t.Errorf("the report has no line of %s:\n%s", f.Level, report.Markdown())
		}
	}
}

func TestFiguresAreMediansOfRounds(t *testing.T) {
	t.Parallel()
	set := bench.Settings{Levels: []bench.Level{bench.Bare, bench.TaskRun}, Callers: []int{1}, Rounds: 3}
	block := func(round int, level bench.Level, ms ...int) bench.Block {
		b := bench.Block{Round: round, Level: level, Callers: 1, Called: bench.Called{Block: time.Second}}
		for _, n := range ms {
			b.Latencies = append(b.Latencies, time.Duration(n)*time.Millisecond)
		}
		return b
	}
	got := bench.Figures(set, []bench.Block{
		block(0, bench.Bare, 10, 10), block(0, bench.TaskRun, 12),
		block(1, bench.TaskRun, 60, 60), block(1, bench.Bare, 40, 40, 40), // a round in which the machine was slow
		block(2, bench.Bare, 10, 20, 30), block(2, bench.TaskRun, 22, 22, 22),
	})
	if len(got) != 2 {
		t.Fatalf("%d figures", len(got))
	}
	bare, task := got[0], got[1]
	if bare.P50 != 20*time.Millisecond || bare.Tasks != 8 || bare.PerSecond != 3 || bare.P50Ratio != (bench.Ratio{Median: 1, Least: 1, Most: 1}) {
		t.Errorf("bare: %+v", bare)
	}
	if task.P50 != 22*time.Millisecond || task.P99 != 0 || task.P50Ratio != (bench.Ratio{Median: 1.2, Least: 1.1, Most: 1.5}) {
		t.Errorf("task: %+v", task)
	}
	if want := (bench.Ratio{Median: 2. / 3, Least: 0.5, Most: 1}); task.PerSecondRatio != want {
		t.Errorf("throughput: %+v, want %+v", task.PerSecondRatio, want)
	}
}

func TestSettingsNameEveryFault(t *testing.T) {
	t.Parallel()
	if err := (bench.Settings{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := bench.Settings{Levels: []bench.Level{"L9", "L0", "L0"}, Callers: []int{0, 5, 5}, Rounds: -1, Block: time.Hour, WarmUp: -1, Slots: -1, Counted: 5000}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`level "L9"`, "level L0 is named twice", "callers 0", "callers 5 is named twice", "rounds", "block", "warm-up", "slots", "counted"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
}

func TestIntoPage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n<!-- what make bench printed: begin -->\nold\n<!-- what make bench printed: end -->\nafter\n")
	if err := bench.IntoPage(file, bench.TaskReport, "new\n"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(raw); strings.Contains(got, "old") || !strings.Contains(got, "new\n") || !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "after\n") {
		t.Errorf("the page is %q", got)
	}
	write("no marks\n")
	if err := bench.IntoPage(file, bench.TaskReport, "new\n"); err == nil {
		t.Error("a page without marks is accepted")
	}
}
