package sdktest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/rolecall-dev/rolecall/activities"
	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// maxTasks is how many tasks a server keeps. When there are more, those that ended first go, as they would after a retention.
const maxTasks = 10_000

// engine runs tasks in memory: it goes the courses of package workflows, with queues, agents and timers of its own. It is the server's
// [apiserver.Tasks]. One lock guards everything; whatever happens has had all its consequences when the lock is free, but for what
// handlers do meanwhile.
type engine struct {
	tb    TB
	log   *slog.Logger
	limit time.Duration // of every wait for a fact
	skips bool          // the clock jumps over pauses between attempts

	life     context.Context // of every handler; ends with close
	end      context.CancelCauseFunc
	work     sync.WaitGroup
	data     converter.DataConverter
	failures converter.FailureConverter

	mu       sync.Mutex
	changed  *sync.Cond // told after everything that happens
	version  int        // counts what happens
	now      time.Time
	timers   timers
	order    int // numbers whatever needs an order
	runs     map[string]*run
	sessions map[string]*session
	plans    map[string]*plan
	agents   []*Agent
	queue    []*attempt          // that nobody has taken, in the order of their creation
	claims   []*claimant         // over HTTP that wait, the first gets the next task
	leases   map[string]*attempt // by the token of their lease
	active   int                 // handlers that work and do not wait
	closed   bool
	keep     int // at most so many runs
	untold   []part
	events   *events // which take what is untold; set before the engine is used
}

func newEngine(tb TB, o options) *engine {
	e := &engine{
		tb: tb, log: o.log, limit: o.limit, skips: o.skips, now: o.start.UTC(), runs: map[string]*run{}, sessions: map[string]*session{}, plans: map[string]*plan{},
		leases: map[string]*attempt{}, keep: maxTasks, data: workflows.DataConverter(),
	}
	e.failures = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: e.data})
	e.changed = sync.NewCond(&e.mu)
	e.life, e.end = context.WithCancelCause(context.Background())
	return e
}

// close ends every wait, tells every handler to stop, and waits for them.
func (e *engine) close() {
	e.mu.Lock()
	e.closed = true
	for _, agent := range e.agents {
		agent.stopped = true
		for a := range agent.holds {
			a.tellToStop(sdk.ErrInterruptedAttempt)
		}
	}
	for _, r := range e.runs {
		e.wakeAll(r.callers)
	}
	for _, p := range e.plans {
		e.wakeAll(p.callers)
	}
	for _, c := range e.claims {
		close(c.got)
	}
	e.claims = nil
	e.end(sdk.ErrInterruptedAttempt)
	e.done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.work.Wait()
	}()
	late := time.NewTimer(e.limit)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		e.tb.Errorf("sdktest: at the end of the test a handler has not obeyed the end of its context within %s", e.limit)
	}
}

// done ends what was done under the lock.
func (e *engine) done() {
	e.skipPauses()
	e.version++
	e.changed.Broadcast()
	e.mu.Unlock()
	e.events.tell()
}

// seen ends a look under the lock: what led to what was seen is in the log before anybody hears of it.
func (e *engine) seen() {
	e.mu.Unlock()
	e.events.tell()
}

func (e *engine) number() int {
	e.order++
	return e.order
}

func (e *engine) find(project, id string) (*run, error) {
	if r, ok := e.runs[workflows.TaskWorkflowID(project, id)]; ok {
		return r, nil
	}
	return nil, kept.NoSuchTask()
}

// CreateTask implements [apiserver.Tasks].
func (e *engine) CreateTask(_ context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error) {
	e.mu.Lock()
	defer e.done()
	return e.create(in, digest)
}

func (e *engine) create(in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error) {
	if first, taken := e.runs[workflows.TaskWorkflowID(in.Project, in.ID)]; taken {
		if err := kept.SameRequest("task", first.digest, digest); err != nil {
			return sdk.Task{}, false, err
		}
		return first.task(), true, nil
	}
	if e.closed {
		return sdk.Task{}, false, sdk.Errorf(sdk.CodeUnavailable, "the test is over")
	}
	if err := e.makeRoom(); err != nil {
		return sdk.Task{}, false, err
	}
	in.Request = in.Request.Resolve()
	in, taken, err := e.adopt(in)
	if err != nil {
		return sdk.Task{}, false, err
	}
	r := e.newRun(in, digest)
	taken(r)
	answer := r.task() // the caller hears of it before anything has come of it
	r.follow(r.course.Begin(e.now))
	e.dispatch()
	return answer, false, nil
}

// makeRoom forgets the task that ended first when there are too many.
func (e *engine) makeRoom() error {
	if len(e.runs) < e.keep {
		return nil
	}
	var oldest *run
	for _, r := range e.runs {
		if r.ended > 0 && (oldest == nil || r.ended < oldest.ended) {
			oldest = r
		}
	}
	if oldest == nil {
		return sdk.Errorf(sdk.CodeUnavailable, "sdktest keeps at most %d tasks, and none of them has ended", e.keep)
	}
	delete(e.runs, workflows.TaskWorkflowID(oldest.in.Project, oldest.in.ID))
	if e.events.full.Load() == nil { // nobody has asked for events yet
		of := part{project: oldest.in.Project, kind: activities.StoryTask, id: oldest.in.ID}
		e.untold = slices.DeleteFunc(e.untold, of.sameStory)
	}
	return nil
}

// RetryTask implements [apiserver.Tasks].
func (e *engine) RetryTask(_ context.Context, in workflows.TaskInput, digest string) (task sdk.Task, replayed bool, err error) {
	e.mu.Lock()
	defer e.done()
	first, err := e.find(in.Project, in.RetryOf)
	_, waits := e.waiting(in.Project, in.RetryOf)
	switch {
	case err != nil && waits:
		return sdk.Task{}, false, kept.NotEnded()
	case err != nil && digest == "":
		return sdk.Task{}, false, err
	case err != nil: // it is kept no longer; the task that was made from it may be
		again, err := e.find(in.Project, in.ID)
		if err != nil {
			return sdk.Task{}, false, err
		}
		in = again.in
	case first.ended == 0:
		return sdk.Task{}, false, kept.NotEnded()
	default:
		in.Request = first.in.Request
	}
	return e.create(in, digest)
}

// GetTask implements [apiserver.Tasks].
func (e *engine) GetTask(_ context.Context, project, id string) (sdk.Task, error) {
	e.mu.Lock()
	defer e.seen()
	r, err := e.find(project, id)
	if err != nil {
		if t, ok := e.waiting(project, id); ok {
			return t, nil
		}
		return sdk.Task{}, err
	}
	return r.task(), nil
}

// LookTask implements [apiserver.Tasks].
func (e *engine) LookTask(ctx context.Context, project, id string) (sdk.Task, error) {
	return e.GetTask(ctx, project, id)
}

// WaitTask implements [apiserver.Tasks]. How long a caller waits for an answer is measured by the machine's clock, as the caller does.
func (e *engine) WaitTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error) {
	e.mu.Lock()
	r, err := e.find(project, id)
	if err != nil || r.ended > 0 || wait <= 0 || e.closed {
		defer e.seen()
		if err != nil {
			if t, ok := e.waiting(project, id); ok { // who waits for its end asks again
				return t, nil
			}
			return sdk.Task{}, err
		}
		return r.task(), nil
	}
	defer e.done()
	e.await(ctx, r.callers, wait)
	return r.task(), nil
}

// CancelTask implements [apiserver.Tasks].
func (e *engine) CancelTask(_ context.Context, project, id, reason string) (task sdk.Task, accepted bool, err error) {
	e.mu.Lock()
	defer e.done()
	r, err := e.find(project, id)
	if err != nil {
		return e.cancelWaiting(project, id, reason)
	}
	if r.ended > 0 || r.cancelled {
		return r.task(), r.ended == 0, nil
	}
	r.cancelled = true
	answer := r.task() // as it stands, before anything has come of it
	r.cancel(reason)
	e.dispatch()
	return answer, true, nil
}

// ProvideInput implements [apiserver.Tasks].
func (e *engine) ProvideInput(_ context.Context, project, id string, in workflows.ProvideInputInput) (sdk.Task, error) {
	e.mu.Lock()
	defer e.done()
	r, err := e.find(project, id)
	if err != nil {
		return sdk.Task{}, err
	}
	if r.ended > 0 {
		return sdk.Task{}, kept.HasEnded(r.task())
	}
	if err := r.provide(in); err != nil {
		return sdk.Task{}, err
	}
	answer := r.task() // before an agent has the next attempt
	e.dispatch()
	return answer, nil
}

// ListProgress implements [apiserver.Tasks].
func (e *engine) ListProgress(_ context.Context, project, id string) (items []sdk.Progress, stale bool, err error) {
	e.mu.Lock()
	defer e.seen()
	r, err := e.find(project, id)
	if err != nil {
		return nil, false, err
	}
	return r.course.Progress(), false, nil
}

// Ready implements [apiserver.Tasks].
func (e *engine) Ready(context.Context) error { return nil }
