package engine

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	leaseBytes = 64 << 20
	leaseTTL   = time.Hour
	// leaseIdentity is what polls on behalf of agents are called among Temporal's pollers. An attempt names its agent itself.
	leaseIdentity = "rolecall-http"
	// allSignals is the number of an attempt's progress signals as its reports have it: all that stand in history before them count. No signal
	// of an attempt is under way when its end is told.
	allSignals = 1 << 30
)

// leases is what is known here of the attempts that agents have over HTTP. Nothing rests on it but the number of questions to Temporal.
type leases struct {
	desks   *desks
	metrics *leaseMetrics

	mu    sync.Mutex
	known *cache[*leaseState]
}

func newLeases() *leases {
	return &leases{desks: newDesks(), metrics: newLeaseMetrics(), known: newCache[*leaseState](leaseBytes, leaseTTL)}
}

// leaseState is what is remembered of one lease. Its lock is held during each call about it, so that they come one after the other.
type leaseState struct {
	mu      sync.Mutex
	fresh   bool // report is what Temporal has
	report  activities.AttemptReport
	handed  string                         // what was said of the attempt when the agent got it here: see said
	spoke   bool                           // the agent was heard of here since it got the attempt
	told    time.Time                      // when progress was signalled last
	due     bool                           // the newest progress was not signalled yet
	owed    *workflows.TaskProgressedInput // a signal of which it is not known whether it arrived
	reason  string                         // of the cancellation
	asked   bool                           // the reason was looked for; there may be none
	ended   bool
	digest  string // of how it ended
	expires time.Time
}

// of answers what is known of a lease.
func (l *leases) of(h activities.Hold) *leaseState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.known.get(string(h.Token)); ok {
		return s
	}
	s := &leaseState{}
	l.known.put(string(h.Token), s, s.size(), time.Now())
	return s
}

// heard reports whether the agent has said anything since it got the attempt, as far as that is known here. Its lock is held.
func (s *leaseState) heard() bool { return s.spoke || said(s.report) != s.handed }

// said tells what an agent has said of an attempt from something else; "" is nothing. What it got may have that already: an operator reset the
// attempt, and what it had kept goes along.
func said(r activities.AttemptReport) string {
	if r.Progress == nil && len(r.Resume) == 0 && r.Spent == nil {
		return ""
	}
	words, err := json.Marshal(activities.AttemptReport{Progress: r.Progress, Resume: r.Resume, Spent: r.Spent})
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(words)
	return string(sum[:])
}

// keep remembers s for longer, with the size that it has now. Its lock is held.
func (l *leases) keep(h activities.Hold, s *leaseState) {
	l.known.put(string(h.Token), s, s.size(), time.Now())
}

// size is about what s takes in memory.
func (s *leaseState) size() int {
	n := 1024 + len(s.report.Resume)
	if p := s.report.Progress; p != nil {
		n += len(p.Message) + len(p.Delta)
	}
	return n
}

// attend runs f, of which Close waits for the end.
func (e *Engine) attend(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.work.Go(f)
}
