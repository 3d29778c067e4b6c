package workers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/sdk/redact"
)

// Performance is one attempt in the hands of a handler, apart from any engine. It is for sdk/sdktest, as [Perform] is.
type Performance struct {
	AgentID    string
	Assignment sdk.Assignment
	Handler    sdk.Handler
	// Now is the clock of the reports. A progress is later than the one before it, also where the clock stands still. Default [time.Now].
	Now func() time.Time
	// Reported is told what there is to tell each time the handler reports. It must not block. Default nobody.
	Reported func(activities.AttemptReport)
	// Logger gets the stack of a panic. Default [slog.Default].
	Logger *slog.Logger
}

// Perform calls a handler as a role worker with the default configuration does, and answers what the worker would tell Temporal: a report, or an error that carries
// it (see [activities.ExecuteTaskName]). ctx is the handler's and ends with a cause as [sdk.Handler] has it. Perform returns when the
// handler has. It is for sdk/sdktest, which hands out attempts without Temporal, and may change with any release.
func Perform(ctx context.Context, p Performance) (activities.AttemptReport, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Logger == nil {
		p.Logger = slog.Default()
	}
	began := p.Now()
	r := newReporter(p.AgentID, &p.Assignment)
	r.now, r.clean = p.Now, redact.Default()
	r.started(began)
	o := <-handle(ctx, p.Handler, &p.Assignment, &told{reporter: r, tell: p.Reported}, p.Logger)
	r.close()
	cause := context.Cause(ctx)
	e := ending{
		clean: r.clean, result: o.result, err: o.err, took: p.Now().Sub(began), cause: cause, cancelled: errors.Is(cause, sdk.ErrCancelRequested),
	}
	return e.answer(e.counted(r))
}

var _ sdk.Meter = (*told)(nil)

// told is a reporter that says when there is something new: every report, and in their order.
type told struct {
	reporter *reporter
	tell     func(activities.AttemptReport)

	mu sync.Mutex // held until a report has been told
}

// Progress implements [sdk.Reporter].
func (t *told) Progress(p sdk.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reporter.Progress(p)
	t.news()
}

// Resume implements [sdk.Reporter].
func (t *told) Resume(data json.RawMessage) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.reporter.Resume(data)
	if err == nil {
		t.news()
	}
	return err
}

// Spent implements [sdk.Meter].
func (t *told) Spent(m sdk.Metrics) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reporter.Spent(m)
	t.news()
}

func (t *told) news() {
	if t.tell != nil {
		t.tell(t.reporter.report())
	}
}
