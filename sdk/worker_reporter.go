package sdk

import (
	"bytes"
	"encoding/json"
	"sync"
)

// leaseReporter holds what there is to tell of an attempt. Nothing in it waits for anybody.
type leaseReporter struct {
	changed chan struct{} // something is new; one pending notice is enough
	live    *leaseOutput

	mu       sync.Mutex
	closed   bool
	progress *Progress
	moved    int // the version that brought it
	resume   json.RawMessage
	spent    *Metrics
	version  int // of what is to be told
	told     int // the version that the service has
}

var (
	_ Meter  = (*leaseReporter)(nil)
	_ Output = (*leaseReporter)(nil)
)

func newLeaseReporter() *leaseReporter { return &leaseReporter{changed: make(chan struct{}, 1)} }

// Progress implements [Reporter].
func (r *leaseReporter) Progress(p Progress) {
	p = p.Trim()
	r.change(func() { r.progress, r.moved = &p, r.version+1 })
}

// Resume implements [Reporter]. A null is nothing new: what was kept stays.
func (r *leaseReporter) Resume(data json.RawMessage) error {
	if err := CheckJSON(data, MaxResume); err != nil || string(bytes.TrimSpace(data)) == "null" {
		return err
	}
	r.change(func() { r.resume = bytes.Clone(data) })
	return nil
}

// Spent implements [Meter].
func (r *leaseReporter) Spent(m Metrics) {
	m = Metrics{}.Plus(m)
	r.change(func() { r.spent = &m })
}

// Output implements [Output].
func (r *leaseReporter) Output(frames ...OutputFrame) { r.live.take(frames) }

func (r *leaseReporter) change(how func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	how()
	r.version++
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// close takes no more reports: the handler has returned.
func (r *leaseReporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// word is what is new, and what to call when the service has taken it.
func (r *leaseReporter) word() (word LeaseProgress, taken func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	version := r.version
	if version == r.told {
		return LeaseProgress{}, func() {}
	}
	word = LeaseProgress{Resume: r.resume, Metrics: r.spent}
	if p := r.progress; p != nil && r.moved > r.told { // one that the service has is nothing new
		percentage := p.Percentage
		word.Percentage, word.Phase, word.Message, word.Delta, word.Category, word.Tool = &percentage, p.Phase, p.Message, p.Delta, p.Category, p.Tool
	}
	return word, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = version
	}
}

// last is what is kept for the next attempt, and what was spent.
func (r *leaseReporter) last() (resume json.RawMessage, spent *Metrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resume, r.spent
}
