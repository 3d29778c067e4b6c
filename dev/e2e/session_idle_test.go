package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

var idleSessions = flag.Int("idle-sessions", 60, "how many sessions are open and idle while what they cost is measured; 1000 asserts their memory, too")

// What idle sessions may cost. The control worker keeps one of five of them in memory.
const (
	sessionMemory  = 40 << 10 // of the control worker's resident memory, for each open session
	sessionOpening = 1.5      // times what opening one takes without them
	manySessions   = 1000     // fewer drown in what the process's heap grows by in any case: they may take what so many may
)

// TestIdleSessionsCostLittle measures the control worker's process with open sessions of which few fit into its cache, and how long it takes
// to open another: by turns here and on a stack without sessions, so that what else the machine does slows both down.
func TestIdleSessionsCostLittle(t *testing.T) {
	t.Parallel()
	cached := max(2, *idleSessions/5)
	options := dev.Options{Env: []string{fmt.Sprint("ROLECALL_CONTROL_CACHED_RUNS=", cached)}}
	loaded, unloaded := newScene(t, dev.ForTest(t, options)), newScene(t, dev.ForTest(t, options))
	control := loaded.stack.Control
	for range 20 { // what the first sessions load is there for good
		loaded.timesOpening()
		unloaded.timesOpening()
	}
	before, _ := usage(t, control.Pid())
	first := loaded.opensIdly(*idleSessions)
	most, now := loaded.restingMemory(5*time.Second), loaded.scrape(control)
	in := func(name string) (all float64) {
		for _, m := range now[name].GetMetric() {
			all += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
		return all
	}
	const mb, kb = 1 << 20, 1 << 10
	grown := float64(most - before)
	t.Logf("%d idle sessions, %d of them cached: the control worker has %.1f MB, %.1f without; that is %.1f KB for each session, %.0f KB for each that is cached",
		*idleSessions, cached, float64(most)/mb, float64(before)/mb, grown/float64(*idleSessions)/kb, grown/float64(cached)/kb)
	t.Logf("%.0f runs were pushed out; %.1f MB of heap, %.0f goroutines",
		in("temporal_sticky_cache_total_forced_eviction_total"), in("go_memstats_heap_inuse_bytes")/mb, in("go_goroutines"))
	if most-before > sessionMemory*max(*idleSessions, manySessions) {
		t.Errorf("that is more than %d KB for each", sessionMemory>>10)
	}
	if runs := in("temporal_sticky_cache_size"); runs > float64(cached) || runs < float64(cached)/2 {
		t.Errorf("%.0f runs are in memory: the cache is not of %d", runs, cached)
	}
	opens(t, loaded, unloaded)
	loaded.closesOne(first) // it is not in memory any more
}

// opens compares the medians of what opening a session takes. A machine that is busy can spoil one round or two, idle sessions would spoil all.
func opens(t *testing.T, loaded, unloaded *scene) {
	t.Helper()
	const rounds, pairs = 3, 40
	for round := range rounds {
		var with, without, toldWith, toldWithout []time.Duration
		for range pairs {
			opened, told := loaded.timesOpening()
			with, toldWith = append(with, opened), append(toldWith, told)
			opened, told = unloaded.timesOpening()
			without, toldWithout = append(without, opened), append(toldWithout, told)
		}
		answer, story := median(with).Seconds()/median(without).Seconds(), median(toldWith).Seconds()/median(toldWithout).Seconds()
		t.Logf("opening a session takes %v, unloaded %v: %.2f times; until its stream begins %v, unloaded %v: %.2f times",
			median(with), median(without), answer, median(toldWith), median(toldWithout), story)
		if answer <= sessionOpening && story <= sessionOpening {
			return
		}
		if round == rounds-1 {
			t.Errorf("that is more than %g times, in each of %d rounds", sessionOpening, rounds)
		}
	}
}

// opensIdly opens so many sessions that nothing is asked of, returns when each has run and is listed, and answers the id of the first.
func (s *scene) opensIdly(n int) (first string) {
	s.t.Helper()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(8)
	for i := range n {
		group.Go(func() error {
			session, err := s.client.OpenSession(ctx, sdk.SessionConfig{ClientID: "idle"})
			if err != nil {
				return fmt.Errorf("open session %d: %w", i, err)
			}
			if i == 0 {
				first = session.ID()
			}
			for e, err := range session.Events(ctx) { // it is told by the session's run
				if err != nil || e.Type != sdk.SessionStartEvent {
					return fmt.Errorf("the stream of session %d begins with %v: %w", i, e, err)
				}
				break
			}
			return nil
		})
	}
	s.do(group.Wait())
	s.eventually("so many open sessions", patience, func() error {
		stats, err := s.client.SessionStats(s.t.Context())
		if err == nil && stats.SessionsByClient["idle"] != n {
			err = fmt.Errorf("%+v", stats)
		}
		return err
	})
	return first
}

// timesOpening opens a session and closes it, and answers how long it took to be answered, and how long until its stream began.
func (s *scene) timesOpening() (answered, told time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	began := time.Now()
	session, err := s.client.OpenSession(ctx, sdk.SessionConfig{})
	s.do(err)
	answered = time.Since(began)
	for e, err := range session.Events(ctx) {
		s.do(err)
		if told == 0 {
			told = time.Since(began)
			if e.Type != sdk.SessionStartEvent {
				s.t.Errorf("the stream begins with %s", e.Type)
			}
			_, err := session.Close(ctx)
			s.do(err)
		}
	}
	return answered, told
}

// restingMemory is the most of the control worker's resident memory in a time in which nothing is asked of it.
func (s *scene) restingMemory(d time.Duration) (most int) {
	s.t.Helper()
	for range int(d / time.Second) {
		<-time.After(time.Second)
		now, _ := usage(s.t, s.stack.Control.Pid())
		most = max(most, now)
	}
	return most
}

// closesOne closes a session, and waits for that.
func (s *scene) closesOne(id string) {
	s.t.Helper()
	session, err := s.client.Session(s.t.Context(), id)
	s.do(err)
	one := talk{s, session}
	one.closes()
	one.isNow("closed", func(s *sdk.Session) bool { return s.Status == sdk.SessionClosed })
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
