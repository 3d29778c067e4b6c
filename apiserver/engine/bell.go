package engine

import (
	"context"
	"sync"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	bellStart = 2 * time.Second        // the default of bellTimes.start
	bellCheck = 2 * time.Second        // between two looks whether the log can be read
	bellAgain = time.Second            // before it is followed anew
	bellDoubt = 30 * time.Second       // for which a log that did not tell of an end is not relied on
	heardSize = 256                    // about what one of the ends takes that were heard
	heardMost = 10_000 * heardSize     // how many are remembered
	quickLook = 500 * time.Millisecond // the default of bellTimes.look
)

// bellTimes are how long a log may take that is relied on.
type bellTimes struct {
	start time.Duration // for the log to be followed, before long polls take its place
	look  time.Duration // for the log to say that it can be read
}

// bell follows the ends of a project's tasks and plans in the event log, for all watches of the project. It lives from the first of them to a
// while beyond the last. Where it can not be relied on, watches have long polls instead.
type bell struct {
	project string
	heard   *cache[struct{}] // the ends of late, by workflow id

	watches int         // guarded by Engine.mu
	linger  *time.Timer // Engine.mu
	cancel  context.CancelFunc

	mu      sync.Mutex
	ready   time.Time // until when it may take to begin; zero once it has, or failed to
	stands  time.Time // since when everything is heard; zero while it is not
	doubted time.Time // until when it is not relied on
}

// bellOf makes a watch one of the project's bell, which it starts for the first; nil without a log. Engine.mu is held.
func (e *Engine) bellOf(project string) *bell {
	if e.cfg.Events == nil {
		return nil
	}
	b := e.bells[project]
	if b == nil {
		var ctx context.Context
		b = &bell{project: project, heard: newCache[struct{}](heardMost, 3*e.cfg.CallTimeout), ready: time.Now().Add(e.bellTimes.start)}
		ctx, b.cancel = context.WithCancel(e.life)
		e.bells[project] = b
		e.work.Go(func() { e.listen(ctx, b) })
	}
	b.watches++
	if b.linger != nil {
		b.linger.Stop()
		b.linger = nil
	}
	return b
}

// leaveBell takes a watch off. Engine.mu is held.
func (e *Engine) leaveBell(b *bell) {
	if b == nil {
		return
	}
	if b.watches--; b.watches > 0 {
		return
	}
	b.linger = time.AfterFunc(e.cfg.Linger, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if b.watches > 0 {
			return
		}
		b.cancel()
		if e.bells[b.project] == b { // an earlier linger of b may have made way for another one
			delete(e.bells, b.project)
		}
	})
}

// listen follows the log until ctx ends.
func (e *Engine) listen(ctx context.Context, b *bell) {
	ends := eventlog.Filter{}
	for _, t := range []sdk.EventType{
		sdk.EventTaskCompleted, sdk.EventTaskFailed, sdk.EventTaskCancelled, sdk.EventPlanCompleted, sdk.EventPlanFailed, sdk.EventPlanCancelled,
	} {
		ends.Types = append(ends.Types, sdk.EventPattern(t))
	}
	for ctx.Err() == nil {
		begin, cancel := context.WithTimeout(ctx, e.bellTimes.start)
		f, err := e.cfg.Events.Follow(begin, b.project, ends, eventlog.Now())
		cancel()
		if err == nil {
			b.set(true)
			e.stir(b)
			e.hear(ctx, b, f)
			f.Close()
		}
		if b.set(false) {
			e.stir(b)
		}
		select {
		case <-ctx.Done():
		case <-time.After(bellAgain):
		}
	}
}

// hear passes on what comes until the follower breaks or ctx ends.
func (e *Engine) hear(ctx context.Context, b *bell, f *eventlog.Follower) {
	checked := time.Now()
	for {
		turn, cancel := context.WithDeadline(ctx, checked.Add(bellCheck))
		r, err := f.Next(turn)
		late := turn.Err() != nil
		cancel()
		switch {
		case err == nil:
			if story, ok := r.Story(); ok && story.Kind == eventlog.KindTask {
				e.ring(b, workflows.TaskWorkflowID(b.project, story.ID))
			} else if ok && story.Kind == eventlog.KindPlan {
				e.ring(b, workflows.PlanWorkflowID(b.project, story.ID))
			}
		case ctx.Err() != nil || !late:
			return
		}
		if late || time.Since(checked) >= bellCheck {
			e.check(ctx, b)
			checked = time.Now()
		}
	}
}

// check finds out whether the log can be read. A follower is silent about a connection that is lost, and goes on where it was when it
// is there again.
func (e *Engine) check(ctx context.Context, b *bell) {
	quick, cancel := context.WithTimeout(ctx, e.bellTimes.look)
	defer cancel()
	if there := e.cfg.Events.Ready(quick) == nil; b.set(there) {
		e.stir(b)
	}
}

// ring tells the watch of a run, if there is one, that it has ended or does so in a moment.
func (e *Engine) ring(b *bell, workflowID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.heard.put(workflowID, struct{}{}, heardSize, time.Now())
	if w := e.watches[workflowID]; w != nil {
		notice(w.rung)
	}
}

// heardEnd reports whether the log has told of the end of a run of the project's a moment ago.
func (e *Engine) heardEnd(project, workflowID string) bool {
	e.mu.Lock()
	b := e.bells[project]
	e.mu.Unlock()
	if b == nil {
		return false
	}
	_, heard := b.heard.get(workflowID)
	return heard
}

// stir lets every watch of the bell look at what it is of and at how the bell stands.
func (e *Engine) stir(b *bell) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.watches {
		if w.bell == b {
			notice(w.stirred)
		}
	}
}

// set notes whether everything is heard, and answers whether that is news: for those who waited for it to begin, that it does not is.
func (b *bell) set(stands bool) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waited := !b.ready.IsZero()
	b.ready = time.Time{}
	changed := stands == b.stands.IsZero()
	if changed {
		b.stands = time.Time{}
		if stands {
			b.stands = time.Now()
		}
	}
	return changed || waited && !stands
}

// relied reports whether a watch can do without a long poll: the log is followed, or about to be.
func (b *bell) relied() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().After(b.doubted) && (!b.stands.IsZero() || time.Now().Before(b.ready))
}

// doubt notes that a run has ended and the log did not say so: whoever should have written it does not, or late.
func (b *bell) doubt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubted = time.Now().Add(bellDoubt)
}

// since reports whether everything was heard from a time on.
func (b *bell) since(t time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.stands.IsZero() && !b.stands.After(t)
}

// notice leaves one pending notice.
func notice(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
