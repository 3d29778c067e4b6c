package workers

import (
	"testing"
	"time"
)

func TestBeatInterval(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		running int
		lease   time.Duration
		want    time.Duration
		gap     time.Duration
	}{
		{1, 30 * time.Second, time.Second, 200 * time.Millisecond},
		{10, 30 * time.Second, time.Second, 200 * time.Millisecond},
		{50, 30 * time.Second, time.Second, time.Second},
		{100, 30 * time.Second, 2 * time.Second, 2 * time.Second},
		{1000, 30 * time.Second, 10 * time.Second, 10 * time.Second}, // three in a lease go before 50 a second
		{1, 5 * time.Second, time.Second, 200 * time.Millisecond},
		{100, 5 * time.Second, 5 * time.Second / 3, 5 * time.Second / 3},
		{1, time.Second, time.Second / 3, 200 * time.Millisecond},
		{1, 300 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		if got := beatInterval(tc.running, tc.lease); got != tc.want {
			t.Errorf("beatInterval(%d, %s) = %s, want %s", tc.running, tc.lease, got, tc.want)
		}
		if got := beatGap(tc.running, tc.lease); got != tc.gap {
			t.Errorf("beatGap(%d, %s) = %s, want %s", tc.running, tc.lease, got, tc.gap)
		}
	}
}

func TestBeatsOfAProcessAreBounded(t *testing.T) {
	t.Parallel()
	for running := 1; running <= MaxSlots; running++ {
		for lease, most := range map[time.Duration]float64{30 * time.Second: 100, 5 * time.Second: 600} {
			if running <= 500 && lease == 30*time.Second {
				most = beatsPerSecond
			}
			if perSecond := float64(running) / beatGap(running, lease).Seconds(); perSecond > most+0.001 {
				t.Fatalf("%d attempts with leases of %s may send %.1f heartbeats a second", running, lease, perSecond)
			}
		}
		lease := 30 * time.Second
		if beatTry(lease)+beatInterval(running, lease) > lapseAfter(lease) {
			t.Fatalf("%d attempts: one failed heartbeat loses the lease", running)
		}
	}
}

func TestProgressInterval(t *testing.T) {
	t.Parallel()
	for elapsed, want := range map[time.Duration]time.Duration{
		0:                time.Second,
		59 * time.Second: time.Second,
		2 * time.Minute:  2 * time.Second,
		time.Hour:        time.Minute,
		24 * time.Hour:   24 * time.Minute,
	} {
		if got := progressInterval(elapsed); got != want {
			t.Errorf("progressInterval(%s) = %s, want %s", elapsed, got, want)
		}
	}
}

func TestLapseComesBeforeTheServersTimeout(t *testing.T) {
	t.Parallel()
	for _, lease := range []time.Duration{5 * time.Second, 30 * time.Second, time.Hour} {
		if got, want := lapseAfter(lease), lease*9/10; got != want {
			t.Errorf("lapseAfter(%s) = %s, want %s", lease, got, want)
		}
	}
}

func TestNextRetry(t *testing.T) {
	t.Parallel()
	wait := time.Duration(0)
	for _, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		if wait = nextRetry(wait); wait != want*time.Millisecond {
			t.Fatalf("nextRetry = %s, want %d ms", wait, want)
		}
	}
}
