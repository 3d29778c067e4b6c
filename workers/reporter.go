package workers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// reporter holds what there is to tell of an attempt. It is the handler's [sdk.Reporter]: nothing in it waits for anybody.
type reporter struct {
	agentID        string
	stage, attempt int
	changed        chan struct{} // something is new; one pending notice is enough
	progressed     chan struct{} // a progress is new
	now            func() time.Time

	mu        sync.Mutex
	closed    bool
	overall   float64
	startedAt *time.Time
	progress  *sdk.Progress
	newestAt  time.Time // of the newest progress, an earlier execution's too
	version   int       // counts progress reports
	signals   int       // how many of them were signalled to the run
	resume    json.RawMessage
	earlier   sdk.Metrics // what an earlier execution of the same attempt had spent
	spent     sdk.Metrics // what this one has
}

var _ sdk.Meter = (*reporter)(nil)

func newReporter(agentID string, a *sdk.Assignment) *reporter {
	r := &reporter{
		agentID: agentID, stage: a.Stage, attempt: a.Attempt,
		changed: make(chan struct{}, 1), progressed: make(chan struct{}, 1), now: time.Now,
	}
	if !isNull(a.Resume) {
		r.resume = a.Resume
	}
	if p := a.Task.Progress; p != nil {
		r.overall = p.Trim().Overall
	}
	return r
}

// progressGap is how much later than the one before a report is at least: readers know by its time which of two is new.
const progressGap = time.Microsecond

// Progress implements [sdk.Reporter]. Each is later than the one before, also where the clock stands still or is set back.
func (r *reporter) Progress(p sdk.Progress) {
	p = p.Trim()
	p.At, p.Stage, p.Attempt = r.now().UTC().Round(0), r.stage, r.attempt // without the monotonic reading: nobody else sees it
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if !p.At.After(r.newestAt) {
		p.At = r.newestAt.Add(progressGap)
	}
	r.newestAt = p.At
	r.overall = max(r.overall, p.Percentage)
	p.Overall = r.overall
	r.progress = &p
	r.version++
	notice(r.changed)
	notice(r.progressed)
}

// Resume implements [sdk.Reporter]. A null is nothing new: what was kept stays.
func (r *reporter) Resume(data json.RawMessage) error {
	if err := sdk.CheckJSON(data, sdk.MaxResume); err != nil || isNull(data) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.resume = bytes.Clone(data)
		notice(r.changed)
	}
	return nil
}

// Spent implements [sdk.Meter].
func (r *reporter) Spent(m sdk.Metrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.spent = sdk.Metrics{}.Plus(m)
		notice(r.changed)
	}
}

// total is what the attempt has spent, all executions of it together: m of this one, with what was last reported where m leaves a number
// out. It holds no number that JSON does not.
func (r *reporter) total(m sdk.Metrics) sdk.Metrics {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.TokensUsed = cmp.Or(m.TokensUsed, r.spent.TokensUsed)
	m.InputTokens = cmp.Or(m.InputTokens, r.spent.InputTokens)
	m.OutputTokens = cmp.Or(m.OutputTokens, r.spent.OutputTokens)
	m.CostUSD = cmp.Or(m.CostUSD, r.spent.CostUSD)
	return m.Plus(r.earlier)
}

// goOn takes over what an earlier execution of the same attempt had reported: an operator paused it, and the server handed it out
// again. Its resume data is newer than the assignment's, its signals keep counting, later progress is later than its last, and what it
// spent is spent.
func (r *reporter) goOn(earlier activities.AttemptReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isNull(earlier.Resume) && sdk.CheckJSON(earlier.Resume, sdk.MaxResume) == nil {
		r.resume = earlier.Resume
	}
	if earlier.Progress != nil {
		r.overall, r.newestAt = max(r.overall, earlier.Progress.Trim().Overall), earlier.Progress.At.UTC()
	}
	if earlier.Spent != nil {
		r.earlier = sdk.Metrics{}.Plus(*earlier.Spent)
	}
	r.signals = min(max(earlier.N, 0), maxSignals)
}

// started notes that the handler begins.
func (r *reporter) started(at time.Time) {
	at = at.UTC()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startedAt = &at
	notice(r.changed)
}

// close takes no more reports: the handler has returned.
func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// newest is the newest progress and its number; 0 when there is none.
func (r *reporter) newest() (p sdk.Progress, version int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.progress == nil {
		return sdk.Progress{}, 0
	}
	return *r.progress, r.version
}

// nextSignal counts one more progress signal and answers its number.
func (r *reporter) nextSignal() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signals++
	return r.signals
}

// signalled is how many progress signals have been counted.
func (r *reporter) signalled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signals
}

// report is all of it, as heartbeats and answers carry it.
func (r *reporter) report() activities.AttemptReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return activities.AttemptReport{
		AgentID: r.agentID, StartedAt: r.startedAt, Progress: r.progress, N: r.signals, Resume: r.resume, Spent: spending(r.spent.Plus(r.earlier)),
	}
}

// counted is the reporter's report at the end, with what the attempt has spent in the result as well.
func (e *ending) counted(r *reporter) activities.AttemptReport {
	report := r.report()
	if e.result != nil {
		whole := *e.result
		whole.Metrics = r.total(whole.Metrics)
		e.result, report.Spent = &whole, spending(whole.Metrics)
	}
	return report
}

// spending is the tokens and the cost of m, or nil when it has none.
func spending(m sdk.Metrics) *sdk.Metrics {
	if !m.Spent() {
		return nil
	}
	m = sdk.Metrics{}.Plus(m)
	return &m
}

// isNull reports whether resume data says nothing.
func isNull(data json.RawMessage) bool { return string(bytes.TrimSpace(data)) == "null" }

// notice leaves one pending notice.
func notice(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
