package bench

import (
	"cmp"
	"slices"
	"time"
)

// Figure is one level with one number of callers, over all rounds: medians, and the ratios to the first level.
type Figure struct {
	Level   Level `json:"level"`
	Callers int   `json:"callers"`
	Tasks   int   `json:"tasks"`
	// P50 and PerSecond are the medians of the rounds.
	P50       time.Duration `json:"p50Ns"`
	PerSecond float64       `json:"perSecond"`
	// P99 is over the tasks of all rounds; zero where there are too few to speak of it.
	P99 time.Duration `json:"p99Ns,omitempty"`
	// P50Ratio, PerSecondRatio and CPURatio are to the first level in the same round; that of the CPU time is over all processes, and
	// zero where their time is not known.
	P50Ratio       Ratio `json:"p50Ratio"`
	PerSecondRatio Ratio `json:"perSecondRatio"`
	CPURatio       Ratio `json:"cpuRatio"`
	// CPUPerTask is what each process used for one task: the median of the rounds.
	CPUPerTask map[string]time.Duration `json:"cpuPerTaskNs"`
}

// leastForP99 is how many tasks a figure needs to have a P99: five of them take longer then. With fewer it is about the slowest one.
const leastForP99 = 500

// Ratio is the median of the rounds' ratios, with the least and the greatest.
type Ratio struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// Figures sums the blocks of a run up.
func Figures(set Settings, blocks []Block) []Figure {
	var all []Figure
	for _, callers := range set.Callers {
		first := of(blocks, set.Levels[0], callers)
		for _, level := range set.Levels {
			mine := of(blocks, level, callers)
			if len(mine) == 0 || len(mine) != len(first) {
				continue
			}
			all = append(all, figure(level, callers, mine, first))
		}
	}
	return all
}

// of are the blocks of one level and number of callers in the order of their rounds.
func of(blocks []Block, level Level, callers int) []Block {
	var mine []Block
	for _, b := range blocks {
		if b.Level == level && b.Callers == callers {
			mine = append(mine, b)
		}
	}
	slices.SortStableFunc(mine, func(a, b Block) int { return cmp.Compare(a.Round, b.Round) })
	return mine
}

func figure(level Level, callers int, mine, first []Block) Figure {
	f := Figure{Level: level, Callers: callers, CPUPerTask: map[string]time.Duration{}}
	var p50, whole []time.Duration
	var perSecond, slower, faster, dearer []float64
	cpu := map[string][]time.Duration{}
	for i, b := range mine {
		f.Tasks += len(b.Latencies)
		p50, whole = append(p50, b.p50()), append(whole, b.Latencies...)
		perSecond = append(perSecond, b.perSecond())
		slower = append(slower, float64(b.p50())/float64(first[i].p50()))
		faster = append(faster, b.perSecond()/first[i].perSecond())
		if cpu := first[i].allCPU(); cpu > 0 {
			dearer = append(dearer, float64(b.allCPU())/float64(cpu))
		}
		for name, used := range b.CPUPerTask {
			cpu[name] = append(cpu[name], used)
		}
	}
	f.P50, f.PerSecond = Median(p50), Median(perSecond)
	if len(whole) >= leastForP99 {
		slices.Sort(whole)
		f.P99 = Percentile(whole, 99)
	}
	f.P50Ratio, f.PerSecondRatio = RatioOf(slower), RatioOf(faster)
	if len(dearer) > 0 {
		f.CPURatio = RatioOf(dearer)
	}
	for name, used := range cpu {
		f.CPUPerTask[name] = Median(used)
	}
	return f
}

// RatioOf is that of at least one value.
func RatioOf(values []float64) Ratio {
	return Ratio{Median: Median(values), Least: slices.Min(values), Most: slices.Max(values)}
}

// Median of at least one value; of an even number, the mean of the two in the middle.
func Median[T ~int64 | float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
