package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEveryLevelFollowsEveryOther(t *testing.T) {
	t.Parallel()
	levels := Levels()
	first, after := map[Level]int{}, map[[2]Level]int{}
	for n := range 2 * len(levels) {
		o := Order(levels, n)
		if !slices.Equal(slices.Sorted(slices.Values(o)), levels) {
			t.Fatalf("order %d is %q", n, o)
		}
		first[o[0]]++
		for i := range o[1:] {
			after[[2]Level{o[i], o[i+1]}]++
		}
	}
	for _, a := range levels {
		if first[a] != 2 {
			t.Errorf("%s is first %d times, want 2", a, first[a])
		}
		for _, b := range levels {
			if a != b && after[[2]Level{a, b}] != 2 {
				t.Errorf("%s comes right after %s %d times, want 2", b, a, after[[2]Level{a, b}])
			}
		}
	}
	if got := Order(levels[:1], 5); len(got) != 1 {
		t.Errorf("one level is ordered as %q", got)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	upTo := func(n int) (sorted []time.Duration) {
		for i := range n {
			sorted = append(sorted, time.Duration(i+1))
		}
		return sorted
	}
	for _, tc := range []struct {
		n, p int
		want time.Duration
	}{
		{1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {4, 50, 2}, {100, 50, 50}, {100, 99, 99}, {101, 99, 100}, {200, 99, 198}, {500, 99, 495},
	} {
		if got := Percentile(upTo(tc.n), tc.p); got != tc.want {
			t.Errorf("p%d of 1 to %d is %d, want %d", tc.p, tc.n, got, tc.want)
		}
	}
}

func TestP99IsOverAllRoundsOrNotSaid(t *testing.T) {
	t.Parallel()
	set := Settings{Levels: []Level{Bare}, Callers: []int{1}}
	block := func(round, tasks int, took time.Duration) Block {
		return Block{Round: round, Level: Bare, Callers: 1, Called: Called{Block: time.Second, Latencies: slices.Repeat([]time.Duration{took}, tasks)}}
	}
	slow := block(1, 10, time.Second) // fewer than half of the rounds are, and more than one of a hundred tasks
	for tasks, want := range map[int]string{489: "| – |", 490: "| 1000.0 ms |"} {
		f := Figures(set, []Block{block(0, tasks-10, time.Millisecond), slow, block(2, 10, time.Millisecond)})
		if page := (Report{Settings: set, Figures: f}).Markdown(); !strings.Contains(page, want) {
			t.Errorf("%d tasks: no %q in\n%s", tasks+10, want, page)
		}
	}
}

func TestABlockCountsATaskHoweverSlow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		takes, block time.Duration
		counted      int
		lasted       time.Duration
	}{
		"in time":                  {takes: 300 * time.Millisecond, block: time.Second, counted: 6, lasted: time.Second},
		"longer than the block":    {takes: 10 * time.Second, block: time.Second, counted: 1, lasted: 9900 * time.Millisecond},
		"just when the block ends": {takes: 1100 * time.Millisecond, block: time.Second, counted: 1, lasted: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := Call{Callers: 2, WarmUp: 100 * time.Millisecond, Block: tc.block}
				got, err := c.drive(t.Context(), func(context.Context) (string, error) {
					<-time.After(tc.takes)
					return "id", nil
				})
				if err != nil || len(got.Latencies) != tc.counted || got.Block != tc.lasted {
					t.Errorf("%d tasks in %s, %v; want %d in %s", len(got.Latencies), got.Block, err, tc.counted, tc.lasted)
				}
			})
		})
	}
}

func TestAFailedTaskEndsABlock(t *testing.T) {
	t.Parallel()
	fails := errors.New("no")
	if _, err := (Call{Callers: 3, Block: time.Hour}).drive(t.Context(), func(context.Context) (string, error) { return "", fails }); !errors.Is(err, fails) {
		t.Errorf("ended with %v", err)
	}
}

func TestRest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		busy, want time.Duration
	}{
		"idle":              {want: 200 * time.Millisecond},
		"something to do":   {busy: 750 * time.Millisecond, want: time.Second},
		"never comes to it": {busy: time.Hour, want: restMost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				Rest(t.Context(), func() time.Duration { return min(time.Since(began), tc.busy) })
				if took := time.Since(began); took != tc.want {
					t.Errorf("took %s, want %s", took, tc.want)
				}
			})
		})
	}
}
