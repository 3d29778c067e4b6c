package engine

import (
	"context"
	"time"

	"github.com/rolecall-dev/rolecall/eventlog"
	"github.com/rolecall-dev/rolecall/sdk"
	"github.com/rolecall-dev/rolecall/workflows"
)

// metPlan has the story of a closed plan looked at that somebody reads, as [Engine.metStory] does.
func (e *Engine) metPlan(r planRun) {
	outside := endedOutside(r.status)
	if outside || time.Since(r.closed) >= storyRest && !e.heardEnd(r.project, workflows.PlanWorkflowID(r.project, r.id)) {
		e.met(closedRun{kind: eventlog.KindPlan, project: r.project, id: r.id, runID: r.runID})
	}
}

// endPlan tells how a plan has ended, unless the log has it, or the run's own side will. later says that its own side still may.
func (e *Engine) endPlan(c closedRun) (later bool, err error) {
	return e.endRun(c, "plan", workflows.EndsPlanStory, func(ctx context.Context) (runEnd, error) {
		seen, err := e.describePlan(ctx, c.project, c.id)
		return runEnd{
			runHead: seen.runHead,
			publishing: func(ctx context.Context) (bool, error) {
				return e.publishing(ctx, seen.closed, planPublisher(seen.project, seen.id), c.part)
			},
			events: func(ctx context.Context) (func(eventlog.LastEvent) []sdk.Event, error) { return e.planEnd(ctx, seen) },
		}, err
	})
}

func planPublisher(project, id string) func(part int) string {
	return func(part int) string {
		if part == 0 {
			return workflows.PlanEventsWorkflowID(project, id)
		}
		return workflows.PlanEventsPartID(project, id, part)
	}
}

// askForStory is [Engine.askPlan] for the stories: where nobody has answered in time, no other run is asked before the next sweep.
func (e *Engine) askForStory(r planRun) (sdk.Plan, error) {
	if e.stories.silent {
		return sdk.Plan{}, context.DeadlineExceeded
	}
	p, err := e.askPlan(r)
	e.stories.silent = err != nil && isUnreachable(err)
	return p, err
}

// planEnd answers what is to follow the last event of a closed plan's story.
func (e *Engine) planEnd(ctx context.Context, seen planRun) (func(eventlog.LastEvent) []sdk.Event, error) {
	in, err := e.firstPlanInput(ctx, seen)
	if err != nil {
		return nil, err
	}
	p, err := e.closedPlan(ctx, seen, e.askForStory)
	return func(last eventlog.LastEvent) []sdk.Event {
		if workflows.EndsPlanStory(last.Type) || !isToEnd(last, endedOutside(seen.status), seen.closed) {
			return nil
		}
		return []sdk.Event{e.stories.pass(workflows.PlanTerminalEvent(in, p, last.Seq+1))}
	}, err
}
