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

// Measure runs the blocks: in every round every number of callers, and for each of them the levels one after the other, each time
// beginning with the next one. say is told each block's outcome.
func (s *Site) Measure(ctx context.Context, set Settings, say func(string)) ([]Block, error) {
	var blocks []Block
	for round := range set.Rounds {
		for i, callers := range set.Callers {
			for j := range set.Levels {
				level := set.Levels[(round+i+j)%len(set.Levels)]
				b, err := s.block(ctx, Call{Level: level, Callers: callers, WarmUp: set.WarmUp, Block: set.Block})
				if err != nil {
					return nil, err
				}
				b.Round = round
				blocks = append(blocks, b)
				say(fmt.Sprintf("round %d of %d  %2d callers  %-20s %6.1f ms %7.1f/s", round+1, set.Rounds, callers, level,
					milliseconds(b.percentile(50)), b.perSecond()))
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
	before := cpuOf(pids)
	called, err := s.call(ctx, c, s.stack.TemporalAddr())
	if err != nil {
		return Block{}, err
	}
	if len(called.Latencies) == 0 {
		return Block{}, fmt.Errorf("bench: no task of %s with %d callers ended in %s: use a longer block", c.Level, c.Callers, c.Block)
	}
	slices.Sort(called.Latencies)
	b := Block{Level: c.Level, Callers: c.Callers, Called: called, CPUPerTask: map[string]time.Duration{}}
	for name, after := range cpuOf(pids) {
		b.CPUPerTask[name] = (after - before[name]) / time.Duration(called.Finished)
	}
	b.CPUPerTask["caller"] = called.CPU / time.Duration(called.Finished)
	return b, nil
}

// percentile is the latency that p of a hundred do not exceed.
func (b Block) percentile(p int) time.Duration {
	return b.Latencies[min(len(b.Latencies)*p/100, len(b.Latencies)-1)]
}

func (b Block) perSecond() float64 { return float64(len(b.Latencies)) / b.Called.Block.Seconds() }

// allCPU is what all processes used for one task.
func (b Block) allCPU() time.Duration {
	var all time.Duration
	for _, used := range b.CPUPerTask {
		all += used
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
