package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Block is one measurement.
type Block struct {
	Round   int   `json:"round"`
	Level   Level `json:"level"`
	Callers int   `json:"callers"`
	Called  `json:"called"`
	// CPUPerTask is what each process used for one task.
	CPUPerTask map[string]time.Duration `json:"cpuPerTaskNs"`
}

// Measure runs the blocks: in every round every number of callers, and for each of them the levels one after the other, in an order of
// its own. say is told each block's outcome.
func (s *Site) Measure(ctx context.Context, set Settings, say func(string)) ([]Block, error) {
	var blocks []Block
	for round := range set.Rounds {
		for i, callers := range set.Callers {
			for _, level := range Order(set.Levels, round+i) {
				b, err := s.block(ctx, Call{Level: level, Callers: callers, WarmUp: set.WarmUp, Block: set.Block})
				if err != nil {
					return nil, err
				}
				b.Round = round
				blocks = append(blocks, b)
				say(fmt.Sprintf("round %d of %d  %2d callers  %-20s %6.1f ms %7.1f/s", round+1, set.Rounds, callers, level,
					Milliseconds(b.p50()), b.perSecond()))
			}
		}
	}
	return blocks, nil
}

func (s *Site) block(ctx context.Context, c Call) (Block, error) {
	pids := map[string]int{"temporal": s.stack.TemporalServer.Pid()}
	for _, p := range c.Level.parts() {
		pids[string(p)] = s.parts[p].Pid()
	}
	Rest(ctx, func() time.Duration { return Sum(CPUOf(pids)) })
	before := CPUOf(pids)
	called, err := s.call(ctx, c, s.stack.TemporalAddr())
	if err != nil {
		return Block{}, err
	}
	slices.Sort(called.Latencies)
	Rest(ctx, func() time.Duration { return Sum(CPUOf(pids)) }) // what is left to be done is this block's
	b := Block{Level: c.Level, Callers: c.Callers, Called: called, CPUPerTask: map[string]time.Duration{}}
	for name, after := range CPUOf(pids) {
		b.CPUPerTask[name] = (after - before[name]) / time.Duration(called.Finished)
	}
	b.CPUPerTask["caller"] = called.CPU / time.Duration(called.Finished)
	return b, nil
}

// Order is the n-th order that levels are measured in: they are turned by one place every second time, and every other time that is done
// backwards. Of three levels these are all six orders, so over six each level is first as often, and right after each other one as often.
func Order[T any](levels []T, n int) []T {
	turned := slices.Concat(levels[n/2%len(levels):], levels[:n/2%len(levels)])
	if n%2 == 1 {
		slices.Reverse(turned)
	}
	return turned
}

func (b Block) p50() time.Duration { return Percentile(b.Latencies, 50) }

// Percentile is the least of at least one sorted latency that p of a hundred do not exceed.
func Percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

func (b Block) perSecond() float64 { return float64(len(b.Latencies)) / b.Called.Block.Seconds() }

// allCPU is what all processes used for one task.
func (b Block) allCPU() time.Duration { return Sum(b.CPUPerTask) }

// Sum is what all of them used.
func Sum(byName map[string]time.Duration) time.Duration {
	var all time.Duration
	for _, d := range byName {
		all += d
	}
	return all
}

// Milliseconds is a time as reports show it.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
