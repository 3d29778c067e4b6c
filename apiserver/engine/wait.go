package engine

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// watch looks after one task or plan for all its waiters: the event log's word of its end, where the log is followed, and a long poll for the
// run's close event then; else that poll all the time. Beside them a describe now and then, because either can miss an end. It lives from
// the first waiter until that has ended, or a while beyond the last waiter: a caller who waits in slices finds it still there, and a
// poll that is cut off is the dearest read there is.
type watch struct {
	of      waited        // runWatch's
	ended   chan struct{} // closed when it has ended
	cancel  context.CancelFunc
	waiters int         // guarded by Engine.mu
	linger  *time.Timer // ends the watch; nil while somebody waits. Guarded by Engine.mu
	polls   bool        // holds one of Config.MaxPolls. Guarded by Engine.mu

	bell    *bell         // nil without a log
	rung    chan struct{} // has something when the log has its end
	stirred chan struct{} // has something when there is reason to look at it
}

// waited is what is waited for, as it was last looked at.
type waited interface {
	// look reads it afresh and answers whether it has ended.
	look(ctx context.Context) (ended bool, err error)
	// conclude makes what its readers are answered of the close event that a poll brought, without asking anything more. It is false where
	// that does not tell all of it.
	conclude(event *historypb.HistoryEvent) bool
}

// waitedTask is a task that is waited for.
type waitedTask struct {
	e           *Engine
	project, id string
	seen        sighting
}

// WaitTask answers as soon as the task has ended, and with its current state when wait has passed or ctx has ended before that.
func (e *Engine) WaitTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error) {
	asked := time.Now()
	seen, err := e.sight(ctx, project, id)
	t := seen.task
	if err != nil || t.Status.Terminal() || wait <= 0 {
		return t, err
	}
	open := asked.Add(-e.cfg.CallTimeout - e.cfg.DescribeTTL) // a read may be as old as a call and what a cache keeps
	if seen.born.After(open) {
		open = seen.born
	}
	if !e.await(ctx, project, workflows.TaskWorkflowID(project, id), &waitedTask{e: e, project: project, id: id, seen: seen}, open, wait) {
		return t, nil
	}
	return e.GetTask(context.WithoutCancel(ctx), project, id)
}

// await waits until a run has ended, the wait has passed or ctx has ended, as a waiter of its watch; false is that the engine was closed
// meanwhile. of is what the run is of, and open as in [Engine.join].
func (e *Engine) await(ctx context.Context, project, workflowID string, of waited, open time.Time, wait time.Duration) bool {
	w := e.join(project, workflowID, of, open)
	defer e.leave(workflowID, w)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C:
	case <-ctx.Done():
	case <-e.life.Done():
		return false
	}
	return true
}

// join makes the caller a waiter of a run's watch and starts it for the first one. of is what the run is of as it stands, or stood not long
// ago; when it was open its end had not been told yet.
func (e *Engine) join(project, workflowID string, of waited, open time.Time) *watch {
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.watches[workflowID]
	if !ok {
		var ctx context.Context
		w = &watch{of: of, ended: make(chan struct{}), rung: make(chan struct{}, 1), stirred: make(chan struct{}, 1)}
		ctx, w.cancel = context.WithCancel(e.life)
		if e.life.Err() != nil {
			return w // nobody to start any more; await sees the same
		}
		e.watches[workflowID] = w
		w.bell = e.bellOf(project)
		e.catchUp(workflowID, w, open)
		e.work.Go(func() { e.runWatch(ctx, workflowID, w) })
	}
	w.waiters++
	if w.linger != nil {
		w.linger.Stop()
		w.linger = nil
	}
	return w
}

// catchUp lets a new watch know what the bell heard before it was there. Where the bell has not heard everything since the run was open,
// that is looked at once, by a bell that begins once it hears. Engine.mu is held.
func (e *Engine) catchUp(workflowID string, w *watch, open time.Time) {
	if w.bell == nil {
		return
	}
	if _, ended := w.bell.heard.get(workflowID); ended {
		notice(w.rung)
	} else if w.bell.since(time.Now()) && !w.bell.since(open) {
		notice(w.stirred)
	}
}

// mayPoll takes one of [Config.MaxPolls] for a watch, which it keeps to its end.
func (e *Engine) mayPoll(w *watch) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !w.polls && e.polls < e.cfg.MaxPolls {
		e.polls++
		w.polls = true
	}
	return w.polls
}

// leave takes a waiter off. The last one sets the end of the watch.
func (e *Engine) leave(workflowID string, w *watch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.waiters--
	if w.waiters > 0 || e.watches[workflowID] != w {
		return
	}
	w.linger = time.AfterFunc(e.cfg.Linger, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if w.waiters == 0 {
			e.end(workflowID, w)
		}
	})
}

// end takes a watch down. Engine.mu is held.
func (e *Engine) end(workflowID string, w *watch) {
	w.cancel()
	if e.watches[workflowID] != w {
		return
	}
	delete(e.watches, workflowID)
	e.leaveBell(w.bell)
	if w.polls {
		e.polls--
	}
}

// runWatch runs a watch until what it is of has ended or the watch is taken down.
func (e *Engine) runWatch(ctx context.Context, workflowID string, w *watch) {
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.end(workflowID, w)
	}()
	closed := make(chan *historypb.HistoryEvent, 1)
	polling, polled, rung := false, time.Time{}, false
	poll := func() {
		due := polled.IsZero() || time.Since(polled) >= e.cfg.PollInterval
		if (rung || !w.bell.relied()) && !polling && due && e.mayPoll(w) {
			polling, polled = true, time.Now()
			e.work.Go(func() { e.pollClose(ctx, workflowID, closed) })
		}
	}
	poll()
	tick := time.NewTicker(e.cfg.PollInterval)
	defer tick.Stop()
	for {
		ticked := false
		select {
		case <-ctx.Done():
			return
		case event := <-closed:
			if w.of.conclude(event) {
				close(w.ended)
				return
			}
			polling = false
		case <-w.rung: // the event is there a moment before the run has closed
			rung = true
			if poll(); polling {
				continue
			}
		case <-w.stirred:
		case <-tick.C:
			if ticked = true; !e.hasWaiters(w) {
				continue
			}
		}
		ended, err := w.of.look(ctx)
		if ended || errors.Is(err, sdk.ErrNotFound) {
			if ticked && err == nil && !rung && w.bell.relied() {
				w.bell.doubt()
			}
			close(w.ended)
			return
		}
		poll() // the last one may have been for a run that an operator has reset
	}
}

func (e *Engine) hasWaiters(w *watch) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return w.waiters > 0
}

func (w *waitedTask) look(ctx context.Context) (ended bool, err error) {
	seen, err := w.e.sightAfresh(ctx, w.project, w.id)
	if err != nil {
		return false, err
	}
	w.seen = seen
	return seen.task.Status.Terminal(), nil
}

// conclude makes the finished task of the open one. It is false when the event has no record of the task, as that of a run that was
// terminated, and when the task was seen before it had a run, which has more of it: its input, and the link to it.
func (w *waitedTask) conclude(event *historypb.HistoryEvent) bool {
	t, ok := w.e.record(event)
	if !ok || w.seen.unbegun {
		return false
	}
	open := w.seen.task
	t.ID, t.CreatedAt, t.Input, t.Description, t.Links = open.ID, open.CreatedAt, open.Input, open.Description, open.Links
	if t.CompletedAt == nil {
		closed := event.GetEventTime().AsTime()
		t.CompletedAt = &closed
	}
	t = withLists(t)
	w.e.finished.put(workflows.TaskWorkflowID(w.project, w.id), t, taskBytes(t), time.Now())
	return true
}

// pollClose says on closed what the run's close event is. A poll that breaks is taken up again after a while.
func (e *Engine) pollClose(ctx context.Context, workflowID string, closed chan<- *historypb.HistoryEvent) {
	for ctx.Err() == nil {
		events := e.temporal.GetWorkflowHistory(ctx, workflowID, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
		if events.HasNext() {
			if event, err := events.Next(); err == nil {
				closed <- event
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(e.cfg.PollInterval):
		}
	}
}
