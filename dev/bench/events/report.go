package events

import (
	"fmt"
	"strings"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

// Report is everything about a run.
type Report struct {
	Began      time.Time     `json:"began"`
	Machine    bench.Machine `json:"machine"`
	Server     string        `json:"server"` // NATS's version
	LoadBefore string        `json:"loadBefore"`
	Busy       bool          `json:"busy"` // with something else at the start
	LoadAfter  string        `json:"loadAfter"`
	Settings   Settings      `json:"settings"`
	Figures    Figures       `json:"figures"`
	Blocks     Blocks        `json:"blocks"`
}

// Server is the version of the site's NATS.
func (s *Site) Server() string { return s.server }

// Markdown is the report as docs/performance.md shows one.
func (r Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	m, set := r.Machine, r.Settings
	line("%s, %s with %d cores, %s of memory, %s; NATS server %s, nats.go %s, every write synchronous.",
		m.OS, m.CPU, m.Cores, m.Memory, m.Go, r.Server, m.Versions["github.com/nats-io/nats.go"])
	line("%d rounds; %s a block of publishing after %s of warm-up; %d events to each follower, one every %s. Load average before %s, after %s.",
		set.Rounds, set.Block, set.WarmUp, set.Delivered, set.Every, r.LoadBefore, r.LoadAfter)
	if r.Busy {
		line("")
		line("The machine was busy with other work: read the ratios, and of those the CPU time's before the others.")
	}
	r.Figures.publishing(line)
	r.Figures.delivery(line)
	r.Figures.replay(line)
	return b.String()
}

func (f Figures) publishing(line func(string, ...any)) {
	line("")
	line("| publishers | events a call | level | p50 of a call | p99 | events a second | p50 to E0 | events a second to E0 | CPU time an event | to E0 |")
	line("|---|---|---|---|---|---|---|---|---|---|")
	for _, p := range f.Publishing {
		p99 := "–"
		if p.P99 > 0 {
			p99 = fmt.Sprintf("%.2f ms", bench.Milliseconds(p.P99))
		}
		line("| %d | %d | %s | %.2f ms | %s | %.0f | %s | %s | %.0f µs | %s |", p.Publishers, p.Batch, p.Level, bench.Milliseconds(p.P50), p99,
			p.PerSecond, p.P50Ratio, p.PerSecondRatio, microseconds(p.CPUPerEvent), p.CPURatio)
	}
}

func (f Figures) delivery(line func(string, ...any)) {
	line("")
	line("| followers | events delivered | the bare write, p50 | publish → acknowledged, p50 | publish → delivered, p50 | p99 | p50 beyond the write | CPU time an event: API | log | followers | memory of the API more | of the log |")
	line("|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, d := range f.Delivery {
		once := fmt.Sprintf("%d, each once", d.Got)
		if d.Wrong > 0 {
			once = fmt.Sprintf("%d, %d followers not each once", d.Got, d.Wrong)
		}
		line("| %d | %s | %.2f ms | %.2f ms | %.2f ms | %.2f ms | %.2f ms (%.2f–%.2f) | %.0f µs | %.0f µs | %.0f µs | %.1f MiB | %.1f MiB |", d.Followers, once,
			bench.Milliseconds(d.Write), bench.Milliseconds(d.Ack), bench.Milliseconds(d.P50), bench.Milliseconds(d.P99),
			bench.Milliseconds(d.Beyond), bench.Milliseconds(d.LeastBeyond), bench.Milliseconds(d.MostBeyond),
			microseconds(d.CPUPerEvent[partAPI]), microseconds(d.CPUPerEvent[partLog]), microseconds(d.CPUPerEvent[partCaller]),
			mebibytes(d.Grown[partAPI]), mebibytes(d.Grown[partLog]))
	}
}

func (f Figures) replay(line func(string, ...any)) {
	if len(f.Replay) == 0 {
		return
	}
	line("")
	line("| replay of | level | events a second | to E0 | the first event after | most memory of the API | of that more | most memory of the log | of that more |")
	line("|---|---|---|---|---|---|---|---|---|")
	for _, r := range f.Replay {
		line("| %d events | %s | %.0f | %s | %.1f ms | %.0f MiB | %.0f MiB | %.0f MiB | %.0f MiB |", r.Events, r.Level, r.PerSecond, r.Ratio, bench.Milliseconds(r.First),
			mebibytes(r.Peak[partAPI]), mebibytes(r.Grown[partAPI]), mebibytes(r.Peak[partLog]), mebibytes(r.Grown[partLog]))
	}
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
