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

// watch looks after one task for all its waiters: a long poll for the run's close event, and a describe now and then because a
// long poll can miss its wake-up. It lives from the first waiter until the task has ended, or a while beyond the last waiter:
// a caller who waits in slices finds it still there, and a poll that is cut off is the dearest read there is.
type watch struct {
	ended   chan struct{} // closed when the task has ended
	seen    sdk.Task      // the open task as it was last looked at; watchTask's
	cancel  context.CancelFunc
	waiters int         // guarded by Engine.mu
	linger  *time.Timer // ends the watch; nil while somebody waits. Guarded by Engine.mu
	polls   bool        // holds one of Config.MaxPolls
}

// WaitTask answers as soon as the task has ended, and with its current state when wait has passed or ctx has ended before that.
func (e *Engine) WaitTask(ctx context.Context, project, id string, wait time.Duration) (sdk.Task, error) {
	t, err := e.GetTask(ctx, project, id)
	if err != nil || t.Status.Terminal() || wait <= 0 {
		return t, err
	}
	w := e.join(project, id, t)
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

// join makes the caller a waiter of the task's watch and starts it for the first one. seen is the task as it stands.
func (e *Engine) join(project, id string, seen sdk.Task) *watch {
	workflowID := workflows.TaskWorkflowID(project, id)
	e.mu.Lock()
	defer e.mu.Unlock()
	w, ok := e.watches[workflowID]
	if !ok {
		var ctx context.Context
		w = &watch{ended: make(chan struct{}), seen: seen}
		ctx, w.cancel = context.WithCancel(e.life)
		if e.life.Err() != nil {
			return w // nobody to start any more; WaitTask sees the same
		}
		e.watches[workflowID] = w
		if e.polls < e.cfg.MaxPolls {
			e.polls++
			w.polls = true
		}
		e.work.Go(func() { e.watchTask(ctx, project, id, w) })
	}
	w.waiters++
	if w.linger != nil {
		w.linger.Stop()
		w.linger = nil
	}
	return w
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
	polling, polled := false, time.Time{}
	poll := func() {
		if w.polls && !polling && (polled.IsZero() || time.Since(polled) >= e.cfg.PollInterval) {
			polling, polled = true, time.Now()
			e.work.Go(func() { e.pollClose(ctx, workflowID, closed) })
		}
	}
	poll()
	tick := time.NewTicker(e.cfg.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-closed:
			if e.conclude(workflowID, w.seen, event) {
				close(w.ended)
				return
			}
			polling = false
		case <-tick.C:
			if !e.hasWaiters(w) {
				continue
			}
		}
		t, err := e.look(ctx, project, id)
		if err == nil && t.Status.Terminal() || errors.Is(err, sdk.ErrNotFound) {
			close(w.ended)
			return
		}
		if err == nil {
			w.seen = t
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
// false when the event has no record of the task, as that of a run that was terminated.
func (e *Engine) conclude(workflowID string, open sdk.Task, event *historypb.HistoryEvent) bool {
	t, ok := e.record(event)
	if !ok {
		return false
	}
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
