package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall-dev/rolecall/dev"
	"github.com/rolecall-dev/rolecall/sdk"
)

// What so many claims that wait may cost an API server that does nothing else.
const (
	idleClaims = 1000
	idleMemory = 50 << 20
	idleCPU    = 0.05 // of a core
	idleFor    = 20 * time.Second
)

// TestIdleClaimsCostLittle measures the process: its resident memory at its highest, and its CPU time, which other processes hardly change.
func TestIdleClaimsCostLittle(t *testing.T) {
	t.Parallel()
	s := newScene(t, dev.ForTest(t, dev.Options{NoControl: true}))
	api := s.stack.API.Pid()
	s.claimIdly(20)() // what the first claims load is there for good
	s.scrape(s.stack.API)
	memory, _ := usage(t, api)
	stop := s.claimIdly(idleClaims)
	defer stop()
	<-time.After(5 * time.Second) // of the cost of their beginning
	_, before := usage(t, api)
	began, most := time.Now(), 0
	for time.Since(began) < idleFor {
		<-time.After(time.Second)
		now, _ := usage(t, api)
		most = max(most, now)
	}
	_, after := usage(t, api)
	if n := s.waitingClaims(); n != idleClaims {
		t.Errorf("at the end %d claims wait", n)
	}
	cpu := (after - before).Seconds() / time.Since(began).Seconds()
	t.Logf("%d idle claims cost the API %.1f MB and %.2f %% of a core", idleClaims, float64(most-memory)/(1<<20), 100*cpu)
	if most-memory >= idleMemory || cpu >= idleCPU {
		t.Errorf("that is more than %d MB or %g %%; without them it had %.1f MB", idleMemory>>20, 100*idleCPU, float64(memory)/(1<<20))
	}
}

// claimIdly has so many agents wait for tasks of a role that has none, and returns when the server knows all of them. They wait until stop.
func (s *scene) claimIdly(n int) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var waiting sync.WaitGroup
	end := func() {
		cancel()
		waiting.Wait()
	}
	s.t.Cleanup(end)
	for i := range n {
		waiting.Go(func() {
			for ctx.Err() == nil {
				_, err := s.client.Claim(ctx, sdk.RoleReviewer, sdk.ClaimRequest{AgentID: fmt.Sprintf("idle-%d", i), WaitMs: 60_000})
				if err != nil && !errors.Is(err, context.Canceled) {
					s.t.Errorf("idle claim: %v", err)
					return
				}
			}
		})
	}
	is := func(n int) func() error {
		return func() error {
			if now := s.waitingClaims(); now != n {
				return fmt.Errorf("%d claims wait", now)
			}
			return nil
		}
	}
	s.eventually(fmt.Sprintf("%d claims that wait", n), patience, is(n))
	return func() {
		end()
		s.eventually("no claim that waits", patience, is(0))
	}
}

// waitingClaims is how many claims of reviewers the API says wait.
func (s *scene) waitingClaims() int {
	s.t.Helper()
	for _, m := range s.scrape(s.stack.API)["rolecall_lease_claims_waiting"].GetMetric() {
		if m.GetLabel()[0].GetValue() == string(sdk.RoleReviewer) {
			return int(m.GetGauge().GetValue())
		}
	}
	s.t.Fatal("the API does not say how many claims wait")
	return 0
}

// usage is a process's resident memory in bytes and its CPU time so far.
func usage(t *testing.T, pid int) (memory int, cpu time.Duration) {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skipf("what a process uses can not be read here: %v", err)
	}
	fields := strings.Fields(string(raw[strings.LastIndex(string(raw), ")")+2:]))
	number := func(i int) int {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const ticks = 100 // a second
	return number(21) * os.Getpagesize(), time.Duration(number(11)+number(12)) * time.Second / ticks
}
