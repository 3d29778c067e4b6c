package events

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall-dev/rolecall/sdk"
)

// Settings of a run. The zero value of a field means its default.
type Settings struct {
	// Rounds is how often everything is measured. Default 3, in which each level is first once.
	Rounds int `json:"rounds"`
	// Publishers are the numbers of publishers at once. Default 1, 10 and 50.
	Publishers []int `json:"publishers"`
	// Batches are the numbers of events that a publisher hands over at once. Default 1 and 100.
	Batches []int `json:"batches"`
	// Block is how long one measurement of publishing lasts, without its warm-up. Default 2 s.
	Block time.Duration `json:"blockNs"`
	// WarmUp is how long the publishers of a block have published before it counts. Default 500 ms.
	WarmUp time.Duration `json:"warmUpNs"`
	// Followers are the numbers of followers at once. Default 1, 100 and 1000.
	Followers []int `json:"followers"`
	// Delivered is how many events the followers of a block get, Every the time between two. Default 100 and 50 ms.
	Delivered int           `json:"delivered"`
	Every     time.Duration `json:"everyNs"`
	// Tasks is over how many tasks the log goes that is replayed, ten events each. Default 100,000; negative leaves the replay out.
	Tasks int `json:"tasks"`
}

// eventsOfTask is how many events of each task are replayed.
const eventsOfTask = 10

// WithDefaults is the settings with every default filled in.
func (s Settings) WithDefaults() Settings {
	if len(s.Publishers) == 0 {
		s.Publishers = []int{1, 10, 50}
	}
	if len(s.Batches) == 0 {
		s.Batches = []int{1, 100}
	}
	if len(s.Followers) == 0 {
		s.Followers = []int{1, 100, 1000}
	}
	s.Rounds = cmp.Or(s.Rounds, 3)
	s.Block = cmp.Or(s.Block, 2*time.Second)
	s.WarmUp = cmp.Or(s.WarmUp, 500*time.Millisecond)
	s.Delivered = cmp.Or(s.Delivered, 100)
	s.Every = cmp.Or(s.Every, 50*time.Millisecond)
	s.Tasks = cmp.Or(s.Tasks, 100_000)
	return s
}

// Validate names every fault at once.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, n := range s.Publishers {
		fault(n < 1 || n > 200, "publishers %d: must be from 1 to 200", n)
	}
	for _, n := range s.Batches {
		fault(n < 1 || n > sdk.MaxEventBatch, "batch %d: must be from 1 to %d", n, sdk.MaxEventBatch)
	}
	for _, n := range s.Followers {
		fault(n < 1 || n > 5000, "followers %d: must be from 1 to 5000", n)
	}
	fault(s.Rounds < 1 || s.Rounds > 100, "rounds %d: must be from 1 to 100", s.Rounds)
	fault(s.Block < 100*time.Millisecond || s.Block > 10*time.Minute, "block %s: must be from 100ms to 10m", s.Block)
	fault(s.WarmUp < 0 || s.WarmUp > time.Minute, "warm-up %s: must be at most 1m", s.WarmUp)
	fault(s.Delivered < 1 || s.Delivered > 100_000, "delivered %d: must be from 1 to 100000", s.Delivered)
	fault(s.Every < time.Millisecond || s.Every > time.Second, "every %s: must be from 1ms to 1s", s.Every)
	fault(s.Tasks > 1_000_000, "tasks %d: must be at most 1000000", s.Tasks)
	return errors.Join(faults...)
}
