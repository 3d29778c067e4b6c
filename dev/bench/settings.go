package bench

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Settings of a run. The zero value of a field means its default.
type Settings struct {
	// Levels to measure; ratios are to the first. Default all.
	Levels []Level `json:"levels"`
	// Callers are the numbers of callers at once to measure with. Default 1, 10 and 50.
	Callers []int `json:"callers"`
	// Rounds is how often every level is measured with every number of callers. Default 6, in which the levels have every order once.
	Rounds int `json:"rounds"`
	// Block is how long one measurement lasts, without its warm-up. Default 4 s.
	Block time.Duration `json:"blockNs"`
	// WarmUp is how long the callers of a block have called before it counts. Default 1 s.
	WarmUp time.Duration `json:"warmUpNs"`
	// Slots is how many handlers, and how many bare activities, run at once. Default 50.
	Slots int `json:"slots"`
	// Acknowledge is the role worker's AcknowledgeStart: as `rolecall worker` has it for programs, instead of as a Go handler has it.
	Acknowledge bool `json:"acknowledge"`
	// Counted is how many tasks each level is counted over. Default 20; negative leaves the counts out.
	Counted int `json:"counted"`
}

// What every worker of the bench has, the bare ones as rolecall's own.
const (
	workflowPollers = 4 // of the process with workflows
	activityPollers = 4 // of the process with handlers
	defaultSlots    = 50
)

// WithDefaults is the settings with every default filled in.
func (s Settings) WithDefaults() Settings {
	if len(s.Levels) == 0 {
		s.Levels = Levels()
	}
	if len(s.Callers) == 0 {
		s.Callers = []int{1, 10, 50}
	}
	s.Rounds = cmp.Or(s.Rounds, 6)
	s.Block = cmp.Or(s.Block, 4*time.Second)
	s.WarmUp = cmp.Or(s.WarmUp, time.Second)
	s.Slots = cmp.Or(s.Slots, defaultSlots)
	s.Counted = cmp.Or(s.Counted, 20)
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
	for i, l := range s.Levels {
		if err := l.check(); err != nil {
			faults = append(faults, err)
		}
		fault(slices.Contains(s.Levels[:i], l), "level %s is named twice", string(l))
	}
	for i, n := range s.Callers {
		fault(n < 1 || n > 1000, "callers %d: must be from 1 to 1000", n)
		fault(slices.Contains(s.Callers[:i], n), "callers %d is named twice", n)
	}
	fault(s.Rounds < 1 || s.Rounds > 100, "rounds %d: must be from 1 to 100", s.Rounds)
	fault(s.Block < 100*time.Millisecond || s.Block > 10*time.Minute, "block %s: must be from 100ms to 10m", s.Block)
	fault(s.WarmUp < 0 || s.WarmUp > time.Minute, "warm-up %s: must be at most 1m", s.WarmUp)
	fault(s.Slots < 1 || s.Slots > 1000, "slots %d: must be from 1 to 1000", s.Slots)
	fault(s.Counted > 1000, "counted %d: must be at most 1000", s.Counted)
	return errors.Join(faults...)
}

// Length is about how long the blocks take.
func (s Settings) Length() time.Duration {
	return time.Duration(s.Rounds*len(s.Levels)*len(s.Callers)) * (s.Block + s.WarmUp + time.Second)
}
