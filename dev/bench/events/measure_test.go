package events_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/dev/bench/events"
)

// TestMeasure is a run as short as there is, with every level and followers in processes of their own. What does not depend on the
// machine holds: each follower gets every event once and in order, and the replay every event of every task.
func TestMeasure(t *testing.T) {
	t.Parallel()
	set := events.Settings{
		Rounds: 1, Publishers: []int{2}, Block: 200 * time.Millisecond, WarmUp: 10 * time.Millisecond,
		Followers: []int{1, 50}, Delivered: 20, Every: 20 * time.Millisecond, Tasks: 1100,
	}.WithDefaults()
	site, err := events.Open(t.Context(), dev.Options{Report: func(what string) { t.Log(what) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	}()
	blocks, err := site.Measure(t.Context(), set, func(what string) { t.Log(what) })
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks.Delivery {
		if want := b.Followers * set.Delivered; b.Followed.Wrong != 0 || b.Followed.Got != want {
			t.Errorf("%d followers got %d events, want %d; %d not every event once and in order: %q", b.Followers, b.Followed.Got, want, b.Followed.Wrong, b.Followed.Faults)
		}
		if b.Followed.P50 <= 0 || len(b.Sent.Writes) != set.Delivered+1 || len(b.Sent.Acks) != set.Delivered+1 {
			t.Errorf("%d followers: %+v", b.Followers, b)
		}
	}
	f := events.FiguresOf(set, blocks)
	if len(f.Publishing) != 6 || len(f.Delivery) != 2 || len(f.Replay) != 2 {
		t.Fatalf("%d, %d and %d figures", len(f.Publishing), len(f.Delivery), len(f.Replay))
	}
	for _, p := range f.Publishing {
		if p.P50 <= 0 || p.PerSecond <= 0 {
			t.Errorf("%+v", p)
		}
	}
	page := events.Report{Settings: set, Figures: f, Server: site.Server()}.Markdown()
	for _, want := range []string{"| 2 | 1 | E0 raw JetStream |", "| 2 | 100 | E2 HTTP API |", "| 50 | 1000, each once |", "| 11000 events | E2 HTTP API |"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}
