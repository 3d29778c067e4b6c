package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
	"github.com/rolecall-dev/rolecall/dev/bench/events"
)

const ms = time.Millisecond

func TestFiguresAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	set := events.Settings{Publishers: []int{1}, Batches: []int{100}, Followers: []int{10}}
	block := func(round int, l events.Level, perCall time.Duration, calls int) events.PublishBlock {
		b := events.PublishBlock{Round: round, Level: l, Publishers: 1, Batch: 100}
		b.Block, b.Events = time.Second, calls*100
		for range calls {
			b.Latencies = append(b.Latencies, perCall)
		}
		return b
	}
	parcels := func(p50, write time.Duration, grown int64, wrong int) events.DeliverBlock {
		return events.DeliverBlock{
			Followers: 10, Sent: events.Sent{Writes: []time.Duration{write}, Acks: []time.Duration{write}},
			Followed: events.Followed{P50: p50, P99: p50, Got: 100, Wrong: wrong},
			Before:   map[string]int64{"api": 10 << 20}, Peak: map[string]int64{"api": 10<<20 + grown},
		}
	}
	got := events.FiguresOf(set, events.Blocks{
		Publishing: []events.PublishBlock{
			block(0, events.Raw, 10*ms, 100), block(0, events.HTTP, 20*ms, 50),
			block(1, events.Raw, 100*ms, 10), block(1, events.HTTP, 100*ms, 10), // a round in which the machine was slow
			block(2, events.Raw, 10*ms, 100), block(2, events.HTTP, 5*ms, 200),
		},
		Delivery: []events.DeliverBlock{parcels(9*ms, 4*ms, 5<<20, 0), parcels(50*ms, 40*ms, 30<<20, 1), parcels(8*ms, 4*ms, 6<<20, 0)},
	})
	if len(got.Publishing) != 2 || len(got.Delivery) != 1 || len(got.Replay) != 0 {
		t.Fatalf("%+v", got)
	}
	over := got.Publishing[1]
	if over.Level != events.HTTP || over.P50 != 20*ms || over.PerSecond != 5000 || over.P99 != 0 ||
		over.PerSecondRatio != (bench.Ratio{Median: 1, Least: 0.5, Most: 2}) || over.P50Ratio != (bench.Ratio{Median: 1, Least: 0.5, Most: 2}) {
		t.Errorf("%+v", over)
	}
	d := got.Delivery[0]
	if d.Beyond != 5*ms || d.LeastBeyond != 4*ms || d.MostBeyond != 10*ms || d.P50 != 9*ms || d.Wrong != 1 || d.Grown["api"] != 30<<20 {
		t.Errorf("%+v", d)
	}
	if page := (events.Report{Settings: set, Figures: got}).Markdown(); !strings.Contains(page, "1 followers not each once") {
		t.Errorf("a follower that missed something is not told:\n%s", page)
	}
}

func TestSettingsNameEveryFault(t *testing.T) {
	t.Parallel()
	if err := (events.Settings{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	err := events.Settings{
		Publishers: []int{0}, Batches: []int{1001}, Followers: []int{-1}, Rounds: -1, Block: time.Hour, WarmUp: -1, Delivered: -1, Every: -1, Tasks: 2e6,
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"publishers 0", "batch 1001", "followers -1", "rounds", "block", "warm-up", "delivered", "every", "tasks"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
}
