package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is everything about a run.
type Report struct {
	Began      time.Time `json:"began"`
	Machine    Machine   `json:"machine"`
	Server     string    `json:"server"` // Temporal's version
	LoadBefore string    `json:"loadBefore"`
	Busy       bool      `json:"busy"` // with something else at the start
	LoadAfter  string    `json:"loadAfter"`
	Settings   Settings  `json:"settings"`
	Figures    []Figure  `json:"figures"`
	Counts     []Counts  `json:"counts"`
	Blocks     []Block   `json:"blocks"`
}

// Markdown is the report as docs/performance.md shows one.
func (r Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	m := r.Machine
	line("%s, %s with %d cores, %s of memory, %s; Temporal server %s on SQLite, SDK %s.",
		m.OS, m.CPU, m.Cores, m.Memory, m.Go, r.Server, m.Versions["go.temporal.io/sdk"])
	line("%d rounds of %s a block after %s of warm-up, %d slots. Load average before %s, after %s.",
		r.Settings.Rounds, r.Settings.Block, r.Settings.WarmUp, r.Settings.Slots, r.LoadBefore, r.LoadAfter)
	if r.Busy {
		line("")
		line("The machine was busy with other work: read the ratios, and of those the CPU time's before the others.")
	}
	r.figures(line)
	r.cpu(line)
	if len(r.Counts) > 0 {
		line("")
		b.WriteString(CountTable(r.Counts))
	}
	return b.String()
}

func (r Report) figures(line func(string, ...any)) {
	line("")
	line("| callers | level | p50 | p99 | tasks a second | p50 to %[1]s | tasks a second to %[1]s |", string(r.Settings.Levels[0]))
	line("|---|---|---|---|---|---|---|")
	for _, f := range r.Figures {
		p99 := "–"
		if f.P99 > 0 {
			p99 = fmt.Sprintf("%.1f ms", Milliseconds(f.P99))
		}
		line("| %d | %s | %.1f ms | %s | %.1f | %s | %s |", f.Callers, f.Level,
			Milliseconds(f.P50), p99, f.PerSecond, f.P50Ratio, f.PerSecondRatio)
	}
}

func (r Ratio) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Least, r.Most) }

// cpu is a table of what each process used for one task, where that is known.
func (r Report) cpu(line func(string, ...any)) {
	line("")
	line("| callers | level | CPU time a task | to %s | Temporal | workflows | handlers | API | caller |", string(r.Settings.Levels[0]))
	line("|---|---|---|---|---|---|---|---|---|")
	for _, f := range r.Figures {
		all := Sum(f.CPUPerTask)
		show := func(parts ...Part) string {
			var used time.Duration
			for _, p := range parts {
				used += f.CPUPerTask[string(p)]
			}
			return fmt.Sprintf("%.1f ms", Milliseconds(used))
		}
		line("| %d | %s | %.1f ms | %s | %s | %s | %s | %s | %s |", f.Callers, f.Level, Milliseconds(all), f.CPURatio,
			show("temporal"), show(PartBareWorkflows, PartControl), show(PartBareActivities, PartRole), show(PartAPI), show(Caller))
	}
}

// CountTable is what one task of each level costs as a Markdown table.
func CountTable(counts []Counts) string {
	var b strings.Builder
	row := func(name string, cell func(Counts) string) {
		b.WriteString("| " + name + " |")
		for _, c := range counts {
			b.WriteString(" " + cell(c) + " |")
		}
		b.WriteString("\n")
	}
	number := func(of func(Counts) int) func(Counts) string {
		return func(c Counts) string { return fmt.Sprint(of(c)) }
	}
	row("of one short task", func(c Counts) string { return string(c.Level) })
	row("---", func(Counts) string { return "---" })
	row("history events", number(func(c Counts) int { return c.Events }))
	row("history bytes", number(func(c Counts) int { return c.HistoryBytes }))
	row("calls to Temporal", number(Counts.AllCalls))
	row("bytes in these calls", number(Counts.AllBytes))
	for _, of := range [][]Part{{Caller}, {PartAPI}, {PartBareWorkflows, PartControl}, {PartBareActivities, PartRole}} {
		name := map[Part]string{Caller: "caller", PartAPI: "API", PartBareWorkflows: "workflows", PartBareActivities: "handlers"}[of[0]]
		row(name, func(c Counts) string { return c.callsOf(of) })
	}
	return b.String()
}

// callsOf is the calls of some processes in words, the most frequent first.
func (c Counts) callsOf(parts []Part) string {
	var said []string
	for _, part := range parts {
		methods := c.Calls[part]
		for _, name := range slices.Sorted(maps.Keys(methods)) {
			said = append(said, fmt.Sprintf("%d %s", methods[name], name))
		}
	}
	if len(said) == 0 {
		return "–"
	}
	return strings.Join(said, ", ")
}
