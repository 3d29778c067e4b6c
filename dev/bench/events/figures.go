package events

import (
	"slices"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

func (b PublishBlock) p50() time.Duration { return bench.Percentile(b.Latencies, 50) }

// perSecond is events.
func (b PublishBlock) perSecond() float64 { return float64(b.Published.Events) / b.Block.Seconds() }

func (b PublishBlock) cpu() time.Duration { return bench.Sum(b.CPUPerEvent) }

func (b ReplayBlock) perSecond() float64 { return float64(b.Events) / b.Took.Seconds() }

// beyond is how much longer than the bare write it took until half of the followers' events were there.
func (b DeliverBlock) beyond() time.Duration {
	return b.Followed.P50 - bench.Percentile(b.Sent.Writes, 50)
}

// grown is by how much a server's memory grew at most.
func grown(before, peak map[string]int64, part string) int64 { return peak[part] - before[part] }

// PublishFigure is one level with one number of publishers and one size of batch: medians of the rounds, and ratios to the first level
// in the same round.
type PublishFigure struct {
	Level          Level         `json:"level"`
	Publishers     int           `json:"publishers"`
	Batch          int           `json:"batch"`
	P50            time.Duration `json:"p50Ns"` // of a call
	P99            time.Duration `json:"p99Ns"` // over the calls of all rounds; zero where there are too few
	PerSecond      float64       `json:"perSecond"`
	P50Ratio       bench.Ratio   `json:"p50Ratio"`
	PerSecondRatio bench.Ratio   `json:"perSecondRatio"`
	// CPUPerEvent is what all processes used; zero where that is not known.
	CPUPerEvent time.Duration `json:"cpuPerEventNs"`
	CPURatio    bench.Ratio   `json:"cpuRatio"`
}

// DeliverFigure is one number of followers: medians of the rounds, and of memory the most.
type DeliverFigure struct {
	Followers   int                      `json:"followers"`
	Got         int                      `json:"got"`   // events, of all followers
	Wrong       int                      `json:"wrong"` // followers that did not get every event once and in order
	Write       time.Duration            `json:"writeNs"`
	Ack         time.Duration            `json:"ackNs"`
	P50         time.Duration            `json:"p50Ns"`
	P99         time.Duration            `json:"p99Ns"`
	Beyond      time.Duration            `json:"beyondNs"` // p50 less Write
	LeastBeyond time.Duration            `json:"leastBeyondNs"`
	MostBeyond  time.Duration            `json:"mostBeyondNs"`
	CPUPerEvent map[string]time.Duration `json:"cpuPerEventNs"`
	// Grown is by how many bytes a server's memory grew at most.
	Grown map[string]int64 `json:"grownBytes"`
}

// ReplayFigure is the replay at one level.
type ReplayFigure struct {
	Level     Level            `json:"level"`
	Events    int              `json:"events"`
	PerSecond float64          `json:"perSecond"`
	First     time.Duration    `json:"firstNs"`
	Ratio     bench.Ratio      `json:"ratio"` // of events a second, to the first level
	Peak      map[string]int64 `json:"peakBytes"`
	Grown     map[string]int64 `json:"grownBytes"`
}

// Figures sums the blocks of a run up.
type Figures struct {
	Publishing []PublishFigure `json:"publishing"`
	Delivery   []DeliverFigure `json:"delivery"`
	Replay     []ReplayFigure  `json:"replay"`
}

// leastForP99 is how many calls a figure needs to have a P99.
const leastForP99 = 500

// FiguresOf sums the blocks of a run up.
func FiguresOf(set Settings, b Blocks) (f Figures) {
	for _, batch := range set.Batches {
		for _, publishers := range set.Publishers {
			of := func(l Level) []PublishBlock {
				return chosen(b.Publishing, func(b PublishBlock) bool { return b.Level == l && b.Publishers == publishers && b.Batch == batch })
			}
			for _, level := range Levels() {
				if mine, first := of(level), of(Raw); len(mine) > 0 && len(mine) == len(first) {
					f.Publishing = append(f.Publishing, publishFigure(mine, first))
				}
			}
		}
	}
	for _, followers := range set.Followers {
		if mine := chosen(b.Delivery, func(b DeliverBlock) bool { return b.Followers == followers }); len(mine) > 0 {
			f.Delivery = append(f.Delivery, deliverFigure(mine))
		}
	}
	first := chosen(b.Replay, func(b ReplayBlock) bool { return b.Level == Raw })
	for _, level := range []Level{Raw, HTTP} {
		if mine := chosen(b.Replay, func(b ReplayBlock) bool { return b.Level == level }); len(mine) > 0 && len(mine) == len(first) {
			f.Replay = append(f.Replay, replayFigure(mine, first))
		}
	}
	return f
}

func chosen[B any](all []B, is func(B) bool) []B {
	return slices.DeleteFunc(slices.Clone(all), func(b B) bool { return !is(b) })
}

// each is a value of every block.
func each[B, T any](blocks []B, of func(B) T) []T {
	values := make([]T, len(blocks))
	for i, b := range blocks {
		values[i] = of(b)
	}
	return values
}

// ratios are those of a value of each block to that of the first level in the same round.
func ratios[B any](mine, first []B, of func(B) float64) bench.Ratio {
	all := make([]float64, len(mine))
	for i := range mine {
		all[i] = of(mine[i]) / of(first[i])
	}
	return bench.RatioOf(all)
}

func publishFigure(mine, first []PublishBlock) PublishFigure {
	f := PublishFigure{
		Level: mine[0].Level, Publishers: mine[0].Publishers, Batch: mine[0].Batch,
		P50:            bench.Median(each(mine, PublishBlock.p50)),
		PerSecond:      bench.Median(each(mine, PublishBlock.perSecond)),
		P50Ratio:       ratios(mine, first, func(b PublishBlock) float64 { return float64(b.p50()) }),
		PerSecondRatio: ratios(mine, first, PublishBlock.perSecond),
		CPUPerEvent:    bench.Median(each(mine, PublishBlock.cpu)),
	}
	if first[0].cpu() > 0 {
		f.CPURatio = ratios(mine, first, func(b PublishBlock) float64 { return float64(b.cpu()) })
	}
	if all := slices.Concat(each(mine, func(b PublishBlock) []time.Duration { return b.Latencies })...); len(all) >= leastForP99 {
		slices.Sort(all)
		f.P99 = bench.Percentile(all, 99)
	}
	return f
}

func deliverFigure(mine []DeliverBlock) DeliverFigure {
	beyond := each(mine, DeliverBlock.beyond)
	f := DeliverFigure{
		Followers: mine[0].Followers, Beyond: bench.Median(beyond), LeastBeyond: slices.Min(beyond), MostBeyond: slices.Max(beyond),
		P50:         bench.Median(each(mine, func(b DeliverBlock) time.Duration { return b.Followed.P50 })),
		P99:         bench.Median(each(mine, func(b DeliverBlock) time.Duration { return b.Followed.P99 })),
		Write:       bench.Median(each(mine, func(b DeliverBlock) time.Duration { return bench.Percentile(b.Sent.Writes, 50) })),
		Ack:         bench.Median(each(mine, func(b DeliverBlock) time.Duration { return bench.Percentile(b.Sent.Acks, 50) })),
		CPUPerEvent: map[string]time.Duration{}, Grown: map[string]int64{},
	}
	for _, b := range mine {
		f.Got, f.Wrong = f.Got+b.Followed.Got, f.Wrong+b.Followed.Wrong
		for part := range b.Peak {
			f.Grown[part] = max(f.Grown[part], grown(b.Before, b.Peak, part))
		}
	}
	for part := range mine[0].CPUPerEvent {
		f.CPUPerEvent[part] = bench.Median(each(mine, func(b DeliverBlock) time.Duration { return b.CPUPerEvent[part] }))
	}
	return f
}

func replayFigure(mine, first []ReplayBlock) ReplayFigure {
	f := ReplayFigure{
		Level: mine[0].Level, Events: mine[0].Events,
		PerSecond: bench.Median(each(mine, ReplayBlock.perSecond)),
		First:     bench.Median(each(mine, func(b ReplayBlock) time.Duration { return b.First })),
		Ratio:     ratios(mine, first, ReplayBlock.perSecond),
		Peak:      map[string]int64{}, Grown: map[string]int64{},
	}
	for _, b := range mine {
		for part, peak := range b.Peak {
			f.Peak[part] = max(f.Peak[part], peak)
			f.Grown[part] = max(f.Grown[part], grown(b.Before, b.Peak, part))
		}
	}
	return f
}
