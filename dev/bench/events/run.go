package events

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/dev/bench"
)

// The processes of a run, as reports name them.
const (
	partLog    = "log"
	partAPI    = "api"
	partCaller = "caller" // of the publishers, the followers or the reader
)

// PublishBlock is one measurement of publishing.
type PublishBlock struct {
	Round       int                      `json:"round"`
	Level       Level                    `json:"level"`
	Publishers  int                      `json:"publishers"`
	Batch       int                      `json:"batch"`
	Published   `json:"published"`       // latencies sorted
	CPUPerEvent map[string]time.Duration `json:"cpuPerEventNs"`
}

// DeliverBlock is one measurement of delivery.
type DeliverBlock struct {
	Round     int              `json:"round"`
	Followers int              `json:"followers"`
	Sent      Sent             `json:"sent"`
	Followed  Followed         `json:"followed"`
	Before    map[string]int64 `json:"beforeBytes"` // resident, of a server that had one follower
	Peak      map[string]int64 `json:"peakBytes"`   // the most while they followed
	// CPUPerEvent is what each process used for one event, however many it was delivered to.
	CPUPerEvent map[string]time.Duration `json:"cpuPerEventNs"`
}

// ReplayBlock is one replay.
type ReplayBlock struct {
	Round    int   `json:"round"`
	Level    Level `json:"level"`
	Replayed `json:"replayed"`
	Events   int              `json:"events"`
	Before   map[string]int64 `json:"beforeBytes"`
	Peak     map[string]int64 `json:"peakBytes"`
}

// Blocks are all measurements of a run.
type Blocks struct {
	Publishing []PublishBlock `json:"publishing"`
	Delivery   []DeliverBlock `json:"delivery"`
	Replay     []ReplayBlock  `json:"replay"`
}

// Measure runs the blocks, those of different levels one right after the other. say is told each one's outcome.
func (s *Site) Measure(ctx context.Context, set Settings, say func(string)) (b Blocks, err error) {
	if err := s.publishing(ctx, set, &b, say); err != nil {
		return b, err
	}
	if err := s.delivery(ctx, set, &b, say); err != nil {
		return b, err
	}
	if set.Tasks < 1 {
		return b, nil
	}
	if err := fill(ctx, s.log, set.Tasks, say); err != nil {
		return b, fmt.Errorf("write the log to be replayed: %w", err)
	}
	return b, s.replays(ctx, set, &b, say)
}

func (s *Site) publishing(ctx context.Context, set Settings, b *Blocks, say func(string)) error {
	n := 0
	for round := range set.Rounds {
		for _, batch := range set.Batches {
			for _, publishers := range set.Publishers {
				for _, level := range bench.Order(Levels(), n) {
					got, err := s.publish(ctx, Publish{
						Places: s.places(), Level: level, Publishers: publishers, Batch: batch, WarmUp: set.WarmUp, Block: set.Block,
					})
					if err != nil {
						return fmt.Errorf("%d publishers of %d at %s: %w", publishers, batch, level, err)
					}
					got.Round = round
					b.Publishing = append(b.Publishing, got)
					say(fmt.Sprintf("round %d of %d  %2d publishers of %3d  %-19s %7.2f ms %8.0f/s", round+1, set.Rounds, publishers, batch, level,
						bench.Milliseconds(got.p50()), got.perSecond()))
				}
				n++
			}
		}
	}
	return nil
}

func (s *Site) publish(ctx context.Context, p Publish) (PublishBlock, error) {
	b := PublishBlock{Level: p.Level, Publishers: p.Publishers, Batch: p.Batch}
	used := s.usage(ctx)
	if err := s.do(ctx, Job{Publish: &p}, p.WarmUp+p.Block, &b.Published); err != nil {
		return b, err
	}
	slices.Sort(b.Latencies)
	b.CPUPerEvent = used(b.All, b.CPU)
	return b, nil
}

// usage lets the servers come to rest; what it answers tells what they have used since for each of some events, with their caller.
func (s *Site) usage(ctx context.Context) func(events int, caller time.Duration) map[string]time.Duration {
	pids := s.pids()
	calm := func() { bench.Rest(ctx, func() time.Duration { return bench.Sum(bench.CPUOf(pids)) }) }
	calm()
	before := bench.CPUOf(pids)
	return func(events int, caller time.Duration) map[string]time.Duration {
		calm()
		used := map[string]time.Duration{}
		for name, now := range bench.CPUOf(pids) {
			used[name] = (now - before[name]) / time.Duration(events)
		}
		if len(used) > 0 {
			used[partCaller] = caller / time.Duration(events)
		}
		return used
	}
}

func (s *Site) delivery(ctx context.Context, set Settings, b *Blocks, say func(string)) error {
	for round := range set.Rounds {
		for _, followers := range bench.Order(set.Followers, round) {
			got, err := s.deliver(ctx, set, followers)
			if err != nil {
				return fmt.Errorf("%d followers: %w", followers, err)
			}
			got.Round = round
			b.Delivery = append(b.Delivery, got)
			say(fmt.Sprintf("round %d of %d  %4d followers  %7.2f ms, the bare write %.2f ms; %d wrong", round+1, set.Rounds, followers,
				bench.Milliseconds(got.Followed.P50), bench.Milliseconds(bench.Percentile(got.Sent.Writes, 50)), got.Followed.Wrong))
		}
	}
	return nil
}

// warmEvents are delivered to one follower before a block, so that its memory is compared with that of a server that has done it before.
const warmEvents = 10

// deliver measures one number of followers, of an API that was just started.
func (s *Site) deliver(ctx context.Context, set Settings, followers int) (DeliverBlock, error) {
	b := DeliverBlock{Followers: followers}
	if err := s.stack.API.Restart(ctx); err != nil {
		return b, err
	}
	if _, _, err := s.parcels(ctx, 1, warmEvents, set.Every); err != nil {
		return b, err
	}
	used := s.usage(ctx)
	b.Before = residentOf(s.pids())
	peak := s.watch()
	var err error
	b.Sent, b.Followed, err = s.parcels(ctx, followers, set.Delivered, set.Every)
	b.Peak = peak()
	if err != nil {
		return b, err
	}
	b.CPUPerEvent = used(set.Delivered+1, b.Followed.CPU)
	return b, nil
}

// parcels has events published, and followed.
func (s *Site) parcels(ctx context.Context, followers, events int, every time.Duration) (sent Sent, followed Followed, err error) {
	lasts := time.Duration(events+1) * every
	run := rand.Text()
	f, err := s.begin(ctx, Job{Follow: &Follow{
		Places: s.places(), Run: run, Followers: followers, Events: events, Within: lasts + jobWait/2, Ready: filepath.Join(s.stack.Dir(), run+"-ready.json"),
	}})
	if err != nil {
		return sent, followed, err
	}
	err = s.do(ctx, Job{Deliver: &Deliver{Places: s.places(), Run: run, Events: events, Every: every}}, lasts, &sent)
	if err != nil {
		return sent, followed, errors.Join(err, f.process.Kill())
	}
	err = f.end(ctx, 0, &followed)
	return sent, followed, err
}

// watchEvery is how often the memory of the servers is looked at.
const watchEvery = 50 * time.Millisecond

// watch looks at the memory of the servers until the function that it answers is called, which answers the most of each.
func (s *Site) watch() func() map[string]int64 {
	pids, peak := s.pids(), map[string]int64{}
	look := func() {
		for name, has := range residentOf(pids) {
			peak[name] = max(peak[name], has)
		}
	}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		again := time.NewTicker(watchEvery)
		defer again.Stop()
		for {
			look()
			select {
			case <-over:
				return
			case <-again.C:
			}
		}
	})
	return func() map[string]int64 {
		close(over)
		watching.Wait()
		look()
		return peak
	}
}

// replays replays the log that was filled in, of an API that was just started.
func (s *Site) replays(ctx context.Context, set Settings, b *Blocks, say func(string)) error {
	for round := range set.Rounds {
		for _, level := range bench.Order([]Level{Raw, HTTP}, round) {
			if err := s.stack.API.Restart(ctx); err != nil {
				return err
			}
			got := ReplayBlock{Round: round, Level: level, Events: set.Tasks * eventsOfTask, Before: residentOf(s.pids())}
			peak := s.watch()
			err := s.do(ctx, Job{Replay: &Replay{Places: s.places(), Level: level, Tasks: set.Tasks}}, 10*time.Minute, &got.Replayed)
			got.Peak = peak()
			if err != nil {
				return fmt.Errorf("replay at %s: %w", level, err)
			}
			b.Replay = append(b.Replay, got)
			say(fmt.Sprintf("round %d of %d  replay of %d events  %-19s %8.0f/s", round+1, set.Rounds, got.Events, level, got.perSecond()))
		}
	}
	return nil
}
