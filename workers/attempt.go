package workers

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/sdk"
)

// attemptRef is how Temporal knows an attempt.
type attemptRef struct {
	token             []byte
	workflowID, runID string
	workflowType      string
	queue             string
}

// attempt is one attempt in this process, from its entry to its answer.
type attempt struct {
	w        *roleWorker
	ref      attemptRef
	log      *slog.Logger
	task     *sdk.Assignment
	reporter *reporter
	lease    *lease

	ctx       context.Context // the handler's; ends with one of three causes
	end       context.CancelCauseFunc
	wanted    context.Context // ends when nobody wants to hear of the attempt
	unwanted  context.CancelFunc
	outcome   string      // as it was delivered; see outcomeOf
	code      string      // of a failure
	cancelled atomic.Bool // the task's cancellation was requested
	gone      atomic.Bool // Temporal has said that the attempt has ended
}

// executeTask is the activity. It answers through the client and never by returning: so a cancellation that only a heartbeat told
// of can be confirmed, and an answer outlives Temporal being away for longer than the SDK would try.
func (w *roleWorker) executeTask(actCtx context.Context, args converter.EncodedValues) error {
	w.pace.enter()
	defer w.pace.leave()
	info, began := activity.GetInfo(actCtx), time.Now()
	a := w.newAttempt(actCtx, info)
	defer func() { w.metrics.ended(a, began) }()
	defer a.unwanted()
	defer a.end(nil)
	defer context.AfterFunc(actCtx, func() { a.activityEnded(context.Cause(actCtx)) })()
	defer context.AfterFunc(w.interrupt, func() { a.end(sdk.ErrInterruptedAttempt) })()
	var earlier activities.AttemptReport
	if activity.HasHeartbeatDetails(actCtx) && activity.GetHeartbeatDetails(actCtx, &earlier) != nil {
		earlier = activities.AttemptReport{}
	}
	if err := a.read(info.ActivityType.Name, args, earlier); err != nil {
		a.deliver(activities.AttemptReport{AgentID: w.cfg.AgentID}, err)
		return activity.ErrResultPending
	}
	a.run(info)
	return activity.ErrResultPending
}

func (w *roleWorker) newAttempt(actCtx context.Context, info activity.Info) *attempt {
	a := &attempt{w: w, outcome: outcomeLost, ref: attemptRef{
		token: info.TaskToken, workflowID: info.WorkflowExecution.ID, runID: info.WorkflowExecution.RunID, queue: info.TaskQueue,
	}}
	if info.WorkflowType != nil {
		a.ref.workflowType = info.WorkflowType.Name
	}
	a.ctx, a.end = context.WithCancelCause(trace.ContextWithSpan(w.base, trace.SpanFromContext(actCtx)))
	a.wanted, a.unwanted = context.WithCancel(w.base)
	a.log = w.cfg.Logger.With("run", a.ref.workflowID, "attempt", info.ActivityID)
	length := info.HeartbeatTimeout
	if length <= 0 {
		length = leaseWithout
	}
	a.lease = &lease{
		base: w.base, port: w.port, ref: a.ref, length: length, pace: &w.pace, log: a.log,
		onReply: a.replied, onLapse: a.lapsed, onMissed: w.metrics.missed.Inc,
	}
	window := time.Duration(0)
	polled, known := w.polls.take(info.TaskToken)
	if known && !w.cfg.AcknowledgeStart {
		window = certainFor(&info, length)
	}
	a.lease.begin(polled, window)
	return a
}

// read takes the assignment, and what an earlier execution of the same attempt had reported. What cannot be read will not be
// readable to another worker either.
func (a *attempt) read(name string, args converter.EncodedValues, earlier activities.AttemptReport) error {
	report := activities.AttemptReport{AgentID: a.w.cfg.AgentID}
	if name != activities.ExecuteTaskName {
		return refuse(sdk.CodeInvalidInput, report, "this worker serves the activity %s and no %s", activities.ExecuteTaskName, name)
	}
	var task sdk.Assignment
	if err := args.Get(&task); err != nil {
		return refuse(sdk.CodeInvalidInput, report, "the assignment cannot be read: %v", err)
	}
	if !sdk.ValidID(task.Task.ID) || task.Attempt < 1 || task.Stage < 0 {
		return refuse(sdk.CodeInvalidInput, report, "the assignment names no task, stage and attempt")
	}
	a.task = &task
	a.reporter = newReporter(a.w.cfg.AgentID, &task)
	a.reporter.clean = a.w.clean
	a.reporter.goOn(earlier)
	task.Resume = bytes.Clone(a.reporter.report().Resume) // the handler may write into its own
	a.lease.details, a.lease.kept, a.lease.changed = a.reporter.heartbeat, a.reporter.acknowledge, a.reporter.changed
	return nil
}

// run is the walk of an attempt: a slot, an acknowledged heartbeat unless the attempt is certainly ours, the handler, its answer.
func (a *attempt) run(info activity.Info) {
	hasSlot := a.w.draining.Err() == nil && a.w.slots.tryTake()
	if hasSlot {
		a.reporter.started(time.Now())
	}
	certain, first := hasSlot && a.lease.certain(), time.Duration(0)
	if certain {
		first = firstBeat
	}
	a.lease.start(first)
	defer a.lease.stop()
	if !hasSlot {
		hasSlot = a.waitForSlot()
	}
	if hasSlot {
		defer a.w.slots.release()
	}
	if !certain || !a.lease.certain() { // the process may have been stopped since it was
		select {
		case <-a.lease.renewed:
		case <-a.ctx.Done():
		}
	}
	if a.ctx.Err() == nil && !a.lease.held() {
		a.lapsed()
	}
	if !hasSlot || a.ctx.Err() != nil {
		a.answer(ending{err: errors.New("the agent was not started")})
		return
	}
	a.work(info)
}

// waitForSlot waits until the attempt may begin, at most slotWait. It is false when the attempt is to end before, when the worker
// drains, and when no slot became free: then the attempt is given back, for another worker may be idle.
func (a *attempt) waitForSlot() bool {
	wait, stop := context.WithTimeout(a.ctx, slotWait)
	defer stop()
	defer context.AfterFunc(a.w.draining, stop)()
	if a.w.draining.Err() != nil || a.w.slots.take(wait, a.w.isOwn(a.ref.queue)) != nil {
		if errors.Is(wait.Err(), context.DeadlineExceeded) {
			a.log.Info("no slot became free; the attempt is given back", "after", slotWait)
		}
		a.end(sdk.ErrInterruptedAttempt)
		return false
	}
	a.reporter.started(time.Now())
	return true
}

// work runs the handler and answers once it has returned.
func (a *attempt) work(info activity.Info) {
	defer a.w.presence.Begin(a.task.Task.ID)()
	began := time.Now()
	returned := make(chan struct{})
	told := make(chan struct{})
	s := &signals{
		port: a.w.port, ref: a.ref, reporter: a.reporter, held: a.lease.held, answerBy: a.lease.answerBy, log: a.log,
		begin: began, before: taskAge(a.task, info.StartedTime), done: returned,
	}
	go func() {
		defer close(told)
		s.run(a.wanted)
	}()
	if a.w.outputs != nil {
		a.reporter.live = newOutput(a.w.outputs, a.task, a.w.clean, a.w.pace.running)
		go a.reporter.live.run(a.w.base)
	}
	done := handle(a.ctx, a.w.handler, a.task, a.reporter, a.log)
	o, ok := a.await(done)
	a.reporter.close()
	close(returned)
	if !ok {
		a.unwanted()
	}
	<-told
	if ok {
		a.answer(ending{result: o.result, err: o.err, took: time.Since(began)})
	}
}

// await waits for the handler, however long it ignores the end of its context: its slot stays taken and its attempt unanswered,
// for as long as it runs nobody may say that it has stopped. Only a worker that ends leaves it behind; ok is false then.
func (a *attempt) await(done <-chan outcome) (o outcome, ok bool) {
	select {
	case o = <-done:
		return o, true
	case <-a.ctx.Done():
	}
	late := time.NewTimer(handlerStop)
	defer late.Stop()
	for {
		select {
		case o = <-done:
			return o, true
		case <-late.C:
			a.log.Error("the agent goes on although its context has ended; its slot stays taken",
				"cause", context.Cause(a.ctx), "after", handlerStop)
		case <-a.w.abandoned.Done():
			a.log.Error("the worker ends before the agent has stopped; the attempt will be seen as lost")
			a.w.left.Add(1)
			return outcome{}, false
		}
	}
}

// answer tells how the attempt ended, unless nobody wants to know.
func (a *attempt) answer(e ending) {
	if a.gone.Load() {
		a.log.Info("the attempt had ended already; its outcome is dropped")
		return
	}
	e.clean = a.w.clean
	e.cause, e.cancelled = context.Cause(a.ctx), a.cancelled.Load()
	a.deliver(e.answer(e.counted(a.reporter)))
}

// replied takes what an answer to a heartbeat says of the attempt.
func (a *attempt) replied(r reply) {
	switch r {
	case replyCancelled:
		a.cancelled.Store(true)
		a.end(sdk.ErrCancelRequested)
	case replyInterrupted:
		a.end(sdk.ErrInterruptedAttempt)
	case replyGone:
		a.gone.Store(true)
		a.end(sdk.ErrLeaseLost)
		a.unwanted()
	case replyOK, replyRefused, replyUnknown:
	}
}

// lapsed stops the agent: Temporal is about to give the task to another one, if it has not yet.
func (a *attempt) lapsed() {
	a.log.Error("no heartbeat was acknowledged in time; stopping the agent", "lease", a.lease.length)
	a.end(sdk.ErrLeaseLost)
	a.unwanted()
}

// activityEnded takes the end of the activity's own context, which a server that pushes cancellations ends before any heartbeat
// could tell. A deadline is left to the next heartbeat: the server's clock counts, not ours.
func (a *attempt) activityEnded(cause error) {
	switch {
	case temporal.IsCanceledError(cause):
		a.replied(replyCancelled)
	case errors.Is(cause, worker.ErrWorkerShutdown):
		a.end(sdk.ErrInterruptedAttempt)
	}
}

// taskAge is how long the task had been going on when the attempt was handed out.
func taskAge(task *sdk.Assignment, handedOut time.Time) time.Duration {
	if task.Task.StartedAt == nil {
		return 0
	}
	return max(handedOut.Sub(*task.Task.StartedAt), 0)
}
