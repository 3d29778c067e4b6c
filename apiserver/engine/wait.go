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

// watch looks after one task for all its waiters: the event log's word of its end, where the log is followed, and a long poll for the
// run's close event then; else that poll all the time. Beside them a describe now and then, because either can miss an end. It lives from
// the first waiter until the task has ended, or a while beyond the last waiter: a caller who waits in slices finds it still there, and a
// poll that is cut off is the dearest read there is.
type watch struct {
	ended   chan struct{} // closed when the task has ended
	seen    sighting      // the open task as it was last looked at; watchTask's
	cancel  context.CancelFunc
	waiters int         // guarded by Engine.mu
	linger  *time.Timer // ends the watch; nil while somebody waits. Guarded by Engine.mu
	polls   bool        // holds one of Config.MaxPolls. Guarded by Engine.mu

	bell    *bell         // nil without a log
	rung    chan struct{} // has something when the log has the task's end
	stirred chan struct{} // has something when there is reason to look at the task
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
	w := e.join(project, id, seen, open)
	defer e.leave(workflows.TaskWorkflowID(project, id), w)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.ended:
	case <-timer.C:
	case <-ctx.Done():
	case <-e.life.Done():
		return t, nil
	}
	return e.GetTask(context.WithoutCancel(ctx), project, id)
}

// join makes the caller a waiter of the task's watch and starts it for the first one. seen is the task as it stands, or stood not long
// ago; when it was open its end had not been told yet.
func (e *Engine) join(project, id string, seen sighting, open time.Time) *watch {
	workflowID := workflows.TaskWorkflowID(project, id)
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.watches[workflowID]
	if !ok {
		var ctx context.Context
		w = &watch{ended: make(chan struct{}), rung: make(chan struct{}, 1), stirred: make(chan struct{}, 1), seen: seen}
		ctx, w.cancel = context.WithCancel(e.life)
		if e.life.Err() != nil {
			return w // nobody to start any more; WaitTask sees the same
		}
		e.watches[workflowID] = w
		w.bell = e.bellOf(project)
		e.catchUp(workflowID, w, open)
		e.work.Go(func() { e.watchTask(ctx, project, id, w) })
	}
	w.waiters++
	if w.linger != nil {
		w.linger.Stop()
		w.linger = nil
	}
	return w
}

// catchUp lets a new watch know what the bell heard before it was there. Where the bell has not heard everything since the task was open,
// the task is looked at once, by a bell that begins once it hears. Engine.mu is held.
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

// watchTask runs a watch until the task has ended or the watch is taken down.
func (e *Engine) watchTask(ctx context.Context, project, id string, w *watch) {
	workflowID := workflows.TaskWorkflowID(project, id)
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
			if e.conclude(workflowID, w.seen, event) {
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
		seen, err := e.sightAfresh(ctx, project, id)
		if err == nil && seen.task.Status.Terminal() || errors.Is(err, sdk.ErrNotFound) {
			if ticked && err == nil && !rung && w.bell.relied() {
				w.bell.doubt()
			}
			close(w.ended)
			return
		}
		if err == nil {
			w.seen = seen
		}
		poll() // the last one may have been for a run that an operator has reset
	}
}

func (e *Engine) hasWaiters(w *watch) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return w.waiters > 0
}

// conclude makes the finished task of the open one and the close event that a poll brought, without asking anything more. It is
// false when the event has no record of the task, as that of a run that was terminated, and when the task was seen before it had a run,
// which has more of it: its input, and the link to it.
func (e *Engine) conclude(workflowID string, seen sighting, event *historypb.HistoryEvent) bool {
	t, ok := e.record(event)
	if !ok || seen.unbegun {
		return false
	}
	open := seen.task
	t.ID, t.CreatedAt, t.Input, t.Description, t.Links = open.ID, open.CreatedAt, open.Input, open.Description, open.Links
	if t.CompletedAt == nil {
		closed := event.GetEventTime().AsTime()
		t.CompletedAt = &closed
	}
	t = withLists(t)
	e.finished.put(workflowID, t, taskBytes(t), time.Now())
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
