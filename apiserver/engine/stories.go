package engine

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/rolecall-dev/rolecall/activities"
	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

const (
	storyTimeout = 15 * time.Second // for all about one story
	storyRest    = time.Minute      // for a run that ended by itself to have its story told by its own side
	storyParts   = 100              // of a run's last events, that are looked for; a run writes too little for as many
	storyQueue   = 256              // tasks that were read and wait to have their story looked at
	storyTTL     = 24 * time.Hour   // for which it is known that a run's story is over
	storySize    = 256              // about what that takes
	storyMost    = 20_000 * storySize
)

// stories ends the stories of runs that were terminated or timed out in Temporal, or whose own publishing was, and of those whose end, or
// the code.* that follows it, the log has lost: nobody else does.
type stories struct {
	read  chan closedRun     // that a reader met
	over  *cache[struct{}]   // by run id
	ended prometheus.Counter // events of stories that were ended here
	pass  func(sdk.Event) sdk.Event

	since    time.Time // up to when all runs that have ended were looked after; the sweep's own
	troubled bool      // whether the last one did not go well; the sweep's own
	silent   bool      // a run of a plan that was asked since the last one began has not answered; [Engine.tendStories]'s own
}

// closedRun is a run that has ended. Its run id may be that of an earlier run of the workflow id, and is "" where it is not known.
type closedRun struct {
	kind               eventlog.Kind // of its story; "" is a task's
	project, id, runID string
	part               int  // of its last events, of which it is known that nobody publishes it any more; 0 is none, or the last
	plain              bool // it is known that no code.* follows its completion
}

func newStories(cfg Config) *stories {
	s := &stories{
		read: make(chan closedRun, storyQueue), over: newCache[struct{}](storyMost, storyTTL), since: time.Now().Add(-sweepBack),
		pass: activities.Kept,
		ended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rolecall_stories_ended_total", Help: "Tasks, sessions and plans whose last event the API server wrote: their run was ended from outside, or the log had lost it.",
		}),
	}
	if cfg.Before != nil {
		s.pass = func(e sdk.Event) sdk.Event { return activities.Kept(cfg.Before(e)) }
	}
	return s
}

// tendStories ends stories until the engine is closed: those of tasks that are read, and those that a sweep finds.
func (e *Engine) tendStories() {
	tick := time.NewTicker(e.cfg.SweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-e.life.Done():
			return
		case r := <-e.stories.read:
			if _, err := e.endStory(r); err != nil {
				e.cfg.Logger.Debug("the story of a run that has ended could not be ended yet", "id", r.id, "project", r.project, "error", err)
			}
		case <-tick.C:
			e.sweep()
		}
	}
}

// metStory has the story of a closed run looked at that somebody reads. It does not wait; what finds no room is left to the sweep and to
// the next reader.
func (e *Engine) metStory(r run) {
	if !endedOutside(r.status) && e.heardEnd(r.project, workflows.TaskWorkflowID(r.project, r.id)) {
		return
	}
	plain := r.memo != nil && !workflows.TellsCode(r.memo.Task.Type)
	e.met(closedRun{project: r.project, id: r.id, runID: r.runID, plain: plain})
}

// met passes a closed run on that somebody reads, unless its story is known to be over.
func (e *Engine) met(c closedRun) {
	if e.cfg.Events == nil {
		return
	}
	if _, over := e.stories.over.get(c.runID); over {
		return
	}
	select {
	case e.stories.read <- c:
	default:
	}
}

func endedOutside(s enumspb.WorkflowExecutionStatus) bool {
	_, _, outside := endedFromOutside(s)
	return outside
}

// endStory writes the end of a run's story unless the log has it, or the run's own side will. later says that its own side still may.
func (e *Engine) endStory(c closedRun) (later bool, err error) {
	switch c.kind {
	case eventlog.KindSession:
		return e.endSession(c)
	case eventlog.KindPlan:
		return e.endPlan(c)
	default:
		return e.endTask(c)
	}
}

// endTask is endStory of a task's run.
func (e *Engine) endTask(c closedRun) (later bool, err error) {
	if _, over := e.stories.over.get(c.runID); over && c.runID != "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(e.life, storyTimeout)
	defer cancel()
	var end *storyEnd
	var failed error
	over := false
	n, err := e.cfg.Events.EndStory(ctx, c.project, eventlog.Story{Kind: eventlog.KindTask, ID: c.id}, func(last eventlog.LastEvent) []sdk.Event {
		if over = workflows.EndsStory(last.Type) && (c.plain || last.Type != sdk.EventTaskCompleted); over {
			return nil
		}
		if end == nil {
			if end, failed = e.endOf(ctx, c); failed != nil {
				return nil
			}
		}
		over = !end.later
		return end.events(last, e.stories.pass)
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return false, fault(err)
	}
	if e.tellEnded("task", c, n); over {
		e.storyOver(c.runID)
	}
	return !over, nil
}

// tellEnded says that n events were written of the story of what.
func (e *Engine) tellEnded(what string, c closedRun, n int) {
	if n == 0 {
		return
	}
	e.stories.ended.Inc()
	e.cfg.Logger.Info("ended the story of a "+what+" whose run did not, or which the log had lost the end of", what, c.id, "project", c.project, "run", c.runID)
}

// storyEnd is what a story ends with; the zero value is one that is not to be ended from here.
type storyEnd struct {
	later   bool // it may have to be, but not yet
	due     bool
	in      workflows.TaskInput
	task    sdk.Task
	outside bool
	closed  time.Time
}

// endOf finds out how a run has ended, of which the log does not say so.
func (e *Engine) endOf(ctx context.Context, c closedRun) (*storyEnd, error) {
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflows.TaskWorkflowID(c.project, c.id), "")
	if isNotFound(err) {
		return &storyEnd{}, nil
	}
	if err != nil {
		return nil, err
	}
	seen, err := e.decodeRun(resp)
	if err != nil {
		return nil, err
	}
	seen.project, seen.id = c.project, c.id
	if _, ended := endedStatus(seen.status); !ended || c.runID != "" && c.runID != seen.runID { // another run has taken its place
		return &storyEnd{}, nil
	}
	if !endedOutside(seen.status) {
		if left, err := e.publishing(ctx, seen.closed, taskPublisher(seen.project, seen.id), c.part); left || err != nil {
			return &storyEnd{later: true}, err
		}
	}
	in, err := e.firstTaskInput(ctx, seen)
	if err != nil {
		return nil, err
	}
	if err := e.completeRequest(ctx, &seen); err != nil {
		return nil, err
	}
	event, err := e.closeEvent(ctx, workflows.TaskWorkflowID(seen.project, seen.id), seen.runID)
	if err != nil {
		return nil, err
	}
	return &storyEnd{due: true, in: in, task: e.closedTask(seen, event), outside: endedOutside(seen.status), closed: seen.closed}, nil
}

// publishing reports whether a run that ended by itself may still have its story told by its own side, whose runs have these ids by part.
// Where a part of it is lost, that is up to the parts before: those after it wait for it in vain. Else it is up to all of them: where the last
// one, which is part 0, is lost, those before are not.
func (e *Engine) publishing(ctx context.Context, closed time.Time, publisher func(part int) string, lost int) (bool, error) {
	if time.Since(closed) < storyRest {
		return true, nil
	}
	if lost == 0 {
		if left, _, err := e.goesOn(ctx, publisher(0)); left || err != nil {
			return left, err
		}
	}
	for part := 1; part != lost && part <= storyParts; part++ {
		left, known, err := e.goesOn(ctx, publisher(part))
		if left || err != nil {
			return left, err
		}
		if !known && lost == 0 {
			break
		}
	}
	return false, nil
}

func taskPublisher(project, id string) func(part int) string {
	return func(part int) string {
		if part == 0 {
			return workflows.EventsWorkflowID(project, id)
		}
		return workflows.EventsPartID(project, id, part)
	}
}

// goesOn reports whether the latest run of a workflow id has not ended; known is whether there is one.
func (e *Engine) goesOn(ctx context.Context, workflowID string) (left, known bool, err error) {
	resp, err := e.temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if isNotFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	_, ended := endedStatus(resp.GetWorkflowExecutionInfo().GetStatus())
	return !ended, true, nil
}

// isToEnd reports whether the story of a run that was closed then is the log's to end. One of which the log has nothing begins with its end,
// where the log still has what it took by the run's end, a little before which its own end was told: else it may have been told, and is not
// kept any more. One of a run that ended by itself does so only where the log took events by then: else it was none of the log's.
func isToEnd(last eventlog.LastEvent, outside bool, closed time.Time) bool {
	if last.Seq > 0 {
		return true
	}
	early := last.Began.IsZero() || closed.Before(last.Began)
	return (outside || !early) && !closed.Add(-storyRest).Before(last.Oldest)
}

// events are what is to follow the last event of the story; pass is what they go through. After the completion of a task that is the
// code.* that belongs to it, if there is one.
func (s *storyEnd) events(last eventlog.LastEvent, pass func(sdk.Event) sdk.Event) (list []sdk.Event) {
	if !s.due || !isToEnd(last, s.outside, s.closed) {
		return nil
	}
	if last.Type != sdk.EventTaskCompleted {
		list = append(list, pass(workflows.TerminalEvent(s.in, s.task, last.Seq+1)))
	}
	if e, ok := workflows.CodeEvent(s.in, s.task, last.Seq+len(list)+1); ok {
		list = append(list, pass(e))
	}
	return list
}
