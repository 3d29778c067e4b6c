package workers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// reporter holds what there is to tell of an attempt. It is the handler's [sdk.Reporter]: nothing in it waits for anybody.
type reporter struct {
	agentID        string
	stage, attempt int
	changed        chan struct{} // something is new; one pending notice is enough
	acknowledged   chan struct{} // Temporal has a heartbeat
	now            func() time.Time
	live           *output          // nil: nobody is shown what the agent says
	clean          *redact.Redactor // of whatever is reported; nil: nothing is redacted

	mu        sync.Mutex
	closed    bool
	overall   float64
	startedAt *time.Time
	progress  *sdk.Progress
	signals   int       // how many progress signals were tried
	due       bool      // progress is newer than the last of them
	newestAt  time.Time // of the newest progress, an earlier execution's too
	kept      kept
	resume    json.RawMessage
	earlier   sdk.Metrics // what an earlier execution of the same attempt had spent
	spent     sdk.Metrics // what this one has
}

// kept is what Temporal has of an attempt for certain, whatever ends it.
type kept struct {
	started  bool
	n        int
	progress *sdk.Progress
}

var (
	_ sdk.Meter  = (*reporter)(nil)
	_ sdk.Output = (*reporter)(nil)
)

func newReporter(agentID string, a *sdk.Assignment) *reporter {
	r := &reporter{
		agentID: agentID, stage: a.Stage, attempt: a.Attempt,
		changed: make(chan struct{}, 1), acknowledged: make(chan struct{}, 1), now: time.Now,
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
	p = r.redacted(p).Trim()
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
	r.progress, r.due = &p, true
	notice(r.changed)
}

// redacted is a progress without secrets. That goes before it is cut: what is left of one is no longer known for one.
func (r *reporter) redacted(p sdk.Progress) sdk.Progress {
	for _, text := range []*string{&p.Phase, &p.Message, &p.Delta, &p.Category, &p.Tool} {
		*text = r.clean.String(*text)
	}
	return p
}

// Resume implements [sdk.Reporter]. A null is nothing new: what was kept stays.
func (r *reporter) Resume(data json.RawMessage) error {
	if err := sdk.CheckJSON(data, sdk.MaxResume); err != nil || isNull(data) {
		return err
	}
	data = r.clean.JSON(data)
	if err := sdk.CheckJSON(data, sdk.MaxResume); err != nil { // the marks took more room than the secrets
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

// Output implements [sdk.Output].
func (r *reporter) Output(frames ...sdk.OutputFrame) { r.live.take(frames) }

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
	r.startedAt = earlier.StartedAt
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
	r.live.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// heartbeat is all of it for the details of a heartbeat. A progress that no signal has told of yet has the next one's number already, so
// that Temporal keeps the number before the signal goes out.
func (r *reporter) heartbeat() activities.AttemptReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.reportLocked()
	if r.due && r.signals < maxSignals {
		report.N++
	}
	return report
}

// acknowledge takes what Temporal has acknowledged of a heartbeat.
func (r *reporter) acknowledge(report activities.AttemptReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = kept{started: report.StartedAt != nil, n: report.N, progress: report.Progress}
	notice(r.acknowledged)
}

// startKept reports whether Temporal knows that the handler began.
func (r *reporter) startKept() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.started
}

// signalKept reports whether Temporal has the number and the progress of the next signal.
func (r *reporter) signalKept() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.progress != nil && r.kept.n > r.signals
}

// takeSignal is the number and the progress of the next signal, as Temporal keeps them, and counts it as tried. Call it when signalKept.
func (r *reporter) takeSignal() (n int, p sdk.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, p = r.kept.n, *r.kept.progress
	r.signals, r.due = n, r.progress.At.After(p.At)
	return n, p
}

// signalled is how many progress signals were tried.
func (r *reporter) signalled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signals
}

// report is all of it, as answers carry it.
func (r *reporter) report() activities.AttemptReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reportLocked()
}

func (r *reporter) reportLocked() activities.AttemptReport {
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
