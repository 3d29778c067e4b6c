package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

// Follow is a number of followers, each with a connection of its own.
type Follow struct {
	Places    `json:"places"`
	Run       string `json:"run"`
	Followers int    `json:"followers"`
	Events    int    `json:"events"` // each is to get 1, 2, 3 … up to this
	// Within is how long they wait for all of them.
	Within time.Duration `json:"withinNs"`
	// Ready is the file that is written when all of them follow.
	Ready string `json:"ready"`
}

// Followed is what its process measured.
type Followed struct {
	Got    int           `json:"got"`    // events, of all followers
	P50    time.Duration `json:"p50Ns"`  // from just before an event was sent until a follower had it
	P99    time.Duration `json:"p99Ns"`  // of all events of all followers
	Most   time.Duration `json:"mostNs"` // of these
	Wrong  int           `json:"wrong"`  // followers that did not get every event once and in order
	Faults []string      `json:"faults"` // of some of them
	CPU    time.Duration `json:"cpuNs"`  // of the process, as a whole
}

const (
	dialsAtOnce    = 50
	followerBuffer = 4 << 10
	keptFaults     = 5
)

func (f Follow) run(ctx context.Context) (Followed, error) {
	ctx, cancel := context.WithTimeout(ctx, f.Within)
	defer cancel()
	streams, err := f.open(ctx)
	if err != nil {
		return Followed{}, err
	}
	if err := writeFile(f.Ready, f.Followers); err != nil {
		return Followed{}, err
	}
	var (
		mu    sync.Mutex
		got   Followed
		after []time.Duration
		wg    sync.WaitGroup
	)
	for _, s := range streams {
		wg.Go(func() {
			defer s.close()
			mine, err := f.read(s)
			mu.Lock()
			defer mu.Unlock()
			after = append(after, mine...)
			if err == nil {
				return
			}
			if got.Wrong++; len(got.Faults) < keptFaults {
				got.Faults = append(got.Faults, err.Error())
			}
		})
	}
	wg.Wait()
	got.Got, got.CPU = len(after), bench.OwnCPU()
	if len(after) > 0 {
		slices.Sort(after)
		got.P50, got.P99, got.Most = bench.Percentile(after, 50), bench.Percentile(after, 99), after[len(after)-1]
	}
	return got, nil
}

// open opens every connection; when it returns, nothing that is published from now on is missed.
func (f Follow) open(ctx context.Context) ([]*stream, error) {
	c := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	streams, failed := make([]*stream, f.Followers), make([]error, f.Followers)
	places := make(chan struct{}, dialsAtOnce)
	var wg sync.WaitGroup
	for i := range streams {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			streams[i], failed[i] = follow(ctx, c, f.API+"/v1/events/stream?types="+string(delivered), project, followerBuffer)
		})
	}
	wg.Wait()
	return streams, errors.Join(failed...)
}

// read answers how long each event took to come, and what was wrong with the order in which they came.
func (f Follow) read(s *stream) ([]time.Duration, error) {
	took := make([]time.Duration, 0, f.Events)
	var at uint64
	for {
		got, err := s.next()
		if err != nil {
			return took, fmt.Errorf("after %d of %d events: %w", len(took), f.Events, err)
		}
		var e struct {
			Data parcel `json:"data"`
		}
		if err := json.Unmarshal(got.data, &e); err != nil || got.name != string(delivered) {
			return took, fmt.Errorf("after %d of %d events came %q: %.200s", len(took), f.Events, got.name, got.data)
		}
		if e.Data.Run != f.Run || e.Data.N != len(took)+1 || got.id <= at {
			return took, fmt.Errorf("after event %d at %d came event %d of the run %q at %d, not %d of %q",
				len(took), at, e.Data.N, e.Data.Run, got.id, len(took)+1, f.Run)
		}
		if at = got.id; e.Data.N > f.Events {
			return took, nil
		}
		took = append(took, time.Duration(got.at.UnixNano()-e.Data.SentNs))
	}
}
