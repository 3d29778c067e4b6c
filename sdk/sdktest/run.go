package sdktest

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	enumspb "go.temporal.io/api/enums/v1"

	kept "github.com/rolecall-dev/rolecall/apiserver/engine"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// run is one task: its course, and what the next step waits for. The engine's lock guards it.
type run struct {
	engine  *engine
	in      workflows.TaskInput
	digest  string
	course  *workflows.Course
	created sdk.Task
	number  int // the order of creation
	ended   int // the order of the end; 0 while it is open

	cancelled bool
	reason    string               // of the cancellation
	pending   *attempt             // with StepAttempt
	timer     *timer               // with StepRest and StepAsk
	resume    func(cancelled bool) // what follows then
	callers   map[*waiter]struct{} // who wait for the end
	children  []*run               // that end with the task
	then      func(*run)           // called when it has ended; nil for nothing
}

func (e *engine) newRun(in workflows.TaskInput, digest string) *run {
	in.Request = in.Request.Resolve()
	r := &run{
		engine: e, in: in, digest: digest, course: workflows.NewCourse(in, e.now), created: workflows.NewTask(in, e.now),
		number: e.number(), callers: map[*waiter]struct{}{},
	}
	r.course.Breach = func(from, to sdk.Status) {
		e.tb.Errorf("sdktest: task %s went from %s to %s, which is outside the lifecycle: this is a fault of rolecall", in.ID, from, to)
	}
	e.runs[workflows.TaskWorkflowID(in.Project, in.ID)] = r
	return r
}

// follow takes the steps of the course until one has to wait.
func (r *run) follow(step workflows.Step) {
	e := r.engine
	defer r.collect()
	for {
		switch {
		case step.Kind == workflows.StepAttempt:
			r.ask()
			return
		case step.Kind == workflows.StepRest && step.Delay <= 0:
			step = r.course.Rested(e.now, r.cancelled)
		case step.Kind == workflows.StepRest:
			r.pause(step.Delay, pauseTimer, r.course.Rested)
			return
		case step.Kind == workflows.StepAsk:
			r.pause(step.Delay, plainTimer, r.course.Asked)
			return
		default:
			r.course.Close(e.now, step)
			r.ended = e.number()
			e.wakeAll(r.callers)
			r.release()
			if r.then != nil {
				r.collect() // before what comes of it
				r.then(r)
			}
			return
		}
	}
}

// pause waits for the time, or for whoever calls resume before.
func (r *run) pause(d time.Duration, kind int, then func(now time.Time, cancelled bool) workflows.Step) {
	r.resume = func(cancelled bool) {
		r.engine.stop(r.timer)
		r.timer, r.resume = nil, nil
		r.follow(then(r.engine.now, cancelled))
	}
	r.timer = r.engine.after(d, kind, func() {
		r.resume(false)
		r.engine.dispatch()
	})
}

// cancel asks the task, which is marked as cancelled, to stop.
func (r *run) cancel(reason string) {
	r.reason = reason
	r.course.CancelRequested(workflows.CancelRequestedInput{Reason: reason})
	switch a := r.pending; {
	case r.resume != nil:
		r.resume(true)
	case a != nil && a.agent == nil:
		a.finish(workflows.AttemptOutcome{Err: temporal.NewCanceledError()})
	case a != nil:
		a.timers = append(a.timers, r.engine.after(workflows.CancelGrace, plainTimer, func() {
			a.finish(workflows.AttemptOutcome{Unconfirmed: true})
			r.engine.dispatch()
		}))
		if !a.lost {
			a.tellToStop(sdk.ErrCancelRequested)
		}
	}
}

// provide takes an answer to the open question.
func (r *run) provide(in workflows.ProvideInputInput) error {
	if err := r.course.CheckInput(r.engine.now, in); err != nil {
		if refusal, ok := errors.AsType[*sdk.Error](err); ok {
			return kept.Refused(refusal)
		}
		return err
	}
	defer r.collect()
	if r.course.ProvideInput(r.engine.now, in) {
		r.resume(false)
	}
	return nil
}

// ask puts the attempt that the course wants into its queue.
func (r *run) ask() {
	e, terms := r.engine, r.course.Terms(r.engine.now)
	assignment := r.course.Assignment()
	a := &attempt{
		engine: e, run: r, stage: assignment.Stage, number: assignment.Attempt, terms: terms, assignment: assignment,
		scheduled: e.now, waits: map[*waiter]struct{}{},
	}
	r.pending = a
	e.queue = append(e.queue, a)
	if terms.Queued > 0 {
		a.queued = a.due(terms.Queued, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START)
	}
	a.due(terms.Whole, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
}

// task is the task as the API answers it.
func (r *run) task() sdk.Task {
	state := r.course.State()
	k := kept.Kept{Project: r.in.Project, Created: r.created, State: &state, CancelRequested: r.cancelled}
	links := sdk.Links{Self: "/v1/tasks/" + r.in.ID, Events: "/v1/tasks/" + r.in.ID + "/events"}
	if r.ended > 0 {
		return k.Closed(r.course.Record(), links)
	}
	if a := r.pending; a != nil {
		k.Pending = &kept.Pending{Stage: a.stage, Number: a.number, Scheduled: a.scheduled, TakenAt: a.taken, Report: a.report}
		if a.agent == nil {
			k.Pending.Queue = r.engine.look(a.terms.Queue)
			k.Pending.Queue.Polled = k.Pending.Queue.Polled || len(a.assignment.Task.Capabilities) > 0
			k.Pending.Nobody = a.finds()
		}
	}
	return k.Open(links)
}
